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
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import F, Func, IntegerField

from servers.models import Server
from tools.likeness import LIKE_FROM, SKETCH_MAX, Features, Likeness, compare, features, sketch
from tools.models import Definition, DefinitionVersion, Pin, Resemblance, Review, Sketch

logger = logging.getLogger(__name__)
LINKS_MAX: Final = 5  # of one review
_BATCH: Final = 500
_KNOWN_MAX: Final = 10_000  # versions that are considered for one batch, the most telling first
_SHARING_ANY_MAX: Final = 50_000  # versions of which it is asked how telling they are
_SHARING_MAX: Final = 32  # of them, for one number of a sketch
_PER_DEFINITION: Final = 2  # versions of one known definition that are compared with one new one
_COMPARED: Final = (2, 12)  # at least and at most with one new definition
_COMPARED_IN_ALL: Final = 6_000  # in one look, as long as every new definition has its least
_READ_BYTES: Final = 32 * 1024 * 1024  # of known texts for one batch
_REJECTED: Final = 3  # the highest rank of a known version
_ABOUT: Final = 5  # percent within which two versions are about as like
_SAME: Final = Likeness(100, 100, 100, 100)

Bodies = Mapping[int, Mapping[str, Any]]  # parsed texts by a version's primary key
Found = tuple[Likeness, "_Known"]


def sketch_versions(versions: Sequence[DefinitionVersion], bodies: Bodies) -> None:
    """Keep a sketch of each version, so that what resembles it later is found."""
    rows = [Sketch(version=version, keys=_sketched(version, bodies[version.pk])) for version in versions]
    _apart("sketches were not kept", partial(Sketch.objects.bulk_create, rows, _BATCH, ignore_conflicts=True))


def sketch_old_versions(*, limit: int) -> int:
    """Sketch up to `limit` versions that have no sketch, oldest first; answers how many.

    They are older than sketches are, or theirs could not be kept. What has no text any more never gets one.
    """
    missing = DefinitionVersion.objects.filter(sketch__isnull=True, let_go_at__isnull=True)
    versions = list(missing.order_by("pk")[:limit])
    sketch_versions(versions, {version.pk: json.loads(version.text) for version in versions})
    return len(versions)


