"""Comparing a complete observation with what is stored of a server's definitions.

What the poller is shown moves `observed`; everything that follows from it is `settling`'s, which compares with the
pins and with nothing else. So no sequence of observations frees anything. Everything is read and written in bulk: the
number of queries does not grow with the number of definitions, except for the audit records of those that changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from audit.events import Event
from core.actor import Actor
from servers.models import Observation, Server
from tools.look import Key, Look, Seen
from tools.models import Definition, DefinitionVersion, Sighting
from tools.rules import NAMES_KEPT, is_quiet, says_flapping
from tools.services.applying import apply_policies
from tools.services.keeping import let_texts_go
from tools.services.settling import Known, Settlement, settle
from tools.services.versioning import VersionKey, full_today, versions_of

_BATCH = 500
_DAY: Final = timedelta(days=1)


@dataclass(slots=True)
class _Comparison:
    """One look beside what we knew of the server's definitions before it."""

    server: Server
    look: Look
    now: datetime
    definitions: dict[Key, Definition]
    settlement: Settlement
    fresh: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)  # observed another version than last time, or back again
    unseen: frozenset[int] = frozenset()  # known so far only from what agents were shown

    def seen(self, row: Definition) -> Seen:
        """What the look holds of a definition."""
        return self.look.seen[row.kind, row.name]

    def note(self, event: Event, row: Definition, **columns: Any) -> None:
        """Note `event` about a definition as it is observed now."""
        digest = row.observed.digest if row.observed else ""
        loud = event is Event.TOOL_DRIFTED and is_new_form(row.observed, self.now)
        note_move(self.settlement, event, row, digest, counted=row, loud=loud, **columns)


def count_move(row: Definition | Sighting, now: datetime) -> None:
    """Count one change of what the poller, or a class, is shown; the count of another day is forgotten."""
    if now - row.moves_since > _DAY:
        row.moves, row.moves_since = 0, now
    row.moves += 1


def is_new_form(version: DefinitionVersion | None, now: datetime) -> bool:
    """Whether this look, which began to be compared at `now`, is the first to show a version."""
    return version is not None and version.first_seen >= now


def note_move(
    settlement: Settlement,
    event: Event,
    row: Definition,
    digest: str,
    *,
    counted: Definition | Sighting,
    loud: bool = False,
    **columns: Any,
) -> None:
    """Note `event` about a definition, unless what was `counted` is so often that the log would be full of it.

    What is `loud` is always noted: a form that was never seen before, of which there are only so many in a day.
    """
    if says_flapping(counted.moves) and not loud:
        approved = event in (Event.TOOL_RESTORED, Event.TOOL_SHOWN_ALIKE)
        said = {"moves": counted.moves, "since": counted.moves_since.isoformat(), "approved": approved}
        event, columns = Event.TOOL_FLAPPING, {"after": {**columns.get("after", {}), **said}}
    elif is_quiet(counted.moves) and not loud:
        return
    settlement.note(event, row, digest, **columns)


def surface_unchanged(server: Server, vantage: str, look: Look, now: datetime) -> bool:
    """Whether this is what the last complete observation saw and every held definition has its review."""
    last = Observation.objects.filter(server=server, vantage=vantage, complete=True).order_by("-time", "-id")
    if last.values_list("surface_digest", flat=True).first() != look.surface_digest:
        return False
    definitions = Definition.objects.filter(server=server)
    return definitions.filter(present=True).count() == len(look.seen) and not definitions.unsettled(now=now).exists()


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of a look: reviews that came to wait, whether what is served may have changed, names not kept."""

    opened: int = 0
    served_changed: bool = False
    unkept: int = 0


def compare(*, server: Server, look: Look, actor: Actor, now: datetime) -> Compared:
    """Bring definitions and reviews in line with `look`. The caller holds the lock on the server's row."""
    comparison = _begin(server, look, actor, now)
    _create_missing(comparison)
    _move_to_observed(comparison)
    gone = _let_go(comparison)
    _note_movements(comparison, gone)
    opened = settle(comparison.settlement, list(comparison.definitions.values()))
    approved = apply_policies(server=server, reviews=opened, now=now)
    let_texts_go(comparison.moved - comparison.fresh, now=now)
    changed = bool(comparison.moved or gone or opened)
    return Compared(len(opened) - approved, changed, len(look.seen) - len(comparison.look.seen))


