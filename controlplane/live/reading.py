"""What the hub reads of the database: once for all who look, in the hub's own thread.

The log is read on by its places, as every cursor does, so nothing is missed that is recorded late.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from django.template.loader import render_to_string
from django.utils import translation

from access.models import ConsoleSession, Person
from access.services import actor_for, live_names
from access.services import standing as standing_of
from audit.events import RecordType
from audit.models import Leaf, Record, Subject
from controlplane.live.rows import TYPES, Row
from core.actor import Actor
from servers.models import Server

WINDOW: Final = 1000  # places that are read at once; of more only the last are
_COLUMNS: Final = tuple(name for name in Row.__dataclass_fields__ if name != "who")
_OF_CALLS: Final = frozenset({*TYPES, RecordType.INTENT.value, RecordType.AUTH.value})


@dataclass(frozen=True, slots=True)
class Batch:
    """What was recorded since: rows oldest first, and whether something else happened that may change counts.

    `skipped`: places that were not looked at, because too many came at once.
    """

    position: int
    rows: tuple[Row, ...] = ()
    has_changes: bool = False
    servers: frozenset[str] = frozenset()
    skipped: int = 0


def head() -> int:
    """The last place of the log."""
    return Leaf.objects.head()


def read_on(after: int) -> Batch:
    """What has its place behind `after`."""
    last = Leaf.objects.head()
    if last <= after:
        return Batch(after)
    start = max(after, last - WINDOW)
    leaves = list(Leaf.objects.after(start).values_list("index", "shard", "record_id")[:WINDOW])
    found: dict[Any, dict[str, Any]] = {}
    for shard in {shard for _index, shard, _id in leaves}:
        ids = [record_id for _index, of, record_id in leaves if of == shard]
        rows = Record.objects.filter(shard=shard, id__in=ids).values(*_COLUMNS)
        found |= {values["id"]: values for values in rows}
    records = [found[record_id] for _index, _shard, record_id in leaves if record_id in found]
    changes = [values for values in records if values["type"] not in _OF_CALLS]
    return Batch(
        position=leaves[-1][0] if leaves else after,
        rows=rows_of(values for values in records if values["type"] in TYPES),
        has_changes=bool(changes),
        servers=frozenset(values["server"] for values in changes if values["server"]),
        skipped=start - after,
    )


def rows_of(records: Iterable[dict[str, Any]]) -> tuple[Row, ...]:
    """Records, as plain values, with the names of their principals."""
    records = list(records)
    names = Subject.objects.shown_names({values["principal"] for values in records})
    return tuple(Row(**values, who=names.get(values["principal"], values["principal"])) for values in records)


def newest(records: Iterable[Record]) -> tuple[Row, ...]:
    """The same of records that a page found."""
    return rows_of({name: getattr(record, name) for name in _COLUMNS} for record in records)


def shown(row: Row, language: str) -> str:
    """A row as the page of calls shows it."""
    with translation.override(language):
        return render_to_string("live/_row.html", {"row": row, "is_new": True})


def standing(sessions: Iterable[tuple[str, str]]) -> dict[str, Actor]:
    """Of sessions, each with its proof, those that go on, with what their people may do now."""
    proofs, suspended, acting = dict(sessions), live_names(), cache(actor_for)
    found = {
        session.session_key: standing_of(
            session.person, proof=proofs[session.session_key], suspended=suspended, acting=acting
        )
        for session in ConsoleSession.objects.live().filter(session_key__in=proofs).select_related("person")
    }
    return {session_key: actor for session_key, actor in found.items() if actor is not None}


def servers_now(slugs: Iterable[str]) -> list[Server]:
    """Servers as they are now."""
    return list(Server.objects.filter(slug__in=slugs))


def health(server: Server, language: str) -> str:
    """A server's state and whether it answers, as its pages show it."""
    with translation.override(language):
        return render_to_string("servers/_health.html", {"server": server})


def proof_of(person: Person) -> str:
    """What a session's person is known by besides its key: it changes with the password."""
    return person.get_session_auth_hash()
