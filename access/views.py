"""Console pages of preferences, agents, roles and grants, people."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import services
from access.account.fresh import fresh
from access.completing import Completed
from access.forms import AgentFilterForm, AgentForm, GrantForm, PersonForm, PreferencesForm, RoleForm, SeparationForm
from access.models import Agent, Grant, Person, Role, RoleSeparation, Team
from core.actor import Actor
from core.console import actor_of, attempt, back, carry_out, form_status, fulfil, page, reason_of, show
from core.errors import NotFound
from core.needs import SIGNED_IN
from core.permissions import Permission
from core.preferences import Preferences, keep, preferences_of

PAGE_SIZE = 50
ROLES_SHOWN = 20
FORM_METHODS = ["GET", "HEAD", "POST"]


@require_http_methods(FORM_METHODS)
@page(needs=SIGNED_IN)
def preferences(request: HttpRequest) -> HttpResponse:
    """Looks, shortcuts and live updates of this browser, and the person's language."""
    kept = preferences_of(request)
    language = getattr(request.user, "language", "") or kept.language
    initial = {
        "theme": kept.theme,
        "density": kept.density,
        "shortcuts": "on" if kept.shortcuts else "off",
        "live": "on" if kept.live else "off",
        "language": language,
    }
    form = PreferencesForm(request.POST or None, initial=initial)
    if form.is_valid():
        data = form.cleaned_data
        services.choose_language(language=data["language"], actor=actor_of(request))
        messages.success(request, _("Saved."))
        response = redirect("access:preferences")
        keep(
            response,
            Preferences(
                data["theme"], data["shortcuts"] == "on", data["language"], data["density"], data["live"] != "off"
            ),
        )
        return response
    return show(request, "access/preferences.html", {"form": form}, status=form_status(form))


@require_safe
@page(Permission.AGENT_READ)
def agents(request: HttpRequest) -> HttpResponse:
    """Agents with the roles that they hold now."""
    actor = actor_of(request)
    filters = AgentFilterForm(request.GET)
    visible = Agent.objects.visible_to(actor).with_use().select_related("owner_team").order_by("name", "pk")
    rows = filters.chosen(visible).prefetch_related(Grant.objects.visible_to(actor).as_live_grants())
    context = {
        "page": Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page")),
        "filters": filters,
        "is_filtered": bool(filters.cleaned_data.get("used")),
        "may_manage": actor.may_somewhere(Permission.AGENT_MANAGE),
        "sees_grants": actor.may(Permission.GRANT_READ),
    }
    return show(request, "access/agents.html", context)


@require_http_methods(FORM_METHODS)
@page(Permission.AGENT_MANAGE)
@fresh
def register_agent(request: HttpRequest) -> HttpResponse:
    """Register an agent. The answer is the one page that ever shows its secret, if it has one."""
    actor = actor_of(request)
    form = AgentForm(request.POST or None, actor=actor)
    made = fulfil(form, lambda _data: services.register_agent(actor=actor, **form.wanted()))
    if made is not None:
        context = {"made": made, "is_new": True, "token_command": _token_command(made.agent.client_id)}
        return show(request, "access/agent_secret.html", context)
    return show(request, "access/register_agent.html", {"form": form}, status=form_status(form))


