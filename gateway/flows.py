"""Toxic flows of principals, and of roles together: what `tools.flows` says of what `gateway.reach` reaches."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain, product
from typing import TYPE_CHECKING, Any, Final

from access.principals import GrantFacts
from gateway.reach import NOBODY, Caller, Offered, Reach, holds
from gateway.snapshot import AccessPart
from tools.flows import Flows, Leg, Path, Tool, flows, tool_of

if TYPE_CHECKING:
    from tools.querysets import ServedRow

_REMEMBERED: Final = 100_000
_ANSWERS: Final = 5_000
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_WHOLE: Final = frozenset(Leg)
_legs: dict[str, frozenset[Leg]] = {}  # by digest, which names the very text


@dataclass(frozen=True, slots=True)
class Pair:
    """Two roles that complete a flow together and not alone, one way, and how many people hold both."""

    roles: tuple[str, str]
    path: Path
    people: int


@dataclass(frozen=True, slots=True)
class Completion:
    """The first of the flows that a grant or a changed role completes, and for how many principals it does."""

    path: Path
    principals: int


Carrying = tuple[Offered, Tool]  # a tool that adds something to a flow, and what that is; its text is let go


def carrying(offered: Iterable[Offered]) -> Mapping[str, Sequence[Carrying]]:
    """Those of `offered` that add something to a flow, by server."""
    found: defaultdict[str, list[Carrying]] = defaultdict(list)
    for each in offered:
        if each.text and (legs := _legs_of(each)):
            found[each.server.slug].append((replace(each, text=""), Tool(each.server.slug, each.facts.name, legs)))
    return found


def may_carry(row: "ServedRow") -> bool:
    """Whether a tool's row may add something to a flow, by a text that nobody has proved: `carrying` asks again."""
    known = _legs.get(row.digest)
    if known is not None or not row.text:
        return bool(known)
    try:
        said = json.loads(row.text)
    except (ValueError, RecursionError):
        return False  # no digest is of this
    return isinstance(said, dict) and bool(tool_of("", said).legs)


class Tools:
    """The tools that add something to a flow, by server. `readings` numbers what was read of each server, and when."""

    def __init__(self, by_server: Mapping[str, Sequence[Carrying]], readings: Mapping[str, int] | None = None):
        self._by_server, self._readings = by_server, readings or {}

    def readings(self, slugs: Iterable[str]) -> frozenset[int]:
        """Which readings of these servers stand here."""
        return frozenset([self._readings[slug] for slug in slugs if slug in self._readings])

    def ends(self, slugs: Iterable[str]) -> Iterator[datetime]:
        """When what is decided of these servers' tools may change by itself."""
        for offered, _ in (each for slug in slugs for each in self._by_server.get(slug, ())):
            yield from filter(None, (offered.facts.expires_at, offered.server.trusted_until))

    def reached(self, reach: Reach, caller: Caller) -> list[Tool]:
        """Those that the caller may call."""
        near = [each for slug in sorted(reach.servers(caller)) for each in self._by_server.get(slug, ())]
        tools = {id(offered): tool for offered, tool in near}
        return [tools[id(each)] for each in reach.reached(caller, (offered for offered, _ in near))]


class Remembered:
    """Answers by all that they were made of, each until something of that ends."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[datetime, Any]] = {}

    def answer(self, key: Hashable, now: datetime, make: Callable[[], Any], ends: Iterable[datetime]) -> Any:
        """The answer of this key, made now unless it is known. `ends`: when it may change though the key does not."""
        until, known = self._answers.get(key, (now, None))
        if until <= now:
            known = make()
            if len(self._answers) >= _ANSWERS:
                self._answers.clear()
            self._answers[key] = min((end for end in ends if end > now), default=_NEVER), known
        return known


class Flowing:
    """The flows of callers. Those that reach the same are asked about once, and so is each grant that differs.

    With `remembered` also if they are asked about again, as long as `tools` says by its readings what it was made of.
    """

    def __init__(self, reach: Reach, tools: Tools, remembered: Remembered | None = None):
        self._reach, self._tools, self._known = reach, tools, remembered or Remembered()

    def of(self, caller: Caller) -> Flows:
        """What the caller's tools give together."""
        found: Flows = self._once("flows", self._reach, caller, lambda: flows(self.reached(caller)))
        return found

    def reached(self, caller: Caller) -> Collection[Tool]:
        """The tools that the caller may call, of those that add something to a flow."""
        if caller.agent != NOBODY and caller.person is not None:  # what the agent was given bounds it
            return self._tools.reached(self._reach, caller)
        found: set[Tool] = set()
        for alone in self._reach.apart(caller):
            found.update(self._once("tools", alone, caller, partial(self._tools.reached, alone, caller)))
        return found

    def _once(self, what: str, reach: Reach, caller: Caller, make: Callable[[], Any]) -> Any:
        slugs = reach.servers(caller)
        key = what, reach.likeness(caller), reach.suspensions, self._tools.readings(slugs)
        return self._known.answer(key, reach.now, make, chain(reach.ends(caller), self._tools.ends(slugs)))


