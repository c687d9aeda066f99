"""Known versions by the numbers of their sketches, asked for once in a look: it scans and links beside the same ones.

What is read is bounded by counts. Nothing here says what resembles what; `likeness` does.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection
from django.db.models import F, Func, IntegerField

from tools.models import Definition, DefinitionVersion, Pin, Review, Sketch

PER_DEFINITION: Final = 2  # versions of one known definition that are compared with one new one
REJECTED: Final = 3  # the highest rank of a known version
_KNOWN_MAX: Final = 10_000  # versions that are considered for one batch, the most telling first
_SHARED_MAX: Final = 20_000  # versions that one look remembers; beyond them it asks again
_SHARING_ANY_MAX: Final = 50_000  # versions of which it is asked how telling they are
_SHARING_MAX: Final = 32  # of them, for one number of a sketch


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A known version. `rank`: rejected, pinned at some time, shown at present, or none of these."""

    pk: int
    definition_id: int
    digest: str
    keys: Sequence[int]
    size: int
    rank: int


@dataclass(slots=True)
class Shared:
    """What one look has asked already: for which numbers, and which versions have any of them.

    What the look itself makes afterwards has to be added; what others commit meanwhile is not seen, nor need it be.
    """

    _asked: set[int] = field(default_factory=set)
    _known: dict[int, Known] = field(default_factory=dict)

    def having(self, keys: Iterable[int]) -> list[Known]:
        """Known versions that have any of `keys` in their sketches, the most telling and newest first."""
        wanted = set(keys)
        found = [known for known in self._known.values() if not wanted.isdisjoint(known.keys)]
        if missing := wanted - self._asked:
            have = {known.pk for known in found}
            asked = known_versions(_sharing(missing))
            self._keep(missing, asked)
            found += [known for known in asked if known.pk not in have]
        return most_telling_first(found)

    def add(self, versions: Iterable[DefinitionVersion], keys: Mapping[int, Sequence[int]]) -> None:
        """Remember new versions, which are shown now and whose texts are at hand, where they bear on what was asked."""
        for each in versions:
            if not self._asked.isdisjoint(keys[each.pk]):
                self._known[each.pk] = Known(each.pk, each.definition_id, each.digest, keys[each.pk], 0, 1)

    def _keep(self, keys: set[int], known: Sequence[Known]) -> None:
        if len(self._known) + len(known) <= _SHARED_MAX:
            self._asked |= keys
            self._known |= {each.pk: each for each in known}


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


def of_digests(digests: Iterable[str]) -> set[int]:
    """Versions of these digests, the newest of very many."""
    rows = DefinitionVersion.objects.filter(digest__in=digests).order_by("-pk").values_list("pk", flat=True)
    return set(rows[:_KNOWN_MAX])


def known_versions(versions: Iterable[int]) -> list[Known]:
    """These versions, the most telling and newest first; of very many, those."""
    ranks = _ranks(list(versions))
    chosen = sorted(ranks, key=lambda pk: (ranks[pk], pk), reverse=True)[:_KNOWN_MAX]
    keys = dict(Sketch.objects.filter(pk__in=chosen).values_list("pk", "keys"))
    size = Func(F("text"), function="octet_length", output_field=IntegerField())
    rows = DefinitionVersion.objects.filter(pk__in=chosen).annotate(size=size)
    found = {
        pk: Known(pk, definition, digest, keys.get(pk, []), size, ranks[pk])
        for pk, definition, digest, size in rows.values_list("pk", "definition_id", "digest", "size")
    }
    return [found[pk] for pk in chosen if pk in found]


def _ranks(versions: Sequence[int]) -> dict[int, int]:
    ranks = dict.fromkeys(versions, 0)
    ranks |= dict.fromkeys(_among(Definition.objects, "observed_id", versions), 1)
    ranks |= dict.fromkeys(_among(Pin.objects, "version_id", versions), 2)
    ranks |= dict.fromkeys(_among(Review.objects.standing_rejections(), "version_id", versions), REJECTED)
    return ranks


def _among(rows: Any, column: str, versions: Sequence[int]) -> Iterable[int]:
    return set(rows.order_by().filter(**{f"{column}__in": versions}).values_list(column, flat=True))


def most_telling_first(known: Iterable[Known]) -> list[Known]:
    """The order in which they are considered; of those that are as telling the newest first."""
    return sorted(known, key=lambda each: (each.rank, each.pk), reverse=True)


def by_number(known: Iterable[Known]) -> dict[int, list[Known]]:
    """Who has which number. A number that very many share says little, and keeps only the most telling of them."""
    index: dict[int, list[Known]] = defaultdict(list)
    taken: Counter[tuple[int, int]] = Counter()
    for version in known:
        for key in version.keys:
            if len(index[key]) < _SHARING_MAX and taken[key, version.definition_id] < PER_DEFINITION:
                taken[key, version.definition_id] += 1
                index[key].append(version)
    return index
