"""Comparing a complete observation with the pins, and with nothing else.

A definition leaves quarantine by a decision or by being byte for byte what was approved; what was seen last plays
no part in it, so no sequence of observations frees anything. Everything is read and written in bulk: the number of
queries does not grow with the number of definitions, except for the audit records of those that changed.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from audit.events import Event, RecordType
from audit.services import Fact, record_many
from core.actor import Actor
from servers.models import Observation, Server
from tools import scanner
from tools.classify import Change, ChangeClass, Risk, classify, risk_of
from tools.look import Key, Look, Seen
from tools.models import Definition, DefinitionVersion, Finding, Pin, Review
from tools.rules import ReviewState
from tools.services.recording import fact_of_definition

logger = logging.getLogger(__name__)
VersionKey = tuple[int, str]  # a definition's primary key and a digest
_BATCH = 500
_UNREADABLE = Change((ChangeClass.OTHER,), (), Risk.HIGH)
_EXPIRED = Change((ChangeClass.EXPIRED,), (), risk_of([ChangeClass.EXPIRED]))


@dataclass(slots=True)
class _Comparison:
    """One look beside what we knew of the server's definitions before it."""

    server: Server
    look: Look
    actor: Actor
    now: datetime
    definitions: dict[Key, Definition]
    pins: dict[int, Pin]
    waiting: dict[int, Review]
    facts: list[Fact] = field(default_factory=list)
    fresh: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)  # observed another version than last time, or back again

    def seen(self, row: Definition) -> Seen:
        """What the look holds of a definition."""
        return self.look.seen[row.kind, row.name]

    def note(self, event: Event, row: Definition, **columns: Any) -> None:
        """Note `event` about a definition; all of them are recorded together, at the end of the transaction."""
        digest = row.observed.digest if row.observed else ""
        self.facts.append(
            fact_of_definition(
                event, server=self.server, actor=self.actor, kind=row.kind, name=row.name, digest=digest, **columns
            )
        )


def surface_unchanged(server: Server, vantage: str, look: Look, now: datetime) -> bool:
    """Whether this is what the last complete observation saw and every held definition has its review."""
    last = Observation.objects.filter(server=server, vantage=vantage, complete=True).order_by("-time", "-id")
    if last.values_list("surface_digest", flat=True).first() != look.surface_digest:
        return False
    return not Definition.objects.filter(server=server).unsettled(now=now).exists()


def compare(*, server: Server, look: Look, actor: Actor, now: datetime) -> tuple[int, bool]:
    """Bring definitions and reviews in line with `look`.

    Answers how many reviews were opened and whether what is served may have changed. The caller holds the lock on
    the server's row.
    """
    comparison = _begin(server, look, actor, now)
    _create_missing(comparison)
    _move_to_observed(comparison)
    gone = _let_go(comparison)
    opened = _settle(comparison)
    record_many(comparison.facts)
    return opened, bool(comparison.moved or gone)


def _begin(server: Server, look: Look, actor: Actor, now: datetime) -> _Comparison:
    definitions = Definition.objects.filter(server=server).select_related("observed").defer("observed__text")
    pins = Pin.objects.live().filter(definition__server=server).select_related("version").defer("version__text")
    waiting = Review.objects.of_server(server).waiting()
    return _Comparison(
        server,
        look,
        actor,
        now,
        definitions={(row.kind, row.name): row for row in definitions},
        pins={pin.definition_id: pin for pin in pins},
        waiting={review.definition_id: review for review in waiting},
    )


