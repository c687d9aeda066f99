"""Whom `decide` would let call a tool, as far as an actor sees grants and tools."""

from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from access.models import Grant
from controlplane.principals import Principal, principals
from core.actor import Actor
from core.errors import NotFound
from gateway.facts import read_access, read_tools
from gateway.reach import Reach
from servers.surface import Kind
from tools.models import Definition


def tool_named(actor: Actor, definition_id: UUID) -> Definition:
    """A tool as lists read it. Raises `NotFound`, also for what is no tool."""
    definition = Definition.objects.visible_to(actor).for_list().by_id(definition_id)
    if definition.kind != Kind.TOOL.value:
        raise NotFound("Only tools are called.")
    return definition


def callers_of(actor: Actor, tool: Definition) -> list[Principal]:
    """Agents that act on their own, then people, by name. A condition of a grant (networks, hours) counts as met."""
    access = read_access(Grant.objects.visible_to(actor))
    # With the server's card, which may withhold all of it.
    near = Q(pk=tool.pk) | Q(server=tool.server, kind=Kind.CARD.value)
    reach, offered = Reach(access, timezone.now()), list(read_tools(Definition.objects.filter(near)))
    given = (each for each in principals(actor, access) if tool.server.slug in reach.servers(each.caller))
    found = [each for each in given if any(True for _ in reach.reached(each.caller, offered))]
    return sorted(found, key=lambda each: (each.kind, each.name, each.id))