def completed(grant: str, access: AccessPart, tools: Tools, now: datetime) -> Completion | None:
    """What the grant of this name (`GrantFacts.names`) completes for those whom it reaches by `access`, if anything."""
    return completed_between(grant, _without(access, grant), access, tools, now)


def completed_between(
    name: str, before: AccessPart, after: AccessPart, tools: Tools, now: datetime
) -> Completion | None:
    """What those who hold the grant or role of this name `after` can complete then and could not `before`."""
    earlier, later = Flowing(Reach(before, now), tools), Flowing(Reach(after, now), tools)
    callers = [Caller(agent=key) for key, held in after.agents.items() if holds(held, name)]
    callers += [Caller(person=key, person_active=True) for key, held in after.people.items() if holds(held, name)]
    paths = [later.of(each).paths[0] for each in callers if later.of(each).paths and not earlier.of(each).paths]
    return Completion(paths[0], len(paths)) if paths else None


def pairs(
    roles: Mapping[str, Collection[str]],
    access: AccessPart,
    tools: Tools,
    now: datetime,
    *,
    apart: Collection[frozenset[str]],
    remembered: Remembered | None = None,
) -> tuple[Iterator[Pair], int]:
    """Which two of `roles` (scopes by name) complete a flow that neither does alone, and how many such pairs there are.

    Without those that are kept `apart`.
    """
    given = {name: -1 - at for at, name in enumerate(sorted(roles))}  # no agent has such a key
    alone = replace(access, agents={key: (GrantFacts(frozenset(roles[name])),) for name, key in given.items()})
    flowing = Flowing(Reach(alone, now), tools, remembered)
    reached = {name: flowing.reached(Caller(agent=key)) for name, key in given.items()}
    found = list(_completing(reached, apart))
    held = [frozenset(name for grant in grants for name in grant.names) for grants in access.people.values()]
    return (_pair(reached, held, first, second) for first, second in found), len(found)


def _completing(
    reached: Mapping[str, Collection[Tool]], apart: Collection[frozenset[str]]
) -> Iterator[tuple[str, str]]:
    """By legs first: there are many roles, and eight sets of legs."""
    by_legs: defaultdict[frozenset[Leg], list[str]] = defaultdict(list)
    for name, tools in reached.items():
        by_legs[frozenset(leg for tool in tools for leg in tool.legs)].append(name)
    parts = [legs for legs in by_legs if legs != _WHOLE]
    for first, second in product(parts, parts):
        if first | second == _WHOLE:
            both = product(by_legs[first], by_legs[second])
            yield from ((one, other) for one, other in both if one < other and frozenset((one, other)) not in apart)


def _pair(reached: Mapping[str, Collection[Tool]], held: Iterable[frozenset[str]], first: str, second: str) -> Pair:
    path = flows({*reached[first], *reached[second]}).paths[0]
    both = {f"role:{first}", f"role:{second}"}
    return Pair((first, second), path, sum(both <= names for names in held))


def _legs_of(tool: Offered) -> frozenset[Leg]:
    found = _legs.get(tool.facts.digest)
    if found is None:
        if len(_legs) >= _REMEMBERED:
            _legs.clear()
        found = _legs[tool.facts.digest] = tool_of(tool.server.slug, json.loads(tool.text)).legs
    return found


def _without(access: AccessPart, name: str) -> AccessPart:
    agents, people = (
        {key: tuple(grant for grant in held if name not in grant.names) for key, held in part.items()}
        for part in (access.agents, access.people)
    )
    return replace(access, agents=agents, people=people)
