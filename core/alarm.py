"""An alarm that needs no database: a signed webhook whose address and secret are in the environment.

For what cannot be an alert, because alerts are rows. A receiver checks it like an alert's message (Standard Webhooks,
docs/operations/gateway-dies.md); it is sent once, and that it was not received is a line in the log.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
from django.conf import settings
from standardwebhooks.webhooks import Webhook

from core.canonical import canonical_bytes
from core.ids import new_id
from core.outbound import OutboundLimits, classify, outbound_client, policy_from_settings
from core.webhooks import message_headers

logger = logging.getLogger(__name__)
_LIMITS: Final = OutboundLimits(connect_seconds=5.0, head_seconds=10.0, total_seconds=15.0, body_bytes=64 * 1024)


async def sound_alarm(kind: str, data: Mapping[str, Any]) -> bool:
    """Send it now; whether it was received. False where the installation has no `AUDIT_ALARM_URL`. Raises nothing."""
    if not settings.AUDIT_ALARM_URL:
        return False
    moment = datetime.now(UTC)
    said = {**data, "installation": settings.INSTALLATION_ID}
    body = canonical_bytes({"type": kind, "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "data": said})
    try:
        async with outbound_client(policy_from_settings(), _LIMITS) as client:
            signing = Webhook(settings.AUDIT_ALARM_SECRET) if settings.AUDIT_ALARM_SECRET else None
            headers = message_headers(signing, f"msg_{new_id().hex}", body.decode(), moment=moment)
            response = await client.post(settings.AUDIT_ALARM_URL, content=body, headers=headers)
            if response.is_success:
                return True
            problem = f"answered {response.status_code}"
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as error:
        problem = classify(error).sentence
    logger.error("the alarm %s was not received: %s", kind, problem)
    return False
