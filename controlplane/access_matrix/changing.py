"""A role's scopes on one server as somebody wants them, and whom saving that would touch. Nothing here saves."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.utils import timezone

from access.models import Agent, Grant, Role
from access.policy import Allowed
from controlplane.principals import principals
from core.actor import Actor
from core.permissions import Permission
from core.scopes import call_scope, definition_scope, scope_server
from gateway.facts import read_access_around, read_tools
from gateway.reach import Caller, Offered, Reach, holds, with_scopes
from servers.surface import Kind
from tools.models import Definition

PREVIEW_NEEDED: Final = (Permission.ROLE_MANAGE, Permission.ROLE_READ, Permission.GRANT_READ, Permission.TOOL_READ)
_Names = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Draft:
    """What is ticked: of the `tools` that were shown (names by id) some, and perhaps the server as a whole."""

    slug: str
    tools: Mapping[UUID, str]
    ticked: frozenset[UUID] = field(default_factory=frozenset)
    whole: bool = False

    def scopes(self, held: Collection[str]) -> list[str]:
        """`held` with what is ticked and without what is not; whatever was not shown stays as it is."""
        own = {key: definition_scope(self.slug, Kind.TOOL.value, name) for key, name in self.tools.items()}
        kept = set(held) - {*own.values(), call_scope(self.slug)}
        whole = {call_scope(self.slug)} if self.whole else set()
        return sorted(kept | whole | {own[key] for key in self.ticked if key in own})


@dataclass(frozen=True, slots=True)
class Preview:
    """What saving does now: who gains or loses how many different tools. `bound`: agents that it bounds for people.

    `is_partial`: of the grants and tools that the actor may see.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    gaining: int
    losing: int
    tools: int
    bound: int
    is_partial: bool


def preview(actor: Actor, role: Role, scopes: Collection[str]) -> Preview:
    """What it does to give `role` these `scopes`, by the decision that judges every call.

    A condition of a grant (networks, hours) counts as met.
    """
    added, removed = set(scopes) - set(role.scopes), set(role.scopes) - set(scopes)
    slugs = {slug for slug in map(scope_server, added | removed) if slug is not None}
    access, name = read_access_around(role, Grant.objects.visible_to(actor)), f"role:{role.name}"
    now = timezone.now()
    comparing = _Comparing(Reach(access, now), Reach(with_scopes(access, role.name, scopes), now), _tools(actor, slugs))
    holding = [each for each in principals(actor, access) if comparing.holds(each.caller, name)]
    changes = [comparing.of(each.caller) for each in holding]
    return Preview(
        added=tuple(sorted(added)),
        removed=tuple(sorted(removed)),
        gaining=sum(bool(gained) for gained, _ in changes),
        losing=sum(bool(lost) for _, lost in changes),
        tools=len({tool for gained, lost in changes for tool in gained | lost}),
        bound=_bound(actor, [key for key, grants in access.agents.items() if holds(grants, name)]),
        is_partial=not all(map(actor.may, PREVIEW_NEEDED)),
    )


class _Comparing:
    """What callers reach before and after. Those that reach the same are asked about once."""

    def __init__(self, before: Reach, after: Reach, tools: list[Offered]):
        self._before, self._after, self._tools = before, after, tools
        self._known: dict[object, tuple[_Names, _Names]] = {}

    def holds(self, caller: Caller, name: str) -> bool:
        """Whether the caller holds the role of this name."""
        return self._before.holds(caller, name)

    def of(self, caller: Caller) -> tuple[_Names, _Names]:
        """The tools that are gained, and those that are lost."""
        likeness = (self._before.likeness(caller), self._after.likeness(caller))
        if likeness not in self._known:
            before, after = self._reached(self._before, caller), self._reached(self._after, caller)
            self._known[likeness] = after - before, before - after
        return self._known[likeness]

    def _reached(self, reach: Reach, caller: Caller) -> _Names:
        decided = reach.decisions(caller, self._tools)
        return frozenset((tool.server.slug, tool.facts.name) for tool, said in decided if isinstance(said, Allowed))


def _tools(actor: Actor, slugs: Collection[str]) -> list[Offered]:
    return list(read_tools(Definition.objects.visible_to(actor).filter(server__slug__in=slugs))) if slugs else []


def _bound(actor: Actor, holding: Collection[int]) -> int:
    agents = Agent.objects.visible_to(actor).filter(pk__in=holding).order_by().defer("client_secret")
    return sum(agent.acts_for_people for agent in agents)