def _begin(server: Server, look: Look, actor: Actor, now: datetime) -> _Comparison:
    rows = list(Definition.objects.filter(server=server).select_related("observed").defer("observed__text"))
    known = Known.of(Definition.objects.filter(server=server))
    return _Comparison(
        server,
        look,
        now,
        definitions={(row.kind, row.name): row for row in rows},
        settlement=Settlement(server, actor, now, known, bodies={}),
        unseen=frozenset(row.pk for row in rows if row.observed_id is None and not row.present),
    )


def _create_missing(c: _Comparison) -> None:
    """Rows for names that are new. A server that invents new ones without end gets no more: unknown is denied."""
    new = [key for key in c.look.seen if key not in c.definitions]
    kept = new[: max(0, NAMES_KEPT - len(c.definitions))]
    beyond = set(new[len(kept) :])
    c.look = replace(c.look, seen={key: seen for key, seen in c.look.seen.items() if key not in beyond})
    missing = [
        Definition(server=c.server, kind=kind, name=name, first_seen=c.now, last_seen=c.now) for kind, name in kept
    ]
    for row in Definition.objects.bulk_create(missing, batch_size=_BATCH):
        c.definitions[row.kind, row.name] = row
        c.fresh.add(row.pk)


def _move_to_observed(c: _Comparison) -> None:
    changed = [
        row
        for key, row in c.definitions.items()
        if key in c.look.seen and not (row.present and row.observed and row.observed.digest == c.seen(row).digest)
    ]
    for row in changed:
        if row.pk not in c.fresh:
            count_move(row, c.now)
    versions = _versions(c, {(row.pk, c.seen(row).digest): row for row in changed})
    for row in changed:
        row.observed = versions.get((row.pk, c.seen(row).digest))
        row.present, row.vanished_at, row.last_seen = True, None, c.now
    fields = ["observed", "present", "vanished_at", "last_seen", "moves", "moves_since"]
    Definition.objects.bulk_update(changed, fields, _BATCH)
    c.moved = {row.pk for row in changed}


def _versions(c: _Comparison, wanted: Mapping[VersionKey, Definition]) -> dict[VersionKey, DefinitionVersion]:
    """The version rows of what was observed.

    A definition that has had many new forms today gets no more of them: it stays held without one, until it is calm.
    """
    full = full_today({pk for pk, _ in wanted}, c.now)
    kept = versions_of(
        {key: c.seen(row) for key, row in wanted.items()}, refused={key for key in wanted if key[0] in full}
    )
    c.settlement.bodies, c.settlement.shared = kept.bodies, kept.shared
    return kept.rows


def _let_go(c: _Comparison) -> list[Definition]:
    """Note what is no longer listed. Its pin stays: back unchanged, it is served again."""
    gone = [row for key, row in c.definitions.items() if row.present and key not in c.look.seen]
    Definition.objects.filter(pk__in=[row.pk for row in gone]).update(present=False, vanished_at=c.now)
    for row in gone:
        row.present, row.vanished_at = False, c.now
    return gone


def _note_movements(c: _Comparison, gone: Iterable[Definition]) -> None:
    for row in gone:
        c.note(Event.TOOL_VANISHED, row)
    for key in c.look.seen:
        row = c.definitions[key]
        if row.pk in c.moved:
            _note_movement(c, row)


def _note_movement(c: _Comparison, row: Definition) -> None:
    known = c.settlement.known
    pin = known.pins.get(row.pk)
    if known.approves(row, c.now):
        c.note(Event.TOOL_RESTORED, row)
    elif pin is not None and pin.version_id != row.observed_id:
        c.note(Event.TOOL_DRIFTED, row, before={"digest": pin.version.digest})
    elif row.pk in c.fresh or row.pk in c.unseen:
        c.note(Event.TOOL_APPEARED, row)
