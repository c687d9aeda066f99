"""What a new version is scanned beside: what is approved of it, and what other servers show that bears on it.

Neighbours are definitions of the same name, those that its text names, and those that are likely relatives. Their
number is bounded for each version and their size for each batch. The number of queries is the same for any batch.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from django.db.models import F, Func, IntegerField, Window
from django.db.models.functions import RowNumber

from servers.models import Server
from servers.rules import ServerState
from servers.surface import Kind
from tools.likeness import folded_name, sketch
from tools.models import Definition, DefinitionVersion, Pin
from tools.querysets.shared import SQUASHED_MAX, squashed_name
from tools.scanner.names import IN_CODE, NAMED_FROM
from tools.services.knowing import Shared, by_number

NEIGHBOURS_MAX: Final = 20  # of one version
_SAME_NAME_MAX: Final = 5  # known definitions of one name, those that were seen first
_RELATIVES_MAX: Final = 8
_SHARED_MIN: Final = 2  # numbers of a sketch
_KEYS_MAX: Final = 6  # numbers that are looked for; what is nearly the same shares nearly all of them
_NAMES_MAX: Final = 20_000  # that the texts of one batch may hold
_NAMES_EACH: Final = (40, 500)  # of one text, at least and at most
_READ_BYTES: Final = 8 * 1024 * 1024  # of known texts for one batch
SURFACES: Final[Mapping[str, str]] = {
    Kind.TOOL.value: "tool",
    Kind.PROMPT.value: "prompt",
    Kind.RESOURCE.value: "resource",
    Kind.TEMPLATE.value: "resource",
    Kind.CARD.value: "server_instructions",
}
_ESCAPE: Final = re.compile(r"\\(?:u[0-9a-f]{4}|.)")
_WORD: Final = re.compile(r"[A-Za-z0-9]+(?:[_.-][A-Za-z0-9]+)*")
_NO_ASCII_WORD: Final = re.compile(r"[^a-z0-9]+")

Key = tuple[int, str]  # a definition's primary key and a digest
Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What one version is scanned with, beside its own body."""

    surface: str = "tool"
    server: str = ""
    neighbours: tuple[Body, ...] = ()
    previous: Body | None = None


@dataclass(frozen=True, slots=True)
class _Other:
    """A definition of another server, and the version by which it is known."""

    definition: int
    version: int
    name: str
    server: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is looked for on behalf of one version."""

    name: str
    spoken_of: Sequence[tuple[str, str]]  # names in the text: squashed, and as they stand there in lower case
    keys: Sequence[int]


def surroundings_of(shown: Mapping[Key, Body], shared: Shared | None = None) -> dict[Key, Surroundings]:
    """The surroundings of each of these bodies, which are one server's. `shared` remembers what was asked for them."""
    homes = Definition.objects.in_bulk({pk for pk, _ in shown})
    servers = {server.pk: server for server in Server.objects.filter(pk__in={row.server_id for row in homes.values()})}
    asked = {key: _asked(homes[key[0]].kind, body, len(shown)) for key, body in shown.items()}
    chosen = _chosen(asked, shared or Shared(), own=servers.keys())
    read = _read(chain.from_iterable(chosen.values()), _pins(homes))
    return {
        key: Surroundings(
            SURFACES.get(homes[key[0]].kind, "tool"),
            servers[homes[key[0]].server_id].slug,
            tuple(_neighbour(other, read) for other in chosen[key]),
            read.bodies.get(read.pins.get(key[0], 0)),
        )
        for key in shown
    }