@require_safe
@page(Permission.AGENT_READ)
def agent(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """One agent: state, roles, and what can be done about it."""
    actor = actor_of(request)
    found = _agent(request, agent_id)
    grants = Grant.objects.visible_to(actor).filter(agent=found).select_related("role", "granted_by")
    context = {
        "agent": found,
        "grants": grants.order_by("-pk")[:PAGE_SIZE],
        "sees_grants": actor.may(Permission.GRANT_READ, team_id=found.owner_team_id),
        "now": timezone.now(),
        "may_manage": actor.may(Permission.AGENT_MANAGE, team_id=found.owner_team_id),
        "may_grant": actor.may_somewhere(Permission.GRANT_MANAGE),
    }
    return show(request, "access/agent.html", context)


@require_POST
@page(Permission.AGENT_MANAGE)
def suspend_agent(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Stop an agent and end its tokens."""
    found, actor, reason = _agent(request, agent_id), actor_of(request), reason_of(request)
    done = _("%s is suspended and its tokens have ended.") % found.name
    carry_out(request, lambda: services.suspend_agent(client_id=found.client_id, actor=actor, reason=reason), done=done)
    return redirect("access:agent", agent_id=agent_id)


@require_POST
@page(Permission.AGENT_MANAGE)
def resume_agent(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Let a suspended agent get tokens again."""
    found, actor, reason = _agent(request, agent_id), actor_of(request), reason_of(request)
    done = _("%s may get tokens again.") % found.name
    carry_out(request, lambda: services.resume_agent(client_id=found.client_id, actor=actor, reason=reason), done=done)
    return redirect("access:agent", agent_id=agent_id)


@require_POST
@page(Permission.AGENT_MANAGE)
@fresh
def rotate_secret(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Replace an agent's secret. The answer is the one page that ever shows the new one."""
    found, actor, reason = _agent(request, agent_id), actor_of(request), reason_of(request)
    made = attempt(request, lambda: services.rotate_secret(client_id=found.client_id, actor=actor, reason=reason))
    if made is None:
        return redirect("access:agent", agent_id=agent_id)
    context = {"made": made, "is_new": False, "token_command": _token_command(found.client_id)}
    return show(request, "access/agent_secret.html", context)


@require_safe
@page(Permission.ROLE_READ)
def roles(request: HttpRequest) -> HttpResponse:
    """Roles, and the grants that hold now."""
    actor = actor_of(request)
    live = Grant.objects.visible_to(actor).live()
    held = Count("grants", filter=Q(grants__in=live.values("pk")))
    grants = live.select_related("role", "person", "agent", "team", "granted_by")
    roles = Role.objects.visible_to(actor).annotate(held=held).order_by("-builtin", "name")
    context = {
        "roles": Paginator(roles, ROLES_SHOWN).get_page(request.GET.get("roles")),
        "whole": request.GET.get("whole", ""),
        "page": Paginator(grants.order_by("-pk"), PAGE_SIZE).get_page(request.GET.get("page")),
        "separations": RoleSeparation.objects.visible_to(actor).select_related("first", "second", "created_by"),
        "may_create": actor.may(Permission.ROLE_MANAGE),
        "may_grant": actor.may(Permission.GRANT_MANAGE),
        "sees_use": all(map(actor.may_somewhere, (Permission.GRANT_READ, Permission.TOOL_READ))),
    }
    return show(request, "access/roles.html", context)


@require_http_methods(FORM_METHODS)
@page(Permission.ROLE_MANAGE)
@fresh
def create_role(request: HttpRequest) -> HttpResponse:
    """Make a role."""
    actor = actor_of(request)
    form = RoleForm(request.POST or None)
    made = fulfil(
        form,
        lambda data: services.create_role(
            name=data["name"],
            scopes=data["all_scopes"],
            description=data["description"],
            reach=data["reach"],
            actor=actor,
        ),
    )
    if made is not None:
        messages.success(request, _("The role %s exists. Give it to somebody so that it counts.") % made.name)
        return redirect("access:roles")
    return show(request, "access/create_role.html", {"form": form}, status=form_status(form))


@require_http_methods(FORM_METHODS)
@page(Permission.ROLE_MANAGE)
def separate_roles(request: HttpRequest) -> HttpResponse:
    """Keep two roles apart."""
    actor = actor_of(request)
    form = SeparationForm(request.POST or None, actor=actor)
    made = fulfil(
        form,
        lambda data: services.separate_roles(roles=(data["role"], data["other"]), actor=actor, reason=data["reason"]),
    )
    if made is not None:
        messages.success(request, _("Nobody can hold both roles from now on."))
        return redirect("access:roles")
    return show(request, "access/separate_roles.html", {"form": form}, status=form_status(form))


@require_POST
@page(Permission.ROLE_MANAGE)
@fresh
def end_separation(request: HttpRequest, separation_id: UUID) -> HttpResponse:
    """Let people hold two roles again."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("The roles are no longer kept apart.")
    carry_out(
        request, lambda: services.end_separation(separation_id=separation_id, actor=actor, reason=reason), done=done
    )
    return redirect("access:roles")


@require_http_methods(FORM_METHODS)
@page(Permission.GRANT_MANAGE)
@fresh
def give_grant(request: HttpRequest) -> HttpResponse:
    """Give a role to an agent, a person or a team."""
    actor = actor_of(request)
    initial = {"role": request.GET.get("role", ""), "holder": request.GET.get("holder", "")}
    form = GrantForm(request.POST or None, actor=actor, initial=initial)
    made = fulfil(
        form,
        lambda data: services.give_grant(
            role=data["role"],
            holder=form.holder_named(),
            environment=data["environment"],
            expires_at=data["expires_at"],
            conditions=form.conditions(),
            reason=data["reason"],
            actor=actor,
        ),
    )
    if made is not None:
        messages.success(request, _("Given. It holds from now on."))
        if made.completes is not None:
            messages.warning(request, _flow(made.completes, actor))
        return back(request, reverse("access:roles"))
    return show(
        request, "access/give_grant.html", {"form": form, "next": request.GET.get("next", "")}, status=form_status(form)
    )


@require_POST
@page(Permission.GRANT_MANAGE)
def revoke_grant(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """End a grant now."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("Revoked. It no longer holds.")
    carry_out(request, lambda: services.revoke_grant(grant_id=grant_id, actor=actor, reason=reason), done=done)
    return back(request, reverse("access:roles"))


@require_safe
@page(Permission.PERSON_READ)
def people(request: HttpRequest) -> HttpResponse:
    """People with the roles and teams that they have now."""
    actor = actor_of(request)
    visible = Person.objects.visible_to(actor).order_by("username")
    rows = visible.prefetch_related(
        Grant.objects.visible_to(actor).as_live_grants(), Prefetch("teams", Team.objects.visible_to(actor))
    )
    context = {
        "page": Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page")),
        "may_manage": actor.may(Permission.PERSON_MANAGE),
    }
    return show(request, "access/people.html", context)


@sensitive_post_parameters("password")
@require_http_methods(FORM_METHODS)
@page(Permission.PERSON_MANAGE)
@fresh
def create_person(request: HttpRequest) -> HttpResponse:
    """Create somebody who can sign in."""
    actor = actor_of(request)
    form = PersonForm(request.POST or None, actor=actor)
    made = fulfil(form, lambda data: services.create_person(actor=actor, **data))
    if made is not None:
        messages.success(request, _("%s can sign in now.") % made.username)
        return redirect("access:people")
    return show(request, "access/create_person.html", {"form": form}, status=form_status(form))


@require_POST
@page(Permission.PERSON_MANAGE)
def deactivate_person(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Sign somebody out for good."""
    found = Person.objects.visible_to(actor_of(request)).filter(public_id=person_id).first()
    if found is None:
        raise NotFound("There is no such person.")
    actor, reason = actor_of(request), reason_of(request)
    done = _("%s can no longer sign in, and their tokens have ended.") % found.username
    carry_out(
        request, lambda: services.deactivate_person(username=found.username, actor=actor, reason=reason), done=done
    )
    return redirect("access:people")


def _flow(completed: Completed, actor: Actor) -> str:
    """What the giver is told of a flow; tools are named to who may read them, in ASCII, because servers named them."""
    told = _("With what its holder has already, this grant completes a toxic flow.")
    if not actor.may(Permission.TOOL_READ):
        return told
    names = {name: ascii(getattr(completed, name))[1:-1] for name in ("untrusted", "private", "out")}
    way = _("What %(untrusted)s brings in can ask %(private)s for what is private, and %(out)s leads it out.") % names
    return f"{told} {way}"


def _agent(request: HttpRequest, agent_id: UUID) -> Agent:
    visible = Agent.objects.visible_to(actor_of(request)).with_use().select_related("owner_team")
    found = visible.filter(public_id=agent_id).first()
    if found is None:
        raise NotFound("There is no such agent.")
    return found


def _token_command(client_id: str) -> str:
    """A command that gets a token; curl asks for the secret, so that it stays out of the shell's history."""
    url = f"{settings.ISSUER}{reverse('access_oauth:token')}"
    return f"curl --user {client_id} -d grant_type=client_credentials -d resource={settings.GATEWAY_URL}/SLUG {url}"
