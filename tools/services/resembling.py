"""Linking new definitions to known ones that they resemble, whoever shows them and under whatever name.

All versions that were ever kept are known: of every server and team, retired servers and vanished definitions among
them, and of the same look. A link is a hint to the reviewer. Nothing is freed by one or for want of one, and no failure
here costs the observation. The number of queries grows with the batches, and what is compared is bounded by counts,
so that neither a large surface nor a hostile one takes the time of others.
"""

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final

from django.db import transaction

from servers.models import Server
from tools.likeness import LIKE_FROM, SKETCH_MAX, Features, Likeness, compare, features, sketch
from tools.models import DefinitionVersion, Resemblance, Review, Sketch
from tools.services.knowing import (
    PER_DEFINITION,
    REJECTED,
    Known,
    Shared,
    by_number,
    known_versions,
    most_telling_first,
    of_digests,
)

logger = logging.getLogger(__name__)
LINKS_MAX: Final = 5  # of one review
_BATCH: Final = 500
_COMPARED: Final = (2, 12)  # at least and at most with one new definition
_COMPARED_IN_ALL: Final = 6_000  # in one look, as long as every new definition has its least
_READ_BYTES: Final = 32 * 1024 * 1024  # of known texts for one batch
_ABOUT: Final = 5  # percent within which two versions are about as like
_SAME: Final = Likeness(100, 100, 100, 100)

Bodies = Mapping[int, Mapping[str, Any]]  # parsed texts by a version's primary key
Keys = Mapping[int, list[int]]  # numbers of sketches, likewise
Found = tuple[Likeness, Known]


def sketch_versions(versions: Sequence[DefinitionVersion], bodies: Bodies) -> Keys:
    """Keep a sketch of each version, so that what resembles it later is found; answers the sketches."""
    keys = {version.pk: _sketched(version, bodies[version.pk]) for version in versions}
    rows = [Sketch(version=version, keys=keys[version.pk]) for version in versions]
    _apart("sketches were not kept", partial(Sketch.objects.bulk_create, rows, _BATCH, ignore_conflicts=True))
    return keys


def sketch_old_versions(*, limit: int) -> int:
    """Sketch up to `limit` versions that have no sketch, oldest first; answers how many.

    They are older than sketches are, or theirs could not be kept. What has no text any more never gets one.
    """
    missing = DefinitionVersion.objects.filter(sketch__isnull=True, let_go_at__isnull=True)
    versions = list(missing.order_by("pk")[:limit])
    sketch_versions(versions, {version.pk: json.loads(version.text) for version in versions})
    return len(versions)


