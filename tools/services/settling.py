"""Giving every definition the review that it needs, and taking away the one that it does not.

Everything that can change what a definition needs ends here, in the same transaction: an observation, a decision, an
approval that is withdrawn, what a class of principals was shown. Reviews compare with the live pin only. Everything is
read and written in bulk: the number of queries does not grow with the number of definitions.
"""

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from django.db.models import Exists, OuterRef
from django.utils import timezone

from audit.events import Event, RecordType
from audit.services import Fact, record_many
from core.actor import Actor
from servers.models import Server
from servers.surface import Kind
from tools.classify import Budget, Change, ChangeClass, Risk, classify, risk_of
from tools.models import Definition, DefinitionVersion, Pin, Review, Sighting, Triage
from tools.rules import POLLER, ReviewState, is_quiet
from tools.services.alarming import alarming
from tools.services.knowing import Shared
from tools.services.recording import fact_of_definition
from tools.services.resembling import link_resemblances

logger = logging.getLogger(__name__)
_BATCH = 500
_CLASSIFY_SECONDS = 20.0  # for all changes of one look together; what is left is judged risky without comparing
_UNREADABLE = Change((ChangeClass.OTHER,), (), Risk.HIGH)
Bodies = Mapping[int, Mapping[str, Any]]  # parsed texts by a version's primary key


@dataclass(slots=True)
class Known:
    """What stands about some definitions, by their primary keys."""

    pins: dict[int, Pin]
    waiting: dict[int, Review]
    against: dict[int, Sighting]

    @classmethod
    def of(cls, definitions: Any) -> Self:
        """Read it for a queryset or list of definitions."""
        pins = Pin.objects.live().filter(definition__in=definitions).select_related("version").defer("version__text")
        waiting = Review.objects.waiting().filter(definition__in=definitions)
        # What somebody rejected already is nobody's to decide now; it must not hide what another class was shown.
        rejections = Review.objects.standing_rejections().filter(version=OuterRef("version"))
        against = Sighting.objects.withholding().filter(definition__in=definitions).annotate(no=Exists(rejections))
        against = against.order_by("-no", "-pk")
        return cls(
            {pin.definition_id: pin for pin in pins},
            {review.definition_id: review for review in waiting},
            {sighting.definition_id: sighting for sighting in against},
        )

    def approves(self, row: Definition, now: datetime) -> bool:
        """Whether what the poller was shown is exactly the pin's version, unexpired."""
        pin = self.pins.get(row.pk)
        if pin is None or pin.version_id != row.observed_id:
            return False
        return pin.expires_at is None or pin.expires_at > now

    def wanted(self, row: Definition, now: datetime) -> tuple[int, str] | None:
        """The version that somebody has to decide about, and who was shown it."""
        if not row.present:
            return None
        if not self.approves(row, now):
            return (row.observed_id, POLLER) if row.observed_id is not None else None
        sighting = self.against.get(row.pk)
        if sighting is None or sighting.version_id is None:
            return None
        return sighting.version_id, sighting.vantage


@dataclass(slots=True)
class Settlement:
    """One go at some definitions of a server, whose row the caller holds locked.

    `bodies` are texts that are parsed already, `shared` what was asked about them. `cause` names the change where the
    texts alone would not say it.
    """

    server: Server
    actor: Actor
    now: datetime
    known: Known
    bodies: Bodies = field(default_factory=dict)
    shared: Shared = field(default_factory=Shared)
    cause: ChangeClass | None = None
    quiet: frozenset[int] = frozenset()  # definitions whose going back and forth elsewhere is recorded already
    facts: list[Fact] = field(default_factory=list)
    given: dict[int, int] = field(default_factory=dict)  # to whom a definition's review was assigned that closed now

    def is_quiet(self, row: Definition) -> bool:
        """Whether a definition's reviews come and go so often that their records would only fill the log."""
        return row.pk in self.quiet or is_quiet(row.moves)

    def note(self, event: Event, row: Definition, digest: str, **columns: Any) -> None:
        """Note `event` about a definition; all of them are recorded together, at the end."""
        about = {"server": self.server, "actor": self.actor, "kind": row.kind, "name": row.name, "digest": digest}
        self.facts.append(fact_of_definition(event, **about, **columns))  # type: ignore[arg-type]  # a TypedDict's keys


