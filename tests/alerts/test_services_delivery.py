"""Webhooks against a real receiver: signed, retried, leased, and never where they must not go."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from alerts import services
from alerts.backoff import ATTEMPTS, DISABLE_AFTER
from alerts.models import Alert, Channel, Delivery
from audit.events import Event
from audit.models import Record
from core.actor import Actor
from tests.alerts.logs import Log
from tests.alerts.receiver import Receiver, receiving

pytestmark = [pytest.mark.django_db, pytest.mark.network]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def hook(receiver: Receiver, operator: Actor, db: None) -> services.CreatedChannel:
    return services.create_channel(name="hook", url=receiver.url, actor=operator)


def make_due() -> None:
    Delivery.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))


def test_an_alert_arrives_signed_as_standard_webhooks_has_it(
    log: Log, hook: services.CreatedChannel, receiver: Receiver
) -> None:
    log.says(Event.TOOL_DRIFTED, digest="sha256:aa")
    assert services.deliver_due() == 1
    ((headers, body),) = receiver.requests
    said = Webhook(hook.secret).verify(body, headers)
    assert said == json.loads(body)
    assert said["type"] == "tool.drifted"
    assert said["data"]["digest"] == "sha256:aa"
    assert headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(hook.secret).verify(body + b" ", headers)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("delivered", 1, 204)
    assert Channel.objects.get().last_delivered_at is not None
    assert services.deliver_due() == 0


def test_after_a_500_the_same_message_is_sent_again(
    log: Log, hook: services.CreatedChannel, receiver: Receiver
) -> None:
    receiver.answers = [(500, {})]
    log.says(Event.TOOL_DRIFTED)
    assert services.deliver_due() == 0
    waiting = Delivery.objects.get()
    assert (waiting.state, waiting.attempts, waiting.last_status) == ("pending", 1, 500)
    assert waiting.next_attempt_at > timezone.now()
    assert services.deliver_due() == 0
    assert len(receiver.requests) == 1
    make_due()
    assert services.deliver_due() == 1
    (first, one), (second, two) = receiver.requests
    assert first["webhook-id"] == second["webhook-id"]
    assert one == two
    Webhook(hook.secret).verify(two, second)
    assert Channel.objects.get().failing_since is None


def test_retry_after_is_heeded(log: Log, hook: services.CreatedChannel, receiver: Receiver) -> None:
    receiver.answers = [(429, {"retry-after": "3600"})]
    log.says(Event.TOOL_DRIFTED)
    services.deliver_due()
    assert Delivery.objects.get().next_attempt_at > timezone.now() + timedelta(minutes=59)


def test_a_redirect_is_not_followed(log: Log, hook: services.CreatedChannel, receiver: Receiver) -> None:
    receiver.answers = [(302, {"location": receiver.url})]
    log.says(Event.TOOL_DRIFTED)
    assert services.deliver_due() == 0
    assert len(receiver.requests) == 1
    assert Delivery.objects.get().last_status == 302


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/hook",
        "http://[::1]:8000/hook",
        "http://[::ffff:169.254.169.254]/",
        "http://2130706433/",
    ],
)
def test_an_address_that_is_not_allowed_is_never_dialled(log: Log, operator: Actor, url: str) -> None:
    services.create_channel(name="inside", url=url, actor=operator)
    log.says(Event.TOOL_DRIFTED)
    assert services.deliver_due() == 0
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.last_status) == ("pending", None)
    assert delivery.last_error
    assert "169.254" not in delivery.last_error


def test_loopback_is_refused_where_no_network_is_allowed(
    log: Log, hook: services.CreatedChannel, receiver: Receiver, settings: pytest.FixtureRequest
) -> None:
    settings.OUTBOUND_ALLOW = ()  # type: ignore[attr-defined]
    log.says(Event.TOOL_DRIFTED)
    assert services.deliver_due() == 0
    assert receiver.requests == []
    assert "not open to outbound traffic" in Delivery.objects.get().last_error


def test_one_dead_receiver_holds_up_no_other(
    log: Log, hook: services.CreatedChannel, receiver: Receiver, operator: Actor
) -> None:
    services.create_channel(name="dead", url="http://127.0.0.1:9/", actor=operator)
    log.says(Event.TOOL_DRIFTED)
    assert services.deliver_due() == 1
    assert {(d.channel.name, d.state) for d in Delivery.objects.all()} == {("hook", "delivered"), ("dead", "pending")}


def test_a_leased_delivery_is_left_to_its_worker_until_the_lease_runs_out(
    log: Log, hook: services.CreatedChannel, receiver: Receiver
) -> None:
    from alerts.services import delivery

    log.says(Event.TOOL_DRIFTED)
    (claimed,) = delivery._claim()
    assert services.deliver_due() == 0
    assert receiver.requests == []
    Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert services.deliver_due() == 1
    # The first worker comes back too late: what it knows counts no more.
    delivery._note(claimed.pk, claimed.lease_token, delivery.Answer(500))
    assert Delivery.objects.get().state == "delivered"


def test_after_the_last_attempt_a_delivery_is_given_up(
    log: Log, hook: services.CreatedChannel, receiver: Receiver
) -> None:
    receiver.answers = [(500, {})]
    log.says(Event.TOOL_DRIFTED)
    Delivery.objects.update(attempts=ATTEMPTS - 1)
    services.deliver_due()
    assert Delivery.objects.get().state == "failed"
    assert Channel.objects.get().state == "active"


@pytest.mark.parametrize(("status", "failing_for"), [(500, DISABLE_AFTER), (410, timedelta(0))])
def test_a_channel_that_fails_for_long_or_is_gone_is_disabled_and_raises_an_alert(
    log: Log, hook: services.CreatedChannel, receiver: Receiver, operator: Actor, status: int, failing_for: timedelta
) -> None:
    services.create_channel(name="other", url=receiver.url, kinds=["channel_failing"], actor=operator)
    receiver.answers = [(status, {})]
    Channel.objects.filter(name="hook").update(failing_since=timezone.now() - failing_for)
    log.says(Event.TOOL_DRIFTED)
    services.deliver_due()
    assert Channel.objects.get(name="hook").state == "disabled"
    assert Record.objects.get(event="channel.disabled").actor == "system:alerts"
    log.is_followed()
    alert = Alert.objects.get(kind="channel_failing")
    assert alert.subject == "channel:hook"
    assert services.deliver_due() == 1
    services.enable_channel(channel_id=hook.channel.public_id, actor=operator)
    log.is_followed()
    alert.refresh_from_db()
    assert alert.state == "resolved"


def test_a_test_message_arrives(hook: services.CreatedChannel, receiver: Receiver, operator: Actor) -> None:
    services.test_channel(channel_id=hook.channel.public_id, actor=operator)
    assert services.deliver_due() == 1
    assert json.loads(receiver.requests[0][1])["type"] == "channel.tested"


def test_a_secret_that_does_not_open_sends_nothing_and_says_so(
    log: Log, hook: services.CreatedChannel, receiver: Receiver, operator: Actor
) -> None:
    other = services.create_channel(name="other", url=receiver.url, actor=operator).channel
    Channel.objects.filter(name="hook").update(secret=bytes(other.secret))  # a ciphertext in another's place
    log.says(Event.TOOL_DRIFTED)
    assert services.deliver_due() == 1
    assert Delivery.objects.get(channel__name="hook").last_error == "the channel's secret cannot be opened"


def test_many_messages_go_out_a_few_at_a_time(hook: services.CreatedChannel, receiver: Receiver, log: Log) -> None:
    from alerts.services import delivery

    for number in range(25):
        log.notes(Event.TOOL_DRIFTED, f"tool:files/t{number}")
    log.is_followed()
    assert len(delivery._claim()) == 4
    Delivery.objects.update(lease_until=None, lease_token=None)
    assert services.deliver_due() == 25
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 25