def link_resemblances(server: Server, reviews: Sequence[Review], bodies: Bodies, shared: Shared | None = None) -> None:
    """Link the new definitions among `reviews` to known ones that they resemble.

    A review that waits again keeps the links that it has. `shared` is what the look has asked already.
    """
    shared = shared or Shared()
    new = [review for review in reviews if review.base_id is None]
    least, most = _COMPARED
    each = min(most, max(least, _COMPARED_IN_ALL // max(1, len(new))))
    for start in range(0, len(new), _BATCH):
        batch = new[start : start + _BATCH]
        _apart(f"relatives of what {server.slug} shows were not linked", partial(_link, batch, bodies, each, shared))


def _apart(failure: str, work: Callable[[], Any]) -> None:
    """Do `work` in a savepoint: hostile text that finds a defect in it must not cost the observation."""
    try:
        with transaction.atomic():
            work()
    except Exception:
        logger.exception("%s", failure)


def _sketched(version: DefinitionVersion, body: Mapping[str, Any]) -> list[int]:
    try:
        return sketch(body)
    except Exception:
        logger.exception("version %s could not be sketched", version.digest)
        return []  # kept all the same, or this version would be tried for ever


def _link(reviews: Sequence[Review], bodies: Bodies, each: int, shared: Shared) -> None:
    linked = set(Resemblance.objects.filter(review__in=reviews).values_list("review_id", flat=True))
    new = {
        review: bodies.get(review.version_id) or json.loads(review.version.text)
        for review in reviews
        if review.pk not in linked
    }
    keys = _keys(new)
    nearest = _nearest(new, keys, each, shared)
    mine = {review.version_id: body for review, body in new.items()}
    read = _Reading({**bodies, **mine}, chain.from_iterable(nearest.values()))
    rows = [
        _resemblance(review, known, found) for review in new for found, known in _closest(review, nearest[review], read)
    ]
    Resemblance.objects.bulk_create(rows, _BATCH, ignore_conflicts=True)


def _resemblance(review: Review, known: Known, found: Likeness) -> Resemblance:
    return Resemblance(
        review=review,
        known_id=known.pk,
        likeness=found.overall,
        name=found.name,
        wording=found.wording,
        schema=found.schema,
    )


def _keys(new: Mapping[Review, Mapping[str, Any]]) -> dict[Review, list[int]]:
    kept = Sketch.objects.in_bulk([review.version_id for review in new])
    return {
        review: kept[review.version_id].keys if review.version_id in kept else sketch(body)
        for review, body in new.items()
    }


def _nearest(
    new: Iterable[Review], keys: Mapping[Review, Sequence[int]], each: int, shared: Shared
) -> dict[Review, list[Known]]:
    """For each review the known versions that share most with it, of the same few queries for all of them."""
    digests = {review.version.digest for review in new}
    equal: dict[str, list[Known]] = defaultdict(list)
    known = shared.having(chain.from_iterable(keys.values()))
    copies = known_versions(of_digests(digests) - {version.pk for version in known})
    for version in most_telling_first([*known, *copies]):
        if version.digest in digests:
            equal[version.digest].append(version)
    index = by_number(known)
    return {
        review: _nearest_to(review, chain(*(index[key] for key in keys[review])), equal[review.version.digest], each)
        for review in new
    }


def _nearest_to(review: Review, sharing: Iterable[Known], equal: Iterable[Known], each: int) -> list[Known]:
    """At most `each` other definitions' versions, those that share most first.

    Half of the places are kept for what was rejected, or a crowd of harmless copies would hide what was said no to.
    """
    found: dict[int, Known] = {}
    shared: Counter[int] = Counter()
    for known in sharing:
        found[known.pk] = known
        shared[known.pk] += 1
    for known in equal:
        found[known.pk] = known
        shared[known.pk] += SKETCH_MAX
    ordered = sorted(found.values(), key=lambda known: (shared[known.pk], known.rank, known.pk), reverse=True)
    others = list(_few_of_each(known for known in ordered if known.definition_id != review.definition_id))
    rejected = [known for known in others if known.rank == REJECTED][: max(1, each // 2)]
    return [*rejected, *(known for known in others if known not in rejected)][:each]


def _few_of_each(ordered: Iterable[Known]) -> Iterator[Known]:
    taken: Counter[int] = Counter()
    for known in ordered:
        taken[known.definition_id] += 1
        if taken[known.definition_id] <= PER_DEFINITION:
            yield known


class _Reading:
    """Features of known versions. Their texts are read once, and only so many bytes of them."""

    def __init__(self, bodies: Bodies, wanted: Iterable[Known]):
        self._features: dict[int, Features] = {}
        self._bodies = bodies
        asked = {known.pk: known for known in wanted if known.pk not in bodies}
        left, chosen = _READ_BYTES, []
        for known in sorted(asked.values(), key=lambda known: (-known.rank, known.size)):
            left -= known.size
            chosen += [known.pk] if left >= 0 else []
        texts = DefinitionVersion.objects.filter(pk__in=chosen, let_go_at__isnull=True).values_list("pk", "text")
        for pk, text in texts.iterator(chunk_size=50):
            self._features[pk] = features(json.loads(text))

    def of(self, pk: int) -> Features | None:
        """The version's features, unless its text was let go or there was too much to read."""
        if pk not in self._features and pk in self._bodies:
            self._features[pk] = features(self._bodies[pk])
        return self._features.get(pk)


def _closest(review: Review, known: Iterable[Known], read: _Reading) -> list[Found]:
    """At most `LINKS_MAX` definitions, each by the version that is most like, rejected ones before others."""
    best: dict[int, Found] = {}
    for version in known:
        found = _compared(review, version, read)
        if found is None or found.overall < LIKE_FROM:
            continue
        other = best.get(version.definition_id)
        if other is None or _more_telling((found, version), other):
            best[version.definition_id] = (found, version)
    ordered = sorted(best.values(), key=lambda each: (each[1].rank == REJECTED, each[0].overall), reverse=True)
    return ordered[:LINKS_MAX]


def _compared(review: Review, known: Known, read: _Reading) -> Likeness | None:
    """None where nothing can be said: too little text, or none that can be read."""
    if known.digest == review.version.digest:
        return _SAME
    mine, theirs = read.of(review.version_id), read.of(known.pk)
    if mine is None or theirs is None or not (mine.telling and theirs.telling):
        return None
    return compare(mine, theirs)


def _more_telling(found: Found, other: Found) -> bool:
    """Of versions that are about as like, the one that somebody decided about."""
    first, second = ((each[0].overall // _ABOUT, each[1].rank, each[0].overall) for each in (found, other))
    return first > second
