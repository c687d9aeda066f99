"""Standard Webhooks: a new signing secret, and the headers that a receiver checks a message by."""

import base64
import secrets
from datetime import UTC, datetime
from typing import Final

from standardwebhooks.webhooks import Webhook

_SECRET_BYTES: Final = 32


def new_secret() -> str:
    """A signing secret, `whsec_…`."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def message_headers(
    signing: Webhook | None,
    message_id: str,
    body: str,
    *,
    moment: datetime | None = None,
    content_type: str = "application/json",
) -> dict[str, str]:
    """The headers of one message, sent at `moment`, now without one; without `signing` it has no signature."""
    moment = moment or datetime.now(UTC)
    headers = {
        "content-type": content_type,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
    }
    if signing is not None:
        headers["webhook-signature"] = signing.sign(message_id, moment, body)
    return headers
