"""What people are asked before an agent acts for them, as whoever looks after the agent sees it. Nothing is decided."""

from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from access.models import Agent, Person
from access.oauth.authorize import asked_of_people
from access.redirects import shown_host
from access.services.consents import endpoints_for, endpoints_seen_by
from core.console import actor_of, page, show
from core.errors import NotFound
from core.permissions import Permission

SHOWN: Final = 3  # endpoints; a person is offered all that they may see


@require_safe
@page(Permission.AGENT_READ)
def consent_preview(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The page of consent for an agent that asks for nothing in particular, by one of its ways back."""
    actor = actor_of(request)
    agent = Agent.objects.visible_to(actor).filter(public_id=agent_id).first()
    if agent is None:
        raise NotFound("There is no such agent.")
    uris = agent.redirect_uris.split() if agent.acts_for_people else []
    chosen = next((uri for uri in uris if uri == request.GET.get("back")), uris[0] if uris else "")
    person = request.user
    offered = (endpoints_for(person) if isinstance(person, Person) else []) or endpoints_seen_by(actor)
    context = {
        **asked_of_people(agent, chosen, offered[:SHOWN]),
        "ways": [(uri, shown_host(uri), uri == chosen) for uri in uris],
        "more": max(len(offered) - SHOWN, 0),
        "may_connect": True,
        "is_preview": True,
    }
    return show(request, "access/consent_preview.html", context)
