"""Pages of toxic flows."""

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from access.models import Agent, Person
from controlplane.flows.reading import NEEDED, Reading, flows_of, is_partial, person_named, reason_for
from core.console import page, reader, show
from core.errors import DomainError, NotFound
from core.needs import asks
from core.permissions import Permission

PRINCIPALS_SHOWN = 50
PAIRS_SHOWN = 20
PEOPLE_OFFERED = 500


@require_safe
@page(needs=asks(*NEEDED))
def overview(request: HttpRequest) -> HttpResponse:
    """Who holds a whole flow, worst first, and which roles would complete one."""
    actor = reader(request, *NEEDED)
    reading = Reading(actor)
    held, asked = reading.held()
    suggested = reading.suggested(PAIRS_SHOWN) if actor.may(Permission.ROLE_READ) else None
    context = {
        "page": Paginator(held, PRINCIPALS_SHOWN).get_page(request.GET.get("page")),
        "asked": asked,
        "is_partial": reading.is_partial,
        "suggested": suggested,
        "pairs": [(pair, reason_for(pair)) for pair in suggested.pairs] if suggested else [],
        "may_separate": actor.may(Permission.ROLE_MANAGE),
        "may_grant": actor.may(Permission.GRANT_MANAGE),
    }
    return show(request, "flows/overview.html", context)


@require_safe
@page(needs=asks(Permission.AGENT_READ, *NEEDED))
def of_agent(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """What an agent's tools give together; of one that acts for people, for whom is asked first."""
    actor = reader(request, Permission.AGENT_READ, *NEEDED)
    agent = Agent.objects.visible_to(actor).filter(public_id=agent_id).first()
    if agent is None:
        raise NotFound("There is no such agent.")
    context: dict[str, Any] = {"name": agent.name, "agent": agent, "is_partial": is_partial(actor)}
    username = request.GET.get("person", "") if agent.acts_for_people else ""
    if agent.acts_for_people:
        names = Person.objects.visible_to(actor).order_by("username").values_list("username", flat=True)
        context |= {"people": names[:PEOPLE_OFFERED], "chosen": username}
    if username or not agent.acts_for_people:
        try:
            person = person_named(actor, username) if username else None
            context["flows"] = flows_of(actor, agent=agent, person=person)
        except DomainError as error:
            return show(request, "flows/principal.html", {**context, "problem": error.message}, status=error.status)
    return show(request, "flows/principal.html", context)


@require_safe
@page(needs=asks(Permission.PERSON_READ, *NEEDED))
def of_person(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """What a person's tools give together, through any agent."""
    actor = reader(request, Permission.PERSON_READ, *NEEDED)
    person = Person.objects.visible_to(actor).filter(public_id=person_id).first()
    if person is None:
        raise NotFound("There is no such person.")
    context = {"name": person.username, "flows": flows_of(actor, person=person), "is_partial": is_partial(actor)}
    return show(request, "flows/principal.html", context)