def _asked(kind: str, body: Body, versions: int) -> _Asked:
    least, most = _NAMES_EACH
    limit = min(most, max(least, _NAMES_MAX // versions))
    # A resource's name is a URI, which says nothing of others; a card has none.
    name = squashed(folded_name(body.get("name"))) if kind in (Kind.TOOL.value, Kind.PROMPT.value) else ""
    return _Asked(name, tuple(_names_in(body, limit)), sketch(body))


def squashed(name: str) -> str:
    """As `squashed_name` gives it in the database."""
    return _NO_ASCII_WORD.sub("", name.lower())[:SQUASHED_MAX]


def _names_in(body: Body, limit: int) -> Iterator[tuple[str, str]]:
    """Words of the text that are written as names are in code: squashed, and in lower case."""
    text = _ESCAPE.sub(" ", json.dumps(body))
    seen: set[str] = set()
    for match in _WORD.finditer(text):
        for word in {match[0], match[0].rpartition(".")[2]}:
            if len(seen) >= limit:
                return
            if len(word) >= NAMED_FROM and word not in seen and IN_CODE.search(word):
                seen.add(word)
                yield squashed(word), word.lower()


def _chosen(asked: Mapping[Key, _Asked], shared: Shared, *, own: Iterable[int]) -> dict[Key, list[_Other]]:
    """At most `NEIGHBOURS_MAX` for each: namesakes first, then what the text names, then likely relatives."""
    wanted = {name for each in asked.values() for name in (each.name, *(name for name, _ in each.spoken_of))} - {""}
    # Of whole sketches, though few of their numbers are looked for here: what is new is linked by all of them.
    index = by_number(shared.having(chain.from_iterable(each.keys for each in asked.values())))
    relatives = {key: _likely(each, index) for key, each in asked.items()}
    named = list(_named(wanted, own))
    rows = _others(named, chain.from_iterable(relatives.values()), own)
    by_name: dict[str, list[int]] = {}
    for name, definition, _version in named:
        by_name.setdefault(name, []).append(definition)
    chosen: dict[Key, list[_Other]] = {}
    for key, each in asked.items():
        spoken = (pk for name, word in each.spoken_of for pk in by_name.get(name, ()) if _is(rows, pk, word))
        found = dict.fromkeys([*by_name.get(each.name, ()), *spoken, *(pk for pk, _ in relatives[key])])
        chosen[key] = [rows[pk] for pk in found if pk in rows][:NEIGHBOURS_MAX]
    return chosen


def _is(rows: Mapping[int, _Other], pk: int, word: str) -> bool:
    return pk in rows and rows[pk].name.lower() == word


def _likely(asked: _Asked, index: Mapping[int, Sequence[Any]]) -> list[tuple[int, int]]:
    """Definition and version of what shares most numbers, the best version of each."""
    shared = Counter((each.definition_id, each.pk) for key in asked.keys[:_KEYS_MAX] for each in index.get(key, ()))
    best = {pk: version for (pk, version), n in reversed(shared.most_common()) if n >= _SHARED_MIN}
    ordered = [pk for (pk, _), n in shared.most_common() if n >= _SHARED_MIN]
    return [(pk, best[pk]) for pk in dict.fromkeys(ordered)][:_RELATIVES_MAX]


def _named(names: Iterable[str], own: Iterable[int]) -> Iterator[tuple[str, int, int]]:
    """Squashed name, definition and observed version of what other servers show under one of `names`."""
    rows = Definition.objects.order_by().filter(present=True, observed__isnull=False).exclude(server_id__in=list(own))
    found = rows.annotate(squashed=squashed_name()).filter(squashed__in=sorted(names))
    number = Window(RowNumber(), partition_by=F("squashed"), order_by=F("pk").asc())
    yield from (
        found.annotate(number=number).filter(number__lte=_SAME_NAME_MAX).values_list("squashed", "pk", "observed_id")
    )


def _others(
    named: Iterable[tuple[str, int, int]], relatives: Iterable[tuple[int, int]], own: Iterable[int]
) -> dict[int, _Other]:
    """Those of `named` and `relatives` that other servers show at present, by definition. Nothing is joined."""
    versions = dict(relatives) | {pk: version for _, pk, version in named}
    rows = Definition.objects.order_by().filter(pk__in=versions, present=True).exclude(server_id__in=list(own))
    found = list(rows.values_list("pk", "name", "server_id"))
    servers = Server.objects.filter(pk__in={server for _, _, server in found}).exclude(state=ServerState.RETIRED.value)
    slugs = dict(servers.values_list("pk", "slug"))
    return {pk: _Other(pk, versions[pk], name, slugs[server]) for pk, name, server in found if server in slugs}


@dataclass(frozen=True, slots=True)
class _Read:
    """Parsed texts by version, and the pinned version of each definition."""

    bodies: dict[int, Body]
    pins: dict[int, int]


def _pins(homes: Mapping[int, Definition]) -> dict[int, int]:
    return dict(Pin.objects.live().order_by().filter(definition__in=homes).values_list("definition_id", "version_id"))


def _read(others: Iterable[_Other], pins: dict[int, int]) -> _Read:
    """What is approved comes first; when the batch has read enough, neighbours are known by their names alone."""
    wanted = list(dict.fromkeys([*pins.values(), *(other.version for other in others)]))
    size = Func(F("text"), function="octet_length", output_field=IntegerField())
    rows = DefinitionVersion.objects.order_by().filter(pk__in=wanted, let_go_at__isnull=True)
    sizes = dict(rows.annotate(size=size).values_list("pk", "size"))
    left, chosen = _READ_BYTES, []
    for pk in wanted:
        if sizes.get(pk, _READ_BYTES) < left:
            left -= sizes[pk]
            chosen.append(pk)
    texts = DefinitionVersion.objects.order_by().filter(pk__in=chosen).values_list("pk", "text")
    return _Read({pk: json.loads(text) for pk, text in texts if text}, pins)


def _neighbour(other: _Other, read: _Read) -> Body:
    return {"name": other.name, **read.bodies.get(other.version, {}), "server": other.server}