def settle_definition(row: Definition, *, server: Server, actor: Actor, cause: ChangeClass | None = None) -> None:
    """Settle one definition after a decision about it. The caller holds the locks and bumps the revision."""
    settle(Settlement(server, actor, timezone.now(), Known.of([row]), cause=cause), [row])


def open_again(row: Definition, rejected: Review, *, server: Server, actor: Actor) -> Review | None:
    """Let what was rejected wait once more, if it is still what has to be decided; None: it is not.

    No written policy decides it: a person said no to it. The caller holds the locks, records it and bumps the revision.
    """
    s = Settlement(server, actor, timezone.now(), Known.of([row]))
    asked = (row, rejected.version_id, rejected.vantage)
    if asked[1:] != s.known.wanted(row, s.now) or row.pk in s.known.waiting:
        return None
    review = _review(s, asked, _versions(s, [asked]), Budget(_CLASSIFY_SECONDS), _alarming(s, [asked]))
    if review.base_id == rejected.base_id:
        review.change, review.risk = rejected.change, rejected.risk  # as it was said then: withdrawn, for example
    review.reopens = rejected
    review.save()
    link_resemblances(server, [review], {})
    return review


def settle(s: Settlement, rows: Sequence[Definition]) -> list[Review]:
    """Bring the reviews of `rows` in line with what they need, and record what was noted on the way.

    Answers those that came to wait.
    """
    wanted = {row.pk: s.known.wanted(row, s.now) for row in rows}
    _supersede(s, [row for row in rows if row.pk in s.known.waiting and not _still_meant(s, row, wanted[row.pk])])
    asked = _not_rejected([(row, *want) for row in rows if (want := wanted[row.pk]) and row.pk not in s.known.waiting])
    opened = _open(s, asked)
    record_many(s.facts)
    s.facts.clear()
    link_resemblances(s.server, opened, s.bodies, s.shared)
    return opened


def _still_meant(s: Settlement, row: Definition, wanted: tuple[int, str] | None) -> bool:
    review, pin = s.known.waiting[row.pk], s.known.pins.get(row.pk)
    return (review.version_id, review.vantage) == wanted and review.base_id == (pin.version_id if pin else None)


def _supersede(s: Settlement, rows: Iterable[Definition]) -> None:
    """Close the waiting reviews of `rows`: they are not about what has to be decided now."""
    closing = [(row, s.known.waiting.pop(row.pk)) for row in rows]
    Review.objects.filter(pk__in=[review.pk for _, review in closing]).update(
        state=ReviewState.SUPERSEDED.value, closed_at=s.now
    )
    s.given.update(Triage.objects.assigned(review for _, review in closing) if closing else {})
    for row, review in closing:
        if not s.is_quiet(row):
            after = {"review": str(review.public_id)}
            s.note(Event.REVIEW_SUPERSEDED, row, _digest_of(row), type=RecordType.REVIEW, after=after)


def _digest_of(row: Definition) -> str:
    return row.observed.digest if row.observed else ""


Asked = tuple[Definition, int, str]  # a definition, the version to decide about, and who was shown it


def _not_rejected(asked: Sequence[Asked]) -> list[Asked]:
    """Nobody is asked again about what somebody rejected, until it is opened again."""
    rejections = Review.objects.standing_rejections().filter(version_id__in=[version for _, version, _ in asked])
    rejected = set(rejections.values_list("version_id", flat=True))
    return [each for each in asked if each[1] not in rejected]


def _open(s: Settlement, asked: Sequence[Asked]) -> list[Review]:
    """Let a review wait for each of `asked`: an undecided one about the very same comparison again, else a new one."""
    versions = _versions(s, asked)
    budget = Budget(_CLASSIFY_SECONDS)
    alarms = _alarming(s, asked)
    meant = [_review(s, each, versions, budget, alarms) for each in asked]
    again, fresh = _folded(meant)
    Review.objects.bulk_update(again, ["state", "closed_at", "times"], _BATCH)
    opened = [*again, *Review.objects.bulk_create(fresh, batch_size=_BATCH)]
    _hand_on(s, again, fresh)
    for review in opened:
        if review.times > 1 and s.is_quiet(review.definition):
            continue
        after = {"review": str(review.public_id), "change": review.change, "risk": review.risk, "times": review.times}
        if review.change == [ChangeClass.EXPIRED.value]:
            s.note(Event.PIN_EXPIRED, review.definition, review.version.digest)
        s.note(Event.REVIEW_OPENED, review.definition, review.version.digest, type=RecordType.REVIEW, after=after)
    return opened