def _create_missing(c: _Comparison) -> None:
    missing = [
        Definition(server=c.server, kind=kind, name=name, first_seen=c.now, last_seen=c.now)
        for kind, name in c.look.seen
        if (kind, name) not in c.definitions
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
    versions = _versions({(row.pk, c.seen(row).digest): c.seen(row) for row in changed})
    for row in changed:
        row.observed = versions[row.pk, c.seen(row).digest]
        row.present, row.vanished_at, row.last_seen = True, None, c.now
    Definition.objects.bulk_update(changed, ["observed", "present", "vanished_at", "last_seen"], _BATCH)
    c.moved = {row.pk for row in changed}


def _versions(wanted: Mapping[VersionKey, Seen]) -> dict[VersionKey, DefinitionVersion]:
    """The version rows of what was observed: one per distinct digest, however often a server goes back and forth."""
    known = DefinitionVersion.objects.filter(
        definition_id__in=[pk for pk, _ in wanted], digest__in=[digest for _, digest in wanted]
    ).defer("text")
    found = {(version.definition_id, version.digest): version for version in known}
    new = [
        DefinitionVersion(definition_id=pk, digest=digest, text=seen.text)
        for (pk, digest), seen in wanted.items()
        if (pk, digest) not in found
    ]
    for version in DefinitionVersion.objects.bulk_create(new, batch_size=_BATCH):
        found[version.definition_id, version.digest] = version
    _scan(new, wanted)
    return found


def _scan(versions: Iterable[DefinitionVersion], seen: Mapping[VersionKey, Seen]) -> None:
    findings = [
        Finding(
            version=version,
            rule=found.rule,
            severity=found.severity.value,
            confidence=found.confidence.value,
            field=found.field,
            evidence=found.evidence,
        )
        for version in versions
        for found in _found(version, seen[version.definition_id, version.digest])
    ]
    Finding.objects.bulk_create(findings, batch_size=_BATCH)


def _found(version: DefinitionVersion, seen: Seen) -> Iterable[scanner.Found]:
    try:
        return scanner.scan(seen.item.body)
    except Exception:
        # As in `_change`: what could not be scanned says so, and is held all the same.
        logger.exception("version %s could not be scanned", version.digest)
        return (scanner.NOT_SCANNED,)


def _let_go(c: _Comparison) -> list[Definition]:
    """Note what is no longer listed. Its pin stays: back unchanged, it is served again."""
    gone = [row for key, row in c.definitions.items() if row.present and key not in c.look.seen]
    Definition.objects.filter(pk__in=[row.pk for row in gone]).update(present=False, vanished_at=c.now)
    _supersede(c, [row for row in gone if row.pk in c.waiting])
    for row in gone:
        c.note(Event.TOOL_VANISHED, row)
    return gone


def _settle(c: _Comparison) -> int:
    """Give every definition the review it needs and take away the one it does not; answers how many were opened."""
    present = [c.definitions[key] for key in c.look.seen]
    approved = {row.pk for row in present if _is_approved(row, c.pins.get(row.pk), c.now)}
    outdated = [
        row
        for row in present
        if row.pk in c.waiting and (row.pk in approved or c.waiting[row.pk].version_id != row.observed_id)
    ]
    _supersede(c, outdated)
    for row in present:
        if row.pk in c.moved:
            _note_movement(c, row, approved=row.pk in approved)
    return _open_reviews(c, [row for row in present if row.pk not in approved and row.pk not in c.waiting])


def _is_approved(row: Definition, pin: Pin | None, now: datetime) -> bool:
    return pin is not None and pin.version_id == row.observed_id and (pin.expires_at is None or pin.expires_at > now)


def _note_movement(c: _Comparison, row: Definition, *, approved: bool) -> None:
    pin = c.pins.get(row.pk)
    if approved:
        c.note(Event.TOOL_RESTORED, row)
    elif pin is not None and pin.version_id != row.observed_id:
        c.note(Event.TOOL_DRIFTED, row, before={"digest": pin.version.digest})
    elif row.pk in c.fresh:
        c.note(Event.TOOL_APPEARED, row)


def _supersede(c: _Comparison, rows: list[Definition]) -> None:
    """Close the waiting reviews of `rows`: what they were about is no longer what the server shows."""
    closing = [(row, c.waiting.pop(row.pk)) for row in rows]
    Review.objects.filter(pk__in=[review.pk for _, review in closing]).update(
        state=ReviewState.SUPERSEDED.value, closed_at=c.now
    )
    for row, review in closing:
        after = {"review": str(review.public_id)}
        c.note(Event.REVIEW_SUPERSEDED, row, type=RecordType.REVIEW, after=after)


def _open_reviews(c: _Comparison, rows: list[Definition]) -> int:
    """Open a review for each of `rows` whose observed version nobody has rejected yet."""
    observed = [row.observed_id for row in rows]
    rejections = Review.objects.filter(version_id__in=observed, state=ReviewState.REJECTED.value)
    rejected = set(rejections.values_list("version_id", flat=True))
    asked = [row for row in rows if row.observed_id not in rejected]
    bases = _texts(c.pins[row.pk] for row in asked if row.pk in c.pins)
    reviews = Review.objects.bulk_create([_review(c, row, bases) for row in asked], batch_size=_BATCH)
    for row, review in zip(asked, reviews, strict=True):
        after = {"review": str(review.public_id), "change": review.change, "risk": review.risk}
        c.note(Event.REVIEW_OPENED, row, type=RecordType.REVIEW, after=after)
    return len(reviews)


def _texts(pins: Iterable[Pin]) -> dict[int, str]:
    ids = [pin.version_id for pin in pins]
    return dict(DefinitionVersion.objects.filter(pk__in=ids).values_list("pk", "text"))


def _review(c: _Comparison, row: Definition, bases: Mapping[int, str]) -> Review:
    pin = c.pins.get(row.pk)
    change = _change(row, c.seen(row), pin, bases)
    return Review(
        definition=row,
        version=row.observed,
        base_id=pin.version_id if pin else None,
        change=[cls.value for cls in change.classes],
        risk=change.risk.value,
        required_approvals=c.server.required_approvals,
        opened_at=c.now,
    )


def _change(row: Definition, seen: Seen, pin: Pin | None, bases: Mapping[int, str]) -> Change:
    if pin is not None and pin.version_id == row.observed_id:
        return _EXPIRED
    try:
        before = json.loads(bases[pin.version_id]) if pin else None
        return classify(seen.item.kind, before, seen.item.body)
    except Exception:
        # A defect that hostile text found must not keep the change from being held; it is said to be risky.
        logger.exception("a change of definition %s could not be classified", row.public_id)
        return _UNREADABLE
