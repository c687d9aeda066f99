"""Sinks: where records are sent. Secrets are shown once, or given, and sealed at rest."""

from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from audit.events import Event, RecordType
from audit.formats.kinds import FORMATS, SinkKind, SinkState
from audit.formats.writing import Format
from audit.models import ExportCursor, Leaf, Record, Sink
from audit.services.permitting import permit
from audit.services.recording import record
from core.actor import Actor
from core.envelope import open_sealed, seal
from core.errors import Conflict, Invalid
from core.names import subject
from core.permissions import Permission
from core.webhooks import new_secret

_NAME_MAX: Final = 100
_URL_MAX: Final = 2000
_SECRET_MAX: Final = 4000
# What a sink gets somebody must be able to read and take away, so who says where it goes needs these for the whole log.
_SENDING: Final = (Permission.SINK_MANAGE, Permission.AUDIT_READ, Permission.AUDIT_EXPORT)
_PORTS: Final = {"http": 80, "https": 443}
_SCHEMES: Final = {
    SinkKind.OTLP: ("https", "http"),
    SinkKind.SYSLOG_TLS: ("tls",),
    SinkKind.WEBHOOK: ("https", "http"),
}


class CreatedSink(NamedTuple):
    """A new sink and, of a webhook, its signing secret (`whsec_…`), which is shown this once."""

    sink: Sink
    secret: str


def create_sink(
    *,
    name: str,
    kind: str,
    format: str,  # noqa: A002 -- the field's public name
    endpoint: str,
    secret: str = "",
    from_beginning: bool = False,
    actor: Actor,
) -> CreatedSink:
    """Send all records from now on, or from the beginning of the log.

    Raises `PermissionDenied`, `Invalid`, `Conflict` for a name that is taken.
    """
    _permit_sending(actor, subject("sink", name[:_NAME_MAX]))
    what = _valid_kind(kind, format)
    sink = Sink(name=_valid_name(name), kind=what.value, format=format, endpoint=_valid_endpoint(what, endpoint))
    signing = new_secret() if what is SinkKind.WEBHOOK else ""
    _seal(sink, what, signing or secret, given=bool(secret))
    with transaction.atomic(durable=True):
        _insert(sink)
        ExportCursor.objects.create(sink=sink, index=_before_the_first() if from_beginning else Leaf.objects.head())
        _record(Event.SINK_CREATED, sink, actor, after=_shown(sink))
    return CreatedSink(sink, signing)


def change_sink(
    *, sink_id: UUID, actor: Actor, endpoint: str | None = None, secret: str | None = None, enabled: bool | None = None
) -> Sink:
    """Send elsewhere, with another secret, no longer, or again: a sink goes on where it was.

    Raises `NotFound`, `PermissionDenied`, `Invalid`, also for another host without the secret that it is to be sent.
    """
    about = subject("sink", str(sink_id))
    if enabled is False and endpoint is None and secret is None:
        permit(actor, Permission.SINK_MANAGE, about=about)  # whoever may stop it need not be able to read it
    else:
        _permit_sending(actor, about)
    with transaction.atomic(durable=True):
        sink = Sink.objects.visible_to(actor).locked(sink_id)
        before, kind = _shown(sink), SinkKind(sink.kind)
        if endpoint is not None:
            _keep_secret_from_others(sink, kind, _valid_endpoint(kind, endpoint), secret)
            sink.endpoint = endpoint
        if secret is not None:
            _seal(sink, kind, secret, given=True)
        if enabled is not None:
            sink.state = (SinkState.ACTIVE if enabled else SinkState.DISABLED).value
        sink.save(update_fields=["endpoint", "secret", "state"])
        # Whoever sends by the old settings loses the lease, and what was not confirmed is sent by the new ones.
        ExportCursor.objects.filter(sink=sink).update(
            lease_until=None, lease_token=None, failures=0, failing_since=None, last_error="",
            next_attempt_at=timezone.now(),
        )  # fmt: skip
        _record(Event.SINK_CHANGED, sink, actor, before=before, after=_shown(sink) | _given(secret))
    return sink


def remove_sink(*, sink_id: UUID, actor: Actor, reason: str = "") -> None:
    """Stop sending for good; how far it was is forgotten. Raises `NotFound`, `PermissionDenied`."""
    permit(actor, Permission.SINK_MANAGE, about=subject("sink", str(sink_id)))
    with transaction.atomic(durable=True):
        sink = Sink.objects.visible_to(actor).locked(sink_id)
        index = ExportCursor.objects.get(sink=sink).index
        _record(Event.SINK_REMOVED, sink, actor, before={**_shown(sink), "index": index}, reason=reason)
        sink.delete()