def _hand_on(s: Settlement, again: Sequence[Review], fresh: Sequence[Review]) -> None:
    """Who looked at what a definition showed before looks at what it shows now; nothing that is new is put off."""
    if again:
        Triage.objects.wake(again)
    known = [review for review in fresh if review.definition_id in s.given]
    Triage.objects.bulk_create(Triage(review=review, assignee_id=s.given[review.definition_id]) for review in known)


def _versions(s: Settlement, asked: Sequence[Asked]) -> dict[int, DefinitionVersion]:
    """What is decided about and what it is compared with; texts that were just read are not read again."""
    bases = {s.known.pins[row.pk].version_id for row, _, _ in asked if row.pk in s.known.pins}
    ids = {version for _, version, _ in asked} | bases
    at_hand = DefinitionVersion.objects.defer("text").in_bulk(ids & s.bodies.keys())
    return at_hand | DefinitionVersion.objects.in_bulk(ids - s.bodies.keys())


def _folded(meant: Sequence[Review]) -> tuple[list[Review], list[Review]]:
    """Reviews that wait once more instead of being opened anew, and those that are new."""
    earlier = Review.objects.filter(
        version__in=[review.version_id for review in meant],
        state=ReviewState.SUPERSEDED.value,
        decisions__isnull=True,
    ).order_by("pk")
    known = {_comparison(review): review for review in earlier}
    again, fresh = [], []
    for review in meant:
        before = known.get(_comparison(review))
        if before is None:
            fresh.append(review)
            continue
        before.definition, before.version, before.base = review.definition, review.version, review.base
        before.state, before.closed_at, before.times = ReviewState.WAITING.value, None, before.times + 1
        again.append(before)
    return again, fresh


def _comparison(review: Review) -> tuple[Any, ...]:
    return review.version_id, review.base_id, review.vantage, review.required_approvals, tuple(review.change)


def _alarming(s: Settlement, asked: Sequence[Asked]) -> set[int]:
    return alarming(
        {version: s.known.pins[row.pk].version if row.pk in s.known.pins else None for row, version, _ in asked}
    )


def _review(
    s: Settlement,
    asked: Asked,
    versions: Mapping[int, DefinitionVersion],
    budget: Budget,
    alarms: Collection[int],
) -> Review:
    row, version_id, vantage = asked
    pin = s.known.pins.get(row.pk)
    base = versions[pin.version_id] if pin else None
    classes = _classes(s, row, versions[version_id], base, budget)
    if vantage != POLLER:
        classes |= {ChangeClass.SHOWN_DIFFERENTLY}
    return Review(
        definition=row,
        version=versions[version_id],
        base=base,
        vantage=vantage,
        change=sorted(cls.value for cls in classes),
        risk=(Risk.HIGH if version_id in alarms else risk_of(classes)).value,
        required_approvals=s.server.required_approvals,
        opened_at=s.now,
    )


def _classes(
    s: Settlement, row: Definition, version: DefinitionVersion, base: DefinitionVersion | None, budget: Budget
) -> set[ChangeClass]:
    if base is not None and base.pk == version.pk:
        return {ChangeClass.EXPIRED}
    if base is None and s.cause is not None:
        return {s.cause}
    try:
        before = _body(s, base) if base is not None else None
        return set(classify(Kind(row.kind), before, _body(s, version), budget=budget).classes)
    except Exception:
        # A defect that hostile text found must not keep the change from being held; it is said to be risky.
        logger.exception("a change of definition %s could not be classified", row.public_id)
        return set(_UNREADABLE.classes)


def _body(s: Settlement, version: DefinitionVersion) -> Mapping[str, Any]:
    found = s.bodies.get(version.pk)
    return found if found is not None else json.loads(version.text)
