"""Teams and their members in the console."""

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import services
from access.account.fresh import fresh
from access.models import Grant, Person, Team
from access.names import NAME_MAX, USERNAME_MAX
from core.console import actor_of, carry_out, form_status, fulfil, page, show
from core.errors import NotFound
from core.names import SLUG_MAX
from core.permissions import Permission

PAGE_SIZE = 100


class TeamForm(forms.Form):
    """A new team."""

    slug = forms.CharField(
        label=gettext_lazy("Slug"),
        max_length=SLUG_MAX,
        help_text=gettext_lazy("Lower-case letters, digits and hyphens. It stays as it is."),
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=NAME_MAX, required=False)


class MemberForm(forms.Form):
    """Who is to be in a team."""

    username = forms.CharField(label=gettext_lazy("User name"), max_length=USERNAME_MAX)


@require_safe
@page(Permission.TEAM_READ)
def teams(request: HttpRequest) -> HttpResponse:
    """Teams, with how many people are in them as far as the reader sees those."""
    actor = actor_of(request)
    people = Person.objects.visible_to(actor).order_by().values("pk")
    counted = Count("memberships", filter=Q(memberships__person__in=people))
    visible = Team.objects.visible_to(actor).annotate(people=counted).order_by("slug")
    context = {
        "page": Paginator(visible, PAGE_SIZE).get_page(request.GET.get("page")),
        "may_manage": actor.may(Permission.TEAM_MANAGE),
    }
    return show(request, "access/teams.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page(Permission.TEAM_MANAGE)
@fresh
def create_team(request: HttpRequest) -> HttpResponse:
    """Make a team."""
    actor, form = actor_of(request), TeamForm(request.POST or None)
    made = fulfil(form, lambda data: services.create_team(actor=actor, **data))
    if made is not None:
        messages.success(request, _("The team %s exists. Add people to it.") % made.slug)
        return redirect("access:team", team=made.slug)
    return show(request, "access/create_team.html", {"form": form}, status=form_status(form))


@require_safe
@page(Permission.TEAM_READ)
def one_team(request: HttpRequest, team: str) -> HttpResponse:
    """One team: its people, and the roles that it gives them."""
    return _page(request, _team(request, team), MemberForm())


@require_POST
@page(Permission.TEAM_MANAGE)
@fresh
def add_member(request: HttpRequest, team: str) -> HttpResponse:
    """Put a person into a team."""
    found, actor, form = _team(request, team), actor_of(request), MemberForm(request.POST)
    made = fulfil(form, lambda data: services.add_member(team=team, actor=actor, **data))
    if made is None:
        return _page(request, found, form)
    messages.success(request, _("%s is in the team. Its roles reach them from now on.") % made.person.username)
    return redirect("access:team", team=team)


@require_POST
@page(Permission.TEAM_MANAGE)
def remove_member(request: HttpRequest, team: str, username: str) -> HttpResponse:
    """Take a person out of a team."""
    _team(request, team)
    actor, done = actor_of(request), _("%s is no longer in the team.") % username
    carry_out(request, lambda: services.remove_member(team=team, username=username, actor=actor), done=done)
    return redirect("access:team", team=team)


def _page(request: HttpRequest, found: Team, form: MemberForm) -> HttpResponse:
    actor = actor_of(request)
    people = Person.objects.visible_to(actor).filter(teams=found).order_by("username")
    grants = Grant.objects.visible_to(actor).live().filter(team=found).select_related("role", "granted_by")
    context = {
        "team": found,
        "page": Paginator(people, PAGE_SIZE).get_page(request.GET.get("page")),
        "grants": grants.order_by("-pk")[:PAGE_SIZE],
        "form": form,
        "may_manage": actor.may(Permission.TEAM_MANAGE),
        "may_grant": actor.may(Permission.GRANT_MANAGE),
    }
    return show(request, "access/team.html", context, status=form_status(form))


def _team(request: HttpRequest, slug: str) -> Team:
    found = Team.objects.visible_to(actor_of(request)).filter(slug=slug).first() if "\0" not in slug else None
    if found is None:
        raise NotFound("There is no such team.")
    return found