def stop_sink(sink: Sink, *, index: int, reason: str, actor: Actor) -> None:
    """Stop a locked sink at a record that cannot be sent. For senders, inside their transaction."""
    sink.state = SinkState.STOPPED.value
    sink.save(update_fields=["state"])
    _record(Event.SINK_STOPPED, sink, actor, after={**_shown(sink), "index": index}, reason=reason)


def sink_secret(sink: Sink) -> str:
    """The secret, or nothing where there is none. Raises `CannotOpen`."""
    if sink.secret is None:
        return ""
    return open_sealed(bytes(sink.secret), key=settings.SECRETS_KEY, place=_place(sink)).decode()


def _permit_sending(actor: Actor, about: str) -> None:
    for permission in _SENDING:
        permit(actor, permission, about=about)


def _insert(sink: Sink) -> None:
    try:
        with transaction.atomic():
            sink.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("A sink with this name exists.", field="name") from error


def _keep_secret_from_others(sink: Sink, kind: SinkKind, endpoint: str, secret: str | None) -> None:
    """An Authorization header was given for one host: whoever may change a sink must not have it sent to theirs."""
    if kind is SinkKind.OTLP and sink.secret is not None and secret is None and _host(endpoint) != _host(sink.endpoint):
        sentence = "Another scheme, host or port takes the secret anew: give it with the endpoint, empty for none."
        raise Invalid(sentence, field="secret")


def _host(endpoint: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(endpoint)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _before_the_first() -> int:
    """The place before the oldest record that is still there: of what was pruned nothing can be sent."""
    there = Record.objects.filter(shard=OuterRef("shard"), id=OuterRef("record_id"))
    first = Leaf.objects.filter(Exists(there)).order_by("index").values_list("index", flat=True).first()
    return -1 if first is None else first - 1


def _seal(sink: Sink, kind: SinkKind, secret: str, *, given: bool) -> None:
    if given and kind is not SinkKind.OTLP:
        raise Invalid("Only an OTLP sink takes a secret: what its Authorization header says.", field="secret")
    if len(secret) > _SECRET_MAX or not secret.isascii() or not secret.isprintable():
        raise Invalid(f"A secret has at most {_SECRET_MAX} printable ASCII characters.", field="secret")
    sealed = seal(secret.encode(), key=settings.SECRETS_KEY, place=_place(sink)) if secret else None
    sink.secret = sealed


def _place(sink: Sink) -> str:
    return f"sink:{sink.public_id}:secret"


def _valid_kind(kind: str, form: str) -> SinkKind:
    if kind not in set(SinkKind):
        raise Invalid("There is no such kind of sink.", field="kind")
    taken = FORMATS[SinkKind(kind)]
    if form not in {each.value for each in taken}:
        names = ", ".join(Format(each).value for each in taken)
        raise Invalid(f"A sink of this kind takes {names}.", field="format")
    return SinkKind(kind)


def _valid_name(name: str) -> str:
    if not name.strip() or len(name) > _NAME_MAX or not name.isprintable():
        raise Invalid(f"Give the sink a name of at most {_NAME_MAX} printable characters.", field="name")
    return name


def _valid_endpoint(kind: SinkKind, endpoint: str) -> str:
    """What can be told without connecting; addresses are judged at every connection."""
    wanted = "tls://host:6514" if kind is SinkKind.SYSLOG_TLS else "an https URL"
    problem = Invalid(f"A sink of this kind needs {wanted}.", field="endpoint")
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
    except ValueError as error:
        raise problem from error
    if parts.scheme not in _SCHEMES[kind] or not parts.hostname or len(endpoint) > _URL_MAX:
        raise problem
    if not endpoint.isprintable() or " " in endpoint or parts.username is not None or parts.password is not None:
        raise Invalid("An endpoint holds no user name, password or space.", field="endpoint")
    if parts.scheme == "http" and not settings.OUTBOUND_ALLOW:
        raise problem
    if parts.scheme == "tls" and (parts.path.strip("/") or parts.query or parts.fragment):
        raise problem
    return endpoint


def _shown(sink: Sink) -> dict[str, Any]:
    """For the log: where to, without the query, which often carries a key."""
    endpoint = urlsplit(sink.endpoint)._replace(query="", fragment="").geturl()
    return {"name": sink.name, "kind": sink.kind, "format": sink.format, "endpoint": endpoint, "state": sink.state}


def _given(secret: str | None) -> dict[str, str]:
    return {} if secret is None else {"secret": "another one" if secret else "none"}


def _record(
    event: Event,
    sink: Sink,
    actor: Actor,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
) -> None:
    record(
        type=RecordType.ADMIN,
        event=event,
        actor=actor,
        subject=subject("sink", sink.name),
        before=before,
        after=after,
        reason=reason,
    )
