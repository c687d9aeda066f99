"""Which tools a principal reaches: the `decide` of every call, asked before anybody calls. Pure module.

Reachable is what some call would be allowed now. So the token is taken to hold every scope that its holder can get, the
caller to be where and when the conditions of a grant ask for, to say why it calls, and to be shown what the server
shows anybody. `gateway.facts` reads the rows; what is asked of the answer is asked elsewhere (`gateway.flows`).
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from access.conditions import NEVER
from access.policy import Allowed, Call, Decision, DefinitionFacts, Facts, ServerFacts, decide
from access.principals import GrantFacts
from gateway.snapshot import AccessPart, ServerPart, Snapshot, Token

NOBODY: Final = 0  # no row has this key


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool as a call of it is decided, with its server, the team that owns that, and its approved text if served."""

    server: ServerFacts
    owner_team: str
    facts: DefinitionFacts
    text: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """An agent for itself, an agent for a person, or a person through whatever agent is bound by nothing of its own."""

    agent: int = NOBODY
    agent_active: bool = True
    person: int | None = None
    person_active: bool | None = None


class Reach:
    """What callers reach by `access`, at `now`."""

    def __init__(self, access: AccessPart, now: datetime):
        self._access, self.now = _whatever_the_conditions(access), now

    def decisions(self, caller: Caller, tools: Iterable[Offered]) -> Iterator[tuple[Offered, Decision]]:
        """What is decided of each tool."""
        known: dict[str, Facts] = {}
        token = self._widest(caller)
        for tool in tools:
            facts = known.get(tool.server.slug)
            if facts is None:
                facts = known[tool.server.slug] = self._facts(token, tool)
            yield tool, decide(Call("tools/call", tool.facts, intention=True), facts, self.now)

    def reached(self, caller: Caller, tools: Iterable[Offered]) -> Iterator[Offered]:
        """The tools that the caller may call."""
        return (tool for tool, decision in self.decisions(caller, tools) if isinstance(decision, Allowed))

    def servers(self, caller: Caller) -> frozenset[str]:
        """Slugs of the servers that anything is given on: beyond them nothing is reached."""
        return frozenset().union(*(grant.servers for grant in self._grants(caller)[1]))

    def holds(self, caller: Caller, name: str) -> bool:
        """Whether the caller holds a grant, or a role, of this name (`GrantFacts.names`)."""
        return holds(self._grants(caller)[1], name)

    def apart(self, caller: Caller) -> "Iterator[Reach]":
        """For each grant of a caller that nothing bounds, what it would reach by that grant alone.

        Together they reach what the caller does: `decide` asks whether any grant connects and whether any carries, and
        whichever carries connects. There are fewer grants that differ than callers that do.
        """
        for grant in self._grants(caller)[1]:
            held = {caller.agent: (grant,)} if caller.person is None else {}
            people = {} if caller.person is None else {caller.person: (grant,)}
            yield Reach(AccessPart(held, people, self._access.suspended), self.now)

    def likeness(self, caller: Caller) -> Hashable:
        """Who has the same reaches the same."""
        own, held = self._grants(caller)
        suspended = self._access.suspended
        stop = suspended.stop(caller.agent, caller.person, "", "") if suspended else None
        ceiling = None if own is None or caller.person is None else _alike(own)
        person_active = caller.person_active is not False
        return caller.agent_active, person_active, _alike(held), ceiling, stop.caller if stop else None

    @property
    def suspensions(self) -> Hashable:
        """What is suspended of servers and definitions, which concerns all callers."""
        suspended = self._access.suspended
        return suspended and (suspended.servers, suspended.teams, frozenset(suspended.definitions.items()))

    def ends(self, caller: Caller) -> Iterator[datetime]:
        """When grants end by which the caller is judged."""
        own, held = self._grants(caller)
        return (grant.expires_at for grant in (*held, *(own or ())) if grant.expires_at is not None)

    def _grants(self, caller: Caller) -> tuple[tuple[GrantFacts, ...] | None, tuple[GrantFacts, ...]]:
        own = self._access.agents.get(caller.agent)
        return own, (own or ()) if caller.person is None else self._access.people.get(caller.person, ())

    def _scopes(self, caller: Caller) -> frozenset[str]:
        return frozenset().union(*(grant.scopes for grant in self._grants(caller)[1]))

    def _widest(self, caller: Caller) -> Token:
        return Token(
            id="",
            client_id="",
            agent=caller.agent,
            agent_active=caller.agent_active,
            person=caller.person,
            person_active=caller.person_active,
            principal="",
            resource="",
            scopes=self._scopes(caller),
        )

    def _facts(self, token: Token, tool: Offered) -> Facts:
        slug = tool.server.slug
        servers = {slug: ServerPart(tool.server, owner_team=tool.owner_team)}
        token = replace(token, resource=tool.server.resource)
        return Snapshot(servers, self._access).facts(token, slug, "")


def holds(grants: Iterable[GrantFacts], name: str) -> bool:
    """Whether one of the grants is of this name, or of a role of this name (`GrantFacts.names`)."""
    return any(name in grant.names for grant in grants)


def with_scopes(access: AccessPart, role: str, scopes: Iterable[str]) -> AccessPart:
    """As `access` would be if the role of this name held other scopes."""
    name, held = f"role:{role}", frozenset(scopes)
    agents, people = (
        {
            holder: tuple(replace(grant, scopes=held) if name in grant.names else grant for grant in grants)
            for holder, grants in part.items()
        }
        for part in (access.agents, access.people)
    )
    return replace(access, agents=agents, people=people)


def _alike(grants: Iterable[GrantFacts]) -> Hashable:
    return frozenset((grant.scopes, grant.environment, grant.expires_at, grant.conditions) for grant in grants)


def _whatever_the_conditions(access: AccessPart) -> AccessPart:
    return replace(access, agents=_unconditional(access.agents), people=_unconditional(access.people))


def _unconditional(held: Mapping[int, tuple[GrantFacts, ...]]) -> Mapping[int, tuple[GrantFacts, ...]]:
    """Without conditions, but for those that nobody understands: they never hold."""
    free: dict[int, GrantFacts] = {}  # one for each, so that what teams hold stays shared
    return MappingProxyType(
        {
            holder: tuple(free.setdefault(id(grant), _freed(grant)) for grant in grants)
            for holder, grants in held.items()
        }
    )


def _freed(grant: GrantFacts) -> GrantFacts:
    return grant if grant.conditions in (None, NEVER) else replace(grant, conditions=None)
