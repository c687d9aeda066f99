"""The page of who may call a tool right now, by the decision that judges every call."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from access.models import Grant
from controlplane.flows.reading import NEEDED, is_partial
from controlplane.principals import Principal, principals
from core.actor import Actor
from core.console import PageRefused, actor_of, page, show
from core.errors import NotFound
from core.needs import asks
from gateway.facts import read_access, read_tools
from gateway.reach import Reach
from servers.surface import Kind
from tools.models import Definition

PAGE_SIZE = 100


@require_safe
@page(needs=asks(*NEEDED))
def who_may_call(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """Agents and people who may call one tool now, as far as the reader sees grants."""
    actor = actor_of(request)
    for permission in NEEDED:
        if not actor.may_somewhere(permission):
            raise PageRefused(permission)
    definition = Definition.objects.visible_to(actor).for_list().by_id(definition_id)
    if definition.kind != Kind.TOOL.value:
        raise NotFound("Only tools are called.")
    found = sorted(callers_of(actor, definition), key=lambda each: (each.kind, each.name, each.id))
    shown = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"definition": definition, "page": shown, "is_partial": is_partial(actor)}
    return show(request, "tools/callers.html", context)


def callers_of(actor: Actor, definition: Definition) -> list[Principal]:
    """Whom `decide` would let call it: a condition of a grant (networks, hours) counts as met."""
    access = read_access(Grant.objects.visible_to(actor))
    reach, offered = Reach(access, timezone.now()), list(read_tools(Definition.objects.filter(pk=definition.pk)))
    near = (each for each in principals(actor, access) if definition.server.slug in reach.servers(each.caller))
    return [each for each in near if any(True for _ in reach.reached(each.caller, offered))]
