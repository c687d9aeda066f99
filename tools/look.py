"""One surface as compared with what is stored: each item with its digest. Pure module.

A look either counts whole or not at all: one item without a digest, one name that cannot be stored or one name
given twice makes it incomplete, because leaving an item out would be a way to make it vanish.
"""

import json
from dataclasses import dataclass, field
from typing import Final

from servers.surface import Item, ObservationProblem, Problem, Surface
from tools.fingerprint import Unfit, digest, surface_digest
from tools.rules import NAME_MAX_BYTES, POLLER

# What says that nobody answered as an MCP server; the other problems come from one that did.
UNREACHABLE: Final = frozenset(
    {
        Problem.BLOCKED,
        Problem.DNS,
        Problem.NOT_MCP,
        Problem.PROTOCOL_ERROR,
        Problem.REFUSED,
        Problem.TIMEOUT,
        Problem.TLS,
    }
)
_NOTHING_SAID: Final = ObservationProblem(Problem.PROTOCOL_ERROR, "The observation was not complete.")

Key = tuple[str, str]  # kind and name


@dataclass(frozen=True, slots=True)
class Seen:
    """One item and its digest."""

    item: Item
    digest: str

    @property
    def text(self) -> str:
        """Its JSON in ASCII, key order and numbers as received; made when asked for, because few looks need it."""
        return storable(self.item)


@dataclass(frozen=True, slots=True)
class Look:
    """A complete surface, or the problem that keeps it from counting; then `seen` is empty."""

    problem: ObservationProblem | None = None
    seen: dict[Key, Seen] = field(default_factory=dict)
    surface_digest: str = ""

    @property
    def listed(self) -> list[list[str]]:
        """`[kind, name, digest]` of every item, as an observation stores them."""
        return [[kind, name, seen.digest] for (kind, name), seen in sorted(self.seen.items())]


def take(surface: Surface) -> Look:
    """Digest a surface."""
    if surface.problem is not None or not surface.complete:
        return Look(problem=surface.problem or _NOTHING_SAID)
    seen: dict[Key, Seen] = {}
    trusted = surface.vantage != POLLER
    for item in surface.items:
        problem = _name_problem(item)
        key = (item.kind.value, item.name)
        if key in seen:
            problem = ObservationProblem(Problem.DUPLICATE_NAME, f"The server lists one {item.kind} name twice.")
        if problem is not None:
            return Look(problem=problem)
        try:
            seen[key] = Seen(item, (item.digest if trusted else "") or digest(item.kind, item.body))
        except Unfit:
            return Look(problem=_malformed(f"A {item.kind} of the server has no canonical form."))
    digests = ((kind, name, found.digest) for (kind, name), found in seen.items())
    return Look(seen=seen, surface_digest=surface_digest(digests))


def storable(item: Item) -> str:
    """The body as ASCII JSON; U+0000, which PostgreSQL refuses, is an escape in it."""
    return json.dumps(item.body, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _name_problem(item: Item) -> ObservationProblem | None:
    try:
        size = len(item.name.encode())
    except UnicodeEncodeError:
        return _malformed(f"The name of a {item.kind} holds half of a surrogate pair.")
    if not size or size > NAME_MAX_BYTES or "\0" in item.name:
        return _malformed(f"The name of a {item.kind} is empty, longer than {NAME_MAX_BYTES} bytes or holds U+0000.")
    return None


def _malformed(sentence: str) -> ObservationProblem:
    return ObservationProblem(Problem.MALFORMED, sentence)
