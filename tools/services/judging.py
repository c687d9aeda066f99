"""What is known of changes that a written rule may judge, read in bulk, as it was at one time.

The rules are `tools.policies`'; here are the facts. Nothing is decided.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import Exists, OuterRef

from servers.surface import Kind
from tools.classify import Budget, ChangeClass
from tools.measure import NOTHING, Measured, measure
from tools.models import DefinitionVersion, Pin, PolicyRevision, Review, ReviewDecision, Sighting
from tools.policies import Candidate, Reason, Rule
from tools.rules import POLLER, PinEnd, ReviewState, Verdict, is_quiet

logger = logging.getLogger(__name__)
_AT_ONCE: Final = 50  # reviews whose texts are in memory together
_When = datetime | None
_PIN_COLUMNS = (
    "definition_id", "version_id", "review_id", "set_at", "expires_at", "ended_at", "ended_reason", "returned_by_id",
)  # fmt: skip


class _Pinned(NamedTuple):
    """A pin. `by_people`: a person approved it, not only a rule."""

    definition: int
    version: int
    review: int
    set_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None
    ended_reason: str
    returned_by: int | None
    by_people: bool

    def lives(self, at: datetime) -> bool:
        """Whether it stood when a look at `at` began; what that look itself replaced did."""
        return self.set_at <= at and (self.ended_at is None or self.ended_at >= at)


@dataclass(frozen=True, slots=True)
class Case:
    """A review with what is known of it. `until`: when the first approval that it would follow ends."""

    review: Review
    candidate: Candidate
    anchor_id: int | None = None
    until: datetime | None = None


@dataclass(slots=True)
class _Known:
    """What stands about some reviews."""

    pins: dict[int, list[_Pinned]] = field(default_factory=lambda: defaultdict(list))
    found: set[int] = field(default_factory=set)
    digests: dict[str, _When] = field(default_factory=dict)  # rejected, first when
    definitions: dict[int, _When] = field(default_factory=dict)  # with a standing rejection, first when
    withdrawn: dict[str, _When] = field(default_factory=dict)
    contradicted: set[int] = field(default_factory=set)  # definitions


def rule_of(revision: PolicyRevision) -> Rule:
    """The rule as the pure module has it. A class that this version does not know is nobody's to grant."""
    return Rule(
        classes=frozenset(cls for cls in ChangeClass if cls.value in revision.classes),
        environments=frozenset(revision.environments),
        kinds=frozenset(revision.kinds),
        servers=frozenset(revision.servers),
        text_max=revision.text_max,
    )


def cases(reviews: Sequence[Review], *, now: datetime | None = None) -> list[Case]:
    """What is known of `reviews`, without the texts; without `now`, what was known of each when it came to wait.

    The reviews come with definition, server and version. The number of queries does not grow with them.
    """
    known = _known(reviews)
    if now is None:
        return [_case(review, known, review.opened_at, frozenset()) for review in reviews]
    return [_case(review, known, now, _present(review, known)) for review in reviews]


def _present(review: Review, known: _Known) -> frozenset[Reason]:
    """What speaks against a change now and is not kept for later."""
    restless = {Reason.RESTLESS} if is_quiet(review.definition.moves) else set()
    return frozenset(restless | ({Reason.SHOWN_DIFFERENTLY} if review.definition_id in known.contradicted else set()))


def measured(found: Iterable[Case], budget: Budget) -> Iterator[Case]:
    """The same with the texts compared, in order; once `budget` is spent, nothing is compared any more."""
    rows = list(found)
    for start in range(0, len(rows), _AT_ONCE):
        chunk = rows[start : start + _AT_ONCE]
        texts = _texts(chunk) if not budget.is_spent else {}
        for case in chunk:
            yield _measured(case, texts, budget)


def _known(reviews: Sequence[Review]) -> _Known:
    versions = [review.version_id for review in reviews]
    definitions = {review.definition_id for review in reviews}
    digests = {review.version.digest for review in reviews}
    known = _Known()
    by_people = ReviewDecision.objects.filter(
        review=OuterRef("review"), person__isnull=False, verdict=Verdict.APPROVE.value
    )
    pins = Pin.objects.filter(definition__in=definitions).order_by("pk").annotate(by_people=Exists(by_people))
    for row in pins.values_list(*_PIN_COLUMNS, "by_people"):
        known.pins[row[0]].append(_Pinned(*row))
    alarming = DefinitionVersion.objects.alarming().filter(pk__in=versions)
    known.found = set(alarming.order_by().values_list("pk", flat=True))
    rejected = Review.objects.filter(state=ReviewState.REJECTED.value).order_by("-pk")
    # Newest first, so that of each the first one stays.
    known.digests.update(rejected.filter(version__digest__in=digests).values_list("version__digest", "closed_at"))
    standing = Review.objects.standing_rejections().filter(definition__in=definitions).order_by("-pk")
    known.definitions.update(standing.values_list("definition_id", "closed_at"))
    withdrawn = Pin.objects.filter(ended_reason=PinEnd.WITHDRAWN.value, version__digest__in=digests).order_by("-pk")
    known.withdrawn.update(withdrawn.values_list("version__digest", "ended_at"))
    against = Sighting.objects.withholding().filter(definition__in=definitions)
    known.contradicted = set(against.values_list("definition_id", flat=True))
    return known


