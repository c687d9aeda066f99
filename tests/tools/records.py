"""Records of calls as a gateway writes them, placed in the log; and how their use is counted."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from access.models import Grant, UseCursor
from access.models.uses import USES
from access.rules import Rule
from audit.drafts import RecordDraft, columns, shard_of
from audit.events import Event, RecordType
from audit.models import Record
from audit.services import place_records
from tools.models import Definition
from tools.services import count_uses


def called(grant: Grant, definition: Definition, *, times: int = 1, **fields: Any) -> None:
    """The intents of so many calls of `definition` that `grant` carried."""
    version = definition.observed
    assert version is not None
    says = {
        "type": RecordType.INTENT, "event": Event.CALL_INTENDED, "server": definition.server.slug,
        "kind": definition.kind, "tool": definition.name, "tool_hash": version.digest,
        "rule_ids": (Rule.ALLOW_DEFINITION.value, *named(grant)), **fields,
    }  # fmt: skip
    write(RecordDraft(**draft(says)) for _ in range(times))


def connected(grant: Grant, server: str = "files", **fields: Any) -> None:
    """That the holder of `grant` opened a session."""
    rules = (Rule.ALLOW_CONNECTION.value, *named(grant))
    says = {"type": RecordType.AUTH, "event": Event.CONNECTION_OPENED, "server": server, "rule_ids": rules, **fields}
    write([RecordDraft(**draft(says))])


def named(*grants: Grant) -> tuple[str, ...]:
    """Grants and their roles as records name them."""
    return tuple(name for grant in grants for name in (f"grant:{grant.public_id}", f"role:{grant.role.name}"))


def draft(says: dict[str, Any]) -> dict[str, Any]:
    """What every record of a call has."""
    return {"principal": "agent:bot", "decision": "allowed", "time": timezone.now(), **says}


def write(drafts: Iterable[RecordDraft]) -> None:
    """Put records into the log, each at its place."""
    shard = shard_of(timezone.now())
    rows = [Record(**columns(each, installation=settings.INSTALLATION_ID, shard=shard)) for each in drafts]
    Record.objects.bulk_create(rows)
    place_records()


def counted(*, since: datetime | None = None) -> int:
    """Count what is in the log; as if that had begun at `since`."""
    read = count_uses()
    if since is not None:
        UseCursor.objects.filter(name=USES).update(since=since)
    return read


def days_ago(days: float) -> datetime:
    """A moment in the past."""
    return timezone.now() - timedelta(days=days)


def age(*things: Any, days: float) -> None:
    """Let grants and roles be so old, past what the tables set by themselves."""
    for thing in things:
        names = {field.name for field in thing._meta.fields}
        moments = {name: days_ago(days) for name in ("created_at", "updated_at") if name in names}
        type(thing).objects.filter(pk=thing.pk).update(**moments)
