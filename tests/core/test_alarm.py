"""The alarm that needs no database: signed, sent once, and never in anybody's way."""

import base64
import json
import logging

import pytest
from django.conf import settings as configured
from standardwebhooks.webhooks import Webhook

from core.alarm import sound_alarm
from tests.alerts.receiver import receiving

pytestmark = pytest.mark.network
SECRET = f"whsec_{base64.b64encode(b'a' * 32).decode()}"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configured, "AUDIT_ALARM_SECRET", SECRET)


async def test_an_alarm_is_a_signed_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        monkeypatch.setattr(configured, "AUDIT_ALARM_URL", receiver.url)
        assert await sound_alarm("audit.unavailable", {"process": "gw-1"})
    ((headers, body),) = receiver.requests
    said = json.loads(body)
    assert (said["type"], said["data"]) == (
        "audit.unavailable", {"process": "gw-1", "installation": configured.INSTALLATION_ID},
    )  # fmt: skip
    Webhook(SECRET).verify(body.decode(), {name.lower(): value for name, value in headers.items()})
    assert SECRET.encode() not in body


async def test_without_an_address_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configured, "AUDIT_ALARM_URL", "")
    assert not await sound_alarm("audit.unavailable", {})


async def test_who_does_not_take_it_is_a_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving() as receiver, caplog.at_level(logging.ERROR, "core.alarm"):
        receiver.answers.append((500, {}))
        monkeypatch.setattr(configured, "AUDIT_ALARM_URL", receiver.url)
        assert not await sound_alarm("audit.unavailable", {})
    assert not await sound_alarm("audit.unavailable", {})  # nobody listens there any more
    monkeypatch.setattr(configured, "AUDIT_ALARM_URL", "http://10.0.0.1/")  # an address that is not allowed
    assert not await sound_alarm("audit.unavailable", {})
    assert caplog.text.count("the alarm audit.unavailable was not received") == 3
    assert SECRET not in caplog.text
