"""Pages of one server with what it shows."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from access.models import Agent
from core.actor import Actor
from core.console import actor_of, attempt, carry_out, page, reason_of, show
from core.language import said
from core.needs import asks
from core.paging import KeyPaginator
from core.permissions import Permission
from servers.days import looks_of
from servers.models import Observation, Server
from servers.rules import ServerState
from tools import services
from tools.forms import DefinitionFilterForm
from tools.models import Definition, Review, ServerFinding, Sighting
from tools.relatives import neighbours_of
from tools.rules import POLLER, because, vantage_of_agent
from tools.unlisted import unlisted_of
from tools.views.health import calls_by_day
from tools.views.identity import identity_of

PAGE_SIZE = 100
_UNLISTED_SHOWN = 10
LOOKS_SHOWN = 200  # of all vantages together
SIGHTINGS_SHOWN = 100
_AT_ONCE = timedelta(seconds=1)  # a server is made and registered in one step


@require_safe
@page(Permission.SERVER_READ)
def server_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One server: how it answers, what it shows, what of it is approved."""
    actor = actor_of(request)
    server = Server.objects.visible_to(actor).select_related("owner_team", "registered_by").by_slug(slug)
    is_looking = server.last_polled_at is None and server.state == ServerState.REGISTERED.value
    if request.htmx:  # type: ignore[attr-defined]
        # The page that waits for the first look asks; it is loaded anew once, never while somebody reads it.
        return HttpResponse(status=HTTPStatus.NO_CONTENT) if is_looking else HttpResponseClientRefresh()
    filters = DefinitionFilterForm(request.GET)
    filters.is_valid()
    definitions = Definition.objects.visible_to(actor).filter(server=server)
    waiting = dict(
        Review.objects.visible_to(actor).waiting().of_server(server).values_list("definition_id", "public_id")
    )
    findings = list(ServerFinding.objects.visible_to(actor).filter(server=server).judged())
    neighbours = neighbours_of(server, actor)
    recent = list(Observation.objects.recent(server, 10).defer("items"))
    standing = list(Observation.objects.standing(server)[:LOOKS_SHOWN])
    sightings = _differing(actor, server)
    _name_agents(actor, [*recent, *standing, *sightings])
    found = definitions.in_catalogue(filters.cleaned_data).order_by("kind", "name")
    listed = KeyPaginator(found, definitions.for_list().defer("observed__text"), PAGE_SIZE)
    shown = listed.get_page(request.GET.get("page"))
    context = {
        "server": server,
        "filters": filters,
        "is_filtered": any(filters.cleaned_data.values()),
        "page": shown,
        "rows": [_row(definition, waiting) for definition in shown],
        "findings": findings,
        "risk": definitions.risk(findings),
        "waiting_count": len(waiting),
        "observations": recent,
        "vantages": _by_vantage(standing),
        "sightings": sightings,
        "sightings_withhold": any(row.withholds and row.definition.present for row in sightings),
        "unlisted": _unlisted(server, actor),
        "registered_again": server.registered_at - server.created_at > _AT_ONCE,
        "neighbours": neighbours,
        "rejected_there": any(each.rejections for each in neighbours),
        "days": looks_of(server),
        "identity": identity_of(server, actor),
        "call_days": calls_by_day(server, actor),
        "may_read_calls": actor.may(Permission.AUDIT_READ, team_id=server.owner_team_id),
        "endpoint": f"{settings.GATEWAY_URL}/{server.slug}",
        "is_looking": is_looking,
        "may": {
            "poll": actor.may(Permission.SERVER_POLL, team_id=server.owner_team_id),
            "edit": actor.may(Permission.SERVER_EDIT, team_id=server.owner_team_id),
            "suspend": actor.may(Permission.SERVER_SUSPEND, team_id=server.owner_team_id),
            "retire": actor.may(Permission.SERVER_RETIRE, team_id=server.owner_team_id),
        },
    }
    return show(request, "tools/server.html", context)


