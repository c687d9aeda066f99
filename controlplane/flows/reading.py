"""What an actor may see of toxic flows. Nothing is kept: every question reads grants and tools once, as they are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Q
from django.utils import timezone

from access.models import Agent, Grant, Person, Role, RoleSeparation
from access.querysets import GrantQuerySet
from controlplane.flows.kept import remembered, tools_among
from controlplane.principals import Principal, caller_of, principals
from core.actor import Actor
from core.errors import Invalid, NotFound
from core.permissions import Permission
from gateway.facts import read_access
from gateway.flows import Flowing, Pair, pairs
from gateway.reach import Reach
from gateway.snapshot import AccessPart
from tools.flows import Flows, Path
from tools.models import Definition

NEEDED: Final = (Permission.GRANT_READ, Permission.TOOL_READ)
PAIRS_NEEDED: Final = (Permission.ROLE_READ, *NEEDED)
_NAME_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Held:
    """A principal that holds a whole flow."""

    principal: Principal
    flows: Flows


@dataclass(frozen=True, slots=True)
class Suggested:
    """The first pairs of roles to keep apart, and how many there are."""

    pairs: tuple[Pair, ...]
    total: int


class Reading:
    """Grants and tools as `actor` may see them, read once. `is_partial`: there may be more than that."""

    def __init__(self, actor: Actor):
        self.actor = actor
        self.is_partial = is_partial(actor)
        self._now: datetime = timezone.now()
        self._access: AccessPart = read_access(Grant.objects.visible_to(actor))
        self._tools = tools_among(Definition.objects.visible_to(actor))

    def held(self) -> tuple[list[Held], int]:
        """Who holds a whole flow, worst first, and of how many principals to whom any server is given."""
        reach = Reach(self._access, self._now)
        flowing = Flowing(reach, self._tools, remembered)
        asked = [each for each in principals(self.actor, self._access) if reach.servers(each.caller)]
        found = [Held(each, flowing.of(each.caller)) for each in asked]
        whole = [each for each in found if each.flows.paths]
        return sorted(whole, key=lambda each: (each.flows.rank, each.principal.name, each.principal.id)), len(found)

    def suggested(self, limit: int) -> Suggested:
        """Roles that complete a flow together and not alone, without those that are kept apart."""
        roles = dict(Role.objects.visible_to(self.actor).values_list("name", "scopes"))
        separated = RoleSeparation.objects.visible_to(self.actor).values_list("first__name", "second__name")
        apart = set(map(frozenset, separated))
        found, total = pairs(roles, self._access, self._tools, self._now, apart=apart, remembered=remembered)
        return Suggested(tuple(pair for _, pair in zip(range(limit), found, strict=False)), total)


def is_partial(actor: Actor) -> bool:
    """Whether the actor sees only some grants or tools, so that there may be more flows than are shown."""
    return not all(map(actor.may, NEEDED))


def flows_of(actor: Actor, *, agent: Agent | None = None, person: Person | None = None) -> Flows:
    """The flows of an agent, of a person, or of an agent for a person, as far as `actor` may see what makes them.

    Raises `Invalid` where an agent never calls so.
    """
    if agent is not None and agent.acts_for_people and person is None:
        raise Invalid("This agent acts for people: name one.", field="person")
    if agent is not None and person is not None and not agent.acts_for_people:
        raise Invalid("This agent acts on its own, for nobody.", field="person")
    caller = caller_of(agent, person)
    reach = Reach(read_access(_grants_of(actor, agent, person)), timezone.now())
    near = Definition.objects.visible_to(actor).filter(server__slug__in=reach.servers(caller))
    return Flowing(reach, tools_among(near), remembered).of(caller)


def person_named(actor: Actor, username: str) -> Person:
    """Somebody whom the actor may see. Raises `NotFound`."""
    found = Person.objects.visible_to(actor).named(username).first() if "\0" not in username else None
    if found is None:
        raise NotFound("There is no such person.", field="person")
    return found


def in_words(path: Path) -> str:
    """A path as a sentence, in ASCII: servers named the tools."""
    untrusted, private, out = (
        ascii(tool.canonical)[1:-1][:_NAME_SHOWN] for tool in (path.untrusted, path.private, path.out)
    )
    return f"What {untrusted} brings in can ask {private} for what is private, and {out} leads it out."


def reason_for(pair: Pair) -> str:
    """Why two roles are to be kept apart, as it is kept with the separation."""
    return f"Together they complete a toxic flow. {in_words(pair.path)}"


def _grants_of(actor: Actor, agent: Agent | None, person: Person | None) -> GrantQuerySet:
    near = Q(agent=agent) if agent is not None else Q()
    if person is not None:
        near |= Q(person=person) | Q(team__in=person.memberships.order_by().values("team_id"))
    return Grant.objects.visible_to(actor).filter(near)
