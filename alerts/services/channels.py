"""Channels: where alerts are sent. Their secrets are shown once and sealed at rest."""

from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings

from alerts.models import Channel, Delivery
from alerts.rules import AlertKind, ChannelState, DeliveryState
from alerts.services.messages import DELIVER, message
from audit.events import Event, RecordType
from audit.permit import audited_denials, refuse_unless
from audit.services import record
from core.actor import Actor
from core.envelope import open_sealed, seal
from core.errors import Conflict, Invalid
from core.names import subject
from core.permissions import Permission
from core.queue import enqueue
from core.webhooks import new_secret

TEST_EVENT: Final = "channel.tested"
_NAME_MAX: Final = 100
_URL_MAX: Final = 2000


class CreatedChannel(NamedTuple):
    """A new channel and its secret (`whsec_…`), which is shown this once."""

    channel: Channel
    secret: str


@audited_denials
def create_channel(*, name: str, url: str, kinds: Sequence[str] = (), actor: Actor) -> CreatedChannel:
    """Create a webhook.

    Raises `PermissionDenied`, `Invalid`, `Conflict` for a name that is taken.
    """
    _permit(actor, name)
    channel = Channel(name=_valid_name(name), url=_valid_url(url), kinds=_valid_kinds(kinds))
    if Channel.objects.filter(name=name).exists():
        raise Conflict("A channel with this name exists.", field="name")
    secret = new_secret()
    channel.secret = seal(secret.encode(), key=settings.SECRETS_KEY, place=_place(channel))
    channel.save()
    _record(Event.CHANNEL_CREATED, channel, actor, after=_shown(channel))
    return CreatedChannel(channel, secret)


@audited_denials
def change_channel(
    *, channel_id: UUID, actor: Actor, url: str | None = None, kinds: Sequence[str] | None = None
) -> Channel:
    """Change where a channel sends, or what. Raises `NotFound`, `PermissionDenied`, `Invalid`."""
    channel = _channel_to_change(channel_id, actor)
    before = _shown(channel)
    channel.url = channel.url if url is None else _valid_url(url)
    channel.kinds = channel.kinds if kinds is None else _valid_kinds(kinds)
    channel.save(update_fields=["url", "kinds"])
    _record(Event.CHANNEL_CHANGED, channel, actor, before=before, after=_shown(channel))
    return channel


@audited_denials
def disable_channel(*, channel_id: UUID, actor: Actor, reason: str = "") -> Channel:
    """Stop sending; what waits is given up. Raises `NotFound`, `PermissionDenied`, `Conflict`."""
    channel = _channel_to_change(channel_id, actor)
    if channel.state == ChannelState.DISABLED.value:
        raise Conflict("This channel is already disabled.")
    return stop_channel(channel, actor=actor, reason=reason)


@audited_denials
def enable_channel(*, channel_id: UUID, actor: Actor) -> Channel:
    """Send again, from now on. Raises `NotFound`, `PermissionDenied`, `Conflict`."""
    channel = _channel_to_change(channel_id, actor)
    if channel.state == ChannelState.ACTIVE.value:
        raise Conflict("This channel is already active.")
    before = _shown(channel)
    channel.state = ChannelState.ACTIVE.value
    channel.failing_since = None
    channel.save(update_fields=["state", "failing_since"])
    _record(Event.CHANNEL_ENABLED, channel, actor, before=before, after=_shown(channel))
    return channel


@audited_denials
def test_channel(*, channel_id: UUID, actor: Actor) -> Delivery:
    """Queue a test message, sent within a tick. Raises `NotFound`, `PermissionDenied`, `Conflict`."""
    channel = _channel_to_change(channel_id, actor)
    if channel.state == ChannelState.DISABLED.value:
        raise Conflict("This channel is disabled.")
    body = message(TEST_EVENT, {"channel": channel.name, "installation": settings.INSTALLATION_ID})
    delivery = Delivery.objects.create(channel=channel, event=TEST_EVENT, body=body)
    _record(Event.CHANNEL_TESTED, channel, actor)
    enqueue(DELIVER)
    return delivery


def stop_channel(channel: Channel, *, actor: Actor, reason: str) -> Channel:
    """Disable a locked channel, give up what waits, and record it. For services of this app."""
    before = _shown(channel)
    channel.state = ChannelState.DISABLED.value
    channel.save(update_fields=["state"])
    channel.deliveries.filter(state=DeliveryState.PENDING.value).update(
        state=DeliveryState.FAILED.value, last_error="the channel was disabled", lease_until=None, lease_token=None
    )
    _record(Event.CHANNEL_DISABLED, channel, actor, before=before, after=_shown(channel), reason=reason)
    return channel


def channel_secret(channel: Channel) -> str:
    """The secret that signs this channel's messages. Raises `CannotOpen`."""
    return open_sealed(bytes(channel.secret), key=settings.SECRETS_KEY, place=_place(channel)).decode()


def _permit(actor: Actor, name: str) -> None:
    refuse_unless(
        actor.may(Permission.CHANNEL_MANAGE),
        actor=actor,
        permission=Permission.CHANNEL_MANAGE,
        subject=subject("channel", name),
    )


def _channel_to_change(channel_id: UUID, actor: Actor) -> Channel:
    _permit(actor, str(channel_id))
    return Channel.objects.visible_to(actor).locked(channel_id)


def _place(channel: Channel) -> str:
    return f"channel:{channel.public_id}:secret"


def _valid_name(name: str) -> str:
    if not name.strip() or len(name) > _NAME_MAX or not name.isprintable():
        raise Invalid(f"Give the channel a name of at most {_NAME_MAX} printable characters.", field="name")
    return name


def _valid_url(url: str) -> str:
    """What can be told without connecting; addresses are judged at every delivery, by `core.outbound`."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Invalid("This is not a URL.", field="url") from error
    if parts.scheme not in ("https", "http") or not parts.hostname or len(url) > _URL_MAX or not url.isprintable():
        raise Invalid("A webhook needs an https URL.", field="url")
    if parts.username is not None or parts.password is not None or " " in url:
        raise Invalid("A webhook's URL holds no user name, password or space.", field="url")
    if parts.scheme == "http" and not settings.OUTBOUND_ALLOW:
        raise Invalid("A webhook needs an https URL.", field="url")
    return url


def _valid_kinds(kinds: Sequence[str]) -> list[str]:
    unknown = sorted(set(kinds) - set(AlertKind))
    if unknown:
        raise Invalid(f"There is no alert of kind '{unknown[0]}'.", field="kinds")
    return sorted(set(kinds))


def _shown(channel: Channel) -> dict[str, object]:
    """For the log: where to, without the query, which often carries a key."""
    url = urlsplit(channel.url)._replace(query="", fragment="").geturl()
    return {"name": channel.name, "url": url, "kinds": list(channel.kinds), "state": channel.state}


def _record(
    event: Event,
    channel: Channel,
    actor: Actor,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    reason: str = "",
) -> None:
    record(
        type=RecordType.ADMIN,
        event=event,
        actor=actor,
        subject=subject("channel", channel.name),
        before=before,
        after=after,
        reason=reason,
    )
