"""What a receiver checks with the library of its own."""

from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from core.webhooks import message_headers, new_secret


def test_a_message_verifies_with_its_secret_and_with_no_other() -> None:
    secret = new_secret()
    headers = message_headers(Webhook(secret), "msg_1", '{"a":1}')
    assert Webhook(secret).verify('{"a":1}', headers) == {"a": 1}
    assert headers["content-type"] == "application/json"
    for body, other in (('{"a":2}', secret), ('{"a":1}', new_secret())):
        with pytest.raises(WebhookVerificationError):
            Webhook(other).verify(body, headers)


def test_without_a_secret_nothing_is_signed() -> None:
    moment = datetime(2026, 11, 28, tzinfo=UTC)
    assert message_headers(None, "msg_1", "", moment=moment, content_type="application/jsonl") == {
        "content-type": "application/jsonl",
        "webhook-id": "msg_1",
        "webhook-timestamp": "1795824000",
    }