@require_POST
@page(needs=asks(Permission.SERVER_POLL))
def poll(request: HttpRequest, slug: str) -> HttpResponse:
    """Look at a server now, and say what came of it."""
    actor = actor_of(request)
    result = attempt(request, lambda: services.poll_now(slug=slug, actor=actor))
    if result is not None and result.complete:
        text = ngettext(
            "Looked at %(n)d definition; %(opened)d new reviews.",
            "Looked at %(n)d definitions; %(opened)d new reviews.",
            result.definitions,
        ) % {"n": result.definitions, "opened": result.reviews_opened}
        messages.success(request, text)
    elif result is not None:
        messages.warning(request, _("The look was not complete, so nothing changed: %s") % said(result.error))
    return redirect("tools:server_detail", slug=slug)


@require_POST
@page(needs=asks(Permission.SERVER_RETIRE))
def retire(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a server out of use for good."""
    actor, reason = actor_of(request), reason_of(request)
    done = _(
        "%s is retired. Its approvals and emergencies have ended, its waiting reviews are closed, and every role has "
        "lost its scopes for it; its slug stays its own."
    )
    carry_out(request, lambda: services.retire(slug=slug, actor=actor, reason=reason), done=done % slug)
    return redirect("tools:server_detail", slug=slug)


def agents_behind(actor: Actor, vantages: Iterable[str]) -> dict[str, Agent]:
    """The agents that the actor may see behind these vantages."""
    ids = {vantage.removeprefix("agent:") for vantage in vantages if vantage != POLLER}
    if not ids:
        return {}
    agents = Agent.objects.visible_to(actor).filter(client_id__in=ids)
    return {vantage_of_agent(agent.client_id): agent for agent in agents}


def _unlisted(server: Server, actor: Actor) -> list[dict[str, Any]]:
    """What is not listed to whom: the agent, or None and the vantage, the first names and how many more there are."""
    found = unlisted_of(server)
    agents = agents_behind(actor, [each.vantage for each in found])
    return [
        {
            "agent": agents.get(each.vantage),
            "vantage": each.vantage,
            "names": each.names[:_UNLISTED_SHOWN],
            "more": len(each.names[_UNLISTED_SHOWN:]),
        }
        for each in found
    ]


def _name_agents(actor: Actor, rows: Sequence[Any]) -> None:
    """Give each row with a vantage its `agent`, or None."""
    agents = agents_behind(actor, {row.vantage for row in rows})
    for row in rows:
        row.agent = agents.get(row.vantage)


def _by_vantage(looks: Iterable[Any]) -> list[dict[str, Any]]:
    """Per vantage, the poller first: the last complete look (or None), and the incomplete ones since, newest first."""
    seen: dict[str, list[Any]] = {POLLER: []}
    for look in looks:
        seen.setdefault(look.vantage, []).append(look)
    return [
        {
            "vantage": vantage,
            "agent": next((look.agent for look in found), None),
            "complete": next((look for look in found if look.complete), None),
            "incomplete": [look for look in found if not look.complete],
        }
        for vantage, found in seen.items()
    ]


def _differing(actor: Actor, server: Server) -> list[Any]:
    """What agents are shown otherwise than the poller; what withholds something comes first."""
    found: Any = Sighting.objects.visible_to(actor).of_server(server).for_list()
    order = ("-withholds", "-definition__present", "-seen_at", "-pk")
    return list(found.filter(differs=True).order_by(*order)[:SIGHTINGS_SHOWN])


def _row(definition: Any, waiting: dict[int, UUID]) -> dict[str, Any]:
    """A definition with its derived state; `for_list` joined the pin."""
    digest = definition.observed.digest if definition.observed else ""
    return {
        "definition": definition,
        "digest": digest,
        "state": because(definition).value,
        "review": waiting.get(definition.pk),
    }
