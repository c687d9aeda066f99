"""Whom `decide` would let call a tool, as far as an actor sees grants and tools."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from access.models import Grant
from controlplane.principals import Principal, principals
from core.actor import Actor
from core.errors import NotFound
from gateway.facts import read_access, read_tools
from gateway.reach import Offered, Reach
from gateway.snapshot import AccessPart
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
    return allowed(actor, tool.server.slug, list(read_tools(Definition.objects.filter(near))), access)


def allowed(actor: Actor, slug: str, offered: Sequence[Offered], access: AccessPart) -> list[Principal]:
    """Those whom the actor may see and `access` lets call any of what one server offers."""
    reach = Reach(access, timezone.now())
    given = (each for each in principals(actor, access) if slug in reach.servers(each.caller))
    found = [each for each in given if any(True for _ in reach.reached(each.caller, offered))]
    return sorted(found, key=lambda each: (each.kind, each.name, each.id))
