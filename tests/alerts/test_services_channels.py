"""Channels: who may, what fits, and where the secret is."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as configured
from standardwebhooks.webhooks import Webhook

from alerts import services
from alerts.models import Channel, Delivery
from alerts.services.channels import channel_secret
from audit.models import Record
from core.actor import Actor
from core.envelope import CannotOpen
from core.errors import Conflict, Invalid, NotFound, PermissionDenied
from core.ids import new_id

pytestmark = pytest.mark.django_db
URL = "https://hooks.example/in?key=abc"


@pytest.fixture
def made(operator: Actor) -> services.CreatedChannel:
    return services.create_channel(name="hook", url=URL, kinds=["drift"], actor=operator)


def test_the_secret_is_shown_once_and_sealed_at_rest(made: services.CreatedChannel) -> None:
    assert made.secret.startswith("whsec_")
    Webhook(made.secret)
    stored = Channel.objects.get()
    assert made.secret.encode() not in bytes(stored.secret)
    assert channel_secret(stored) == made.secret
    assert all(made.secret not in bytes(row.body).decode() for row in Record.objects.all())


def test_a_sealed_secret_opens_in_its_own_place_only(made: services.CreatedChannel, operator: Actor) -> None:
    other = services.create_channel(name="other", url=URL, actor=operator).channel
    other.secret = made.channel.secret
    with pytest.raises(CannotOpen):
        channel_secret(other)


def test_every_change_is_recorded_without_the_urls_query(made: services.CreatedChannel, operator: Actor) -> None:
    channel_id = made.channel.public_id
    services.change_channel(channel_id=channel_id, url="https://hooks.example/other", kinds=[], actor=operator)
    services.test_channel(channel_id=channel_id, actor=operator)
    services.disable_channel(channel_id=channel_id, actor=operator, reason="noisy")
    services.enable_channel(channel_id=channel_id, actor=operator)
    events = ["channel.created", "channel.changed", "channel.tested", "channel.disabled", "channel.enabled"]
    rows = list(Record.objects.order_by("id"))
    assert [row.event for row in rows] == events
    assert all("key=abc" not in bytes(row.body).decode() for row in rows)
    assert (rows[0].after or {})["url"] == "https://hooks.example/in"


def test_disabling_gives_up_what_waits(made: services.CreatedChannel, operator: Actor) -> None:
    services.test_channel(channel_id=made.channel.public_id, actor=operator)
    services.disable_channel(channel_id=made.channel.public_id, actor=operator)
    assert Delivery.objects.get().state == "failed"
    for service in (services.disable_channel, services.test_channel):
        with pytest.raises(Conflict):
            service(channel_id=made.channel.public_id, actor=operator)


def test_an_active_channel_cannot_be_enabled(made: services.CreatedChannel, operator: Actor) -> None:
    with pytest.raises(Conflict):
        services.enable_channel(channel_id=made.channel.public_id, actor=operator)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"url": ""}, "url"),
        ({"url": "ftp://hooks.example/"}, "url"),
        ({"url": "https://"}, "url"),
        ({"url": "https://user:pw@hooks.example/"}, "url"),
        ({"url": "https://hooks.example:99999/"}, "url"),
        ({"url": "https://[::1/"}, "url"),
        ({"url": "https://hooks.example/a b"}, "url"),
        ({"url": "https://hooks.example/\x01"}, "url"),
        ({"url": "https://hooks.example/" + "x" * 2000}, "url"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"kinds": ["gossip"]}, "kinds"),
    ],
)
def test_what_does_not_fit_is_refused_naming_the_field(operator: Actor, values: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        services.create_channel(**{"name": "hook", "url": URL, "actor": operator, **values})
    assert caught.value.field == field
    assert not Channel.objects.exists()


def test_plain_http_is_refused_where_no_network_is_allowed(operator: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configured, "OUTBOUND_ALLOW", ())
    with pytest.raises(Invalid):
        services.create_channel(name="hook", url="http://hooks.example/", actor=operator)


def test_a_name_is_given_once(made: services.CreatedChannel, operator: Actor) -> None:
    with pytest.raises(Conflict):
        services.create_channel(name="hook", url=URL, actor=operator)


@pytest.mark.parametrize(
    "service",
    [services.change_channel, services.disable_channel, services.enable_channel, services.test_channel],
)
def test_who_may_not_manage_channels_is_denied_and_an_unknown_one_is_not_found(
    nobody: Actor, owner: Actor, operator: Actor, service: Callable[..., object]
) -> None:
    for actor in (nobody, owner):
        with pytest.raises(PermissionDenied):
            service(channel_id=new_id(), actor=actor)
        assert not Channel.objects.visible_to(actor).exists()
    assert Record.objects.filter(event="action.denied").count() == 2
    with pytest.raises(NotFound):
        service(channel_id=new_id(), actor=operator)


def test_who_may_not_manage_channels_creates_none(nobody: Actor) -> None:
    with pytest.raises(PermissionDenied):
        services.create_channel(name="hook", url=URL, actor=nobody)
    assert not Channel.objects.exists()