def _case(review: Review, known: _Known, at: datetime, present: frozenset[Reason]) -> Case:
    definition, digest = review.definition, review.version.digest
    pins = [pin for pin in known.pins.get(definition.pk, ()) if pin.set_at <= at and pin.review != review.pk]
    live, anchor = _pinned(pins, at)
    # What was decided at a time speaks against what came after it, so that history is judged as it was.
    before = {
        Reason.REJECTED: [known.digests.get(digest), known.definitions.get(definition.pk)],
        Reason.WITHDRAWN: [known.withdrawn.get(digest)],
    }
    speaks = {
        Reason.NO_BASE: live is None or anchor is None or review.base_id != live.version or review.vantage != POLLER,
        Reason.EXPIRED: _runs_out(live, at) or _runs_out(anchor, at),
        Reason.ENVIRONMENT_CHANGED: _is_from_elsewhere(anchor, definition.server.environment_changed_at),
        Reason.RETURNED: live is not None and live.returned_by is not None,
        Reason.FINDING: review.version_id in known.found,
        **{reason: any(when is not None and when <= at for when in times) for reason, times in before.items()},
    }
    candidate = Candidate(
        kind=definition.kind,
        server=definition.server.slug,
        environment=definition.server.environment,
        change=_classes(review.change),
        against=present | {reason for reason, does in speaks.items() if does},
    )
    ends = [pin.expires_at for pin in (live, anchor) if pin is not None and pin.expires_at is not None]
    return Case(review, candidate, anchor.version if anchor else None, min(ends, default=None))


def _pinned(pins: Sequence[_Pinned], at: datetime) -> tuple[_Pinned | None, _Pinned | None]:
    """The live pin, and the newest one that people approved, unless they took that approval back."""
    live = next((pin for pin in reversed(pins) if pin.lives(at)), None)
    anchor = next((pin for pin in reversed(pins) if pin.by_people), None)
    stands = anchor is not None and (anchor.lives(at) or anchor.ended_reason == PinEnd.REPLACED.value)
    return live, anchor if stands else None


def _is_from_elsewhere(anchor: _Pinned | None, changed_at: datetime | None) -> bool:
    """Whether people last approved it for another environment; of history only the last such change is known."""
    return anchor is not None and changed_at is not None and anchor.set_at <= changed_at


def _runs_out(pin: _Pinned | None, at: datetime) -> bool:
    return pin is not None and pin.expires_at is not None and pin.expires_at <= at


def _classes(values: Sequence[str]) -> frozenset[ChangeClass]:
    """An unknown class makes the whole change unknown."""
    names = {cls.value: cls for cls in ChangeClass}
    return frozenset(names.get(value, ChangeClass.OTHER) for value in values)


def _texts(found: Sequence[Case]) -> dict[int, str]:
    wanted = {pk for case in found for pk in (case.review.version_id, case.review.base_id, case.anchor_id) if pk}
    return dict(DefinitionVersion.objects.filter(pk__in=wanted).values_list("pk", "text"))


def _measured(case: Case, texts: Mapping[int, str], budget: Budget) -> Case:
    after, bases = texts.get(case.review.version_id), (case.review.base_id, case.anchor_id)
    if budget.is_spent or not after or not all(texts.get(pk or 0) for pk in bases):
        return case  # not measured, so declined
    kind = Kind(case.candidate.kind)
    try:
        new = json.loads(after)
        known: dict[int, Measured] = {case.review.version_id: NOTHING}
        for pk in bases:
            if pk is not None and pk not in known:
                known[pk] = measure(kind, _body(texts[pk]), new, budget=budget)
    except Exception:
        # A defect that hostile text found: the change stays with people, and the other changes are still judged.
        logger.exception("a change of definition %s could not be measured", case.review.definition.public_id)
        return case
    steps = tuple(known[pk] for pk in bases if pk is not None)
    return replace(case, candidate=replace(case.candidate, steps=steps))


def _body(text: str) -> Mapping[str, Any]:
    body: Mapping[str, Any] = json.loads(text)
    return body