def link_resemblances(server: Server, reviews: Sequence[Review], bodies: Bodies) -> None:
    """Link the new definitions among `reviews` to known ones that they resemble.

    A review that waits again keeps the links that it has.
    """
    new = [review for review in reviews if review.base_id is None]
    least, most = _COMPARED
    each = min(most, max(least, _COMPARED_IN_ALL // max(1, len(new))))
    for start in range(0, len(new), _BATCH):
        batch = new[start : start + _BATCH]
        _apart(f"relatives of what {server.slug} shows were not linked", partial(_link, batch, bodies, each))


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


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """A known version. `rank`: rejected, pinned at some time, shown at present, or none of these."""

    pk: int
    definition_id: int
    digest: str
    keys: list[int]
    size: int
    rank: int


def _link(reviews: Sequence[Review], bodies: Bodies, each: int) -> None:
    linked = set(Resemblance.objects.filter(review__in=reviews).values_list("review_id", flat=True))
    new = {
        review: bodies.get(review.version_id) or json.loads(review.version.text)
        for review in reviews
        if review.pk not in linked
    }
    keys = _keys(new)
    nearest = _nearest(new, keys, each)
    mine = {review.version_id: body for review, body in new.items()}
    read = _Reading({**bodies, **mine}, chain.from_iterable(nearest.values()))
    rows = [
        _resemblance(review, known, found) for review in new for found, known in _closest(review, nearest[review], read)
    ]
    Resemblance.objects.bulk_create(rows, _BATCH, ignore_conflicts=True)


def _resemblance(review: Review, known: _Known, found: Likeness) -> Resemblance:
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


def _nearest(new: Iterable[Review], keys: Mapping[Review, Sequence[int]], each: int) -> dict[Review, list[_Known]]:
    """For each review the known versions that share most with it, of the same few queries for all of them."""
    digests = {review.version.digest for review in new}
    equal: dict[str, list[_Known]] = defaultdict(list)
    known = _known(_sharing(set(chain.from_iterable(keys.values()))) | _of_digests(digests))
    for version in known:
        if version.digest in digests:
            equal[version.digest].append(version)
    index = _index(known)
    return {
        review: _nearest_to(review, chain(*(index[key] for key in keys[review])), equal[review.version.digest], each)
        for review in new
    }


def sharing(keys: Iterable[int]) -> Mapping[int, Sequence[_Known]]:
    """Known versions that have any of `keys` in their sketches, by key, the most telling first, few for each."""
    return _index(_known(_sharing(keys)))


# The queries below join nothing, on purpose. While a first look at thousands of definitions is under way the database
# takes these tables to be empty, and joins them by going through all of one for every row of the other: minutes.


def _sharing(keys: Iterable[int]) -> set[int]:
    """Versions whose sketch has any of `keys`, the newest of very many. A failure takes the settings back."""
    rows = Sketch.objects.filter(keys__overlap=sorted(keys)).order_by("-pk").values_list("pk", flat=True)
    with connection.cursor() as cursor:
        # Only the index on `keys` is left then. To compare thousands of numbers with every row costs far more than
        # the planner believes.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        found = set(rows[:_SHARING_ANY_MAX])
        cursor.execute("SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = on")
    return found


def _of_digests(digests: Iterable[str]) -> set[int]:
    rows = DefinitionVersion.objects.filter(digest__in=digests).order_by("-pk").values_list("pk", flat=True)
    return set(rows[:_KNOWN_MAX])


def _known(versions: Iterable[int]) -> list[_Known]:
    """These versions, the most telling and newest first; of very many, those."""
    ranks = _ranks(list(versions))
    chosen = sorted(ranks, key=lambda pk: (ranks[pk], pk), reverse=True)[:_KNOWN_MAX]
    keys = dict(Sketch.objects.filter(pk__in=chosen).values_list("pk", "keys"))
    size = Func(F("text"), function="octet_length", output_field=IntegerField())
    rows = DefinitionVersion.objects.filter(pk__in=chosen).annotate(size=size)
    found = {
        pk: _Known(pk, definition, digest, keys.get(pk, []), size, ranks[pk])
        for pk, definition, digest, size in rows.values_list("pk", "definition_id", "digest", "size")
    }
    return [found[pk] for pk in chosen if pk in found]


def _ranks(versions: Sequence[int]) -> dict[int, int]:
    ranks = dict.fromkeys(versions, 0)
    ranks |= dict.fromkeys(_among(Definition.objects, "observed_id", versions), 1)
    ranks |= dict.fromkeys(_among(Pin.objects, "version_id", versions), 2)
    ranks |= dict.fromkeys(_among(Review.objects.standing_rejections(), "version_id", versions), _REJECTED)
    return ranks


def _among(rows: Any, column: str, versions: Sequence[int]) -> Iterable[int]:
    return set(rows.order_by().filter(**{f"{column}__in": versions}).values_list(column, flat=True))


def _index(known: Iterable[_Known]) -> dict[int, list[_Known]]:
    """Who has which number. A number that very many share says little, and keeps only the most telling of them."""
    index: dict[int, list[_Known]] = defaultdict(list)
    taken: Counter[tuple[int, int]] = Counter()
    for version in known:
        for key in version.keys:
            if len(index[key]) < _SHARING_MAX and taken[key, version.definition_id] < _PER_DEFINITION:
                taken[key, version.definition_id] += 1
                index[key].append(version)
    return index


def _nearest_to(review: Review, sharing: Iterable[_Known], equal: Iterable[_Known], each: int) -> list[_Known]:
    """At most `each` other definitions' versions, those that share most first.

    Half of the places are kept for what was rejected, or a crowd of harmless copies would hide what was said no to.
    """
    found: dict[int, _Known] = {}
    shared: Counter[int] = Counter()
    for known in sharing:
        found[known.pk] = known
        shared[known.pk] += 1
    for known in equal:
        found[known.pk] = known
        shared[known.pk] += SKETCH_MAX
    ordered = sorted(found.values(), key=lambda known: (shared[known.pk], known.rank, known.pk), reverse=True)
    others = list(_few_of_each(known for known in ordered if known.definition_id != review.definition_id))
    rejected = [known for known in others if known.rank == _REJECTED][: max(1, each // 2)]
    return [*rejected, *(known for known in others if known not in rejected)][:each]


def _few_of_each(ordered: Iterable[_Known]) -> Iterator[_Known]:
    taken: Counter[int] = Counter()
    for known in ordered:
        taken[known.definition_id] += 1
        if taken[known.definition_id] <= _PER_DEFINITION:
            yield known


class _Reading:
    """Features of known versions. Their texts are read once, and only so many bytes of them."""

    def __init__(self, bodies: Bodies, wanted: Iterable[_Known]):
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


def _closest(review: Review, known: Iterable[_Known], read: _Reading) -> list[Found]:
    """At most `LINKS_MAX` definitions, each by the version that is most like, rejected ones before others."""
    best: dict[int, Found] = {}
    for version in known:
        found = _compared(review, version, read)
        if found is None or found.overall < LIKE_FROM:
            continue
        other = best.get(version.definition_id)
        if other is None or _more_telling((found, version), other):
            best[version.definition_id] = (found, version)
    ordered = sorted(best.values(), key=lambda each: (each[1].rank == _REJECTED, each[0].overall), reverse=True)
    return ordered[:LINKS_MAX]


def _compared(review: Review, known: _Known, read: _Reading) -> Likeness | None:
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
