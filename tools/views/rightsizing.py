"""The page of what was given and is not used."""

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from access.models import Role
from core.console import UNPROCESSABLE, actor_of, carry_out, page, reader, show
from core.errors import Invalid
from core.needs import asks
from core.permissions import Permission
from tools import services
from tools.forms import NarrowForm, UnusedDaysForm
from tools.rightsizing import NEEDED, report

GRANTS_SHOWN = 30
ENDING_SHOWN = 20
ROLES_SHOWN = 10
PER_TOOL = "tools"  # the part that takes as long as all others; htmx gets it alone


@require_safe
@page(needs=asks(*NEEDED))
def right_sizing(request: HttpRequest) -> HttpResponse:
    """Grants and scopes that nobody used, roles wider than their use; scopes per tool where they are asked for."""
    actor = reader(request, *NEEDED)
    form = UnusedDaysForm({"days": settings.UNUSED_DAYS, **request.GET.dict()})
    days = form.cleaned_data["days"] if form.is_valid() else settings.UNUSED_DAYS
    found = report(actor, days=days)
    per_tool = found.roles.count_per_tool() if found.roles and request.GET.get("part") == PER_TOOL else None
    if per_tool is not None and request.htmx:  # type: ignore[attr-defined]
        return show(request, "tools/_per_tool.html", {"per_tool": per_tool})
    context = {
        "per_tool": per_tool,
        "form": form,
        "report": found,
        "page": Paginator(found.unused, GRANTS_SHOWN).get_page(request.GET.get("page")),
        "ending": found.ending[:ENDING_SHOWN],
        "roles_page": found.roles and Paginator(found.roles.found, ROLES_SHOWN).get_page(request.GET.get("roles")),
        "may_grant": actor.may(Permission.GRANT_MANAGE),
        "may_create": actor.may(Permission.ROLE_MANAGE),
    }
    return show(request, "tools/right_sizing.html", context, status=200 if form.is_valid() else UNPROCESSABLE)


@require_POST
@page(needs=asks(Permission.ROLE_MANAGE, *NEEDED))
def narrow(request: HttpRequest) -> HttpResponse:
    """Make the narrower role that the page proposes."""
    done = _("The narrower role exists. Give it to those who need it, then revoke the wider one.")
    carry_out(request, lambda: _narrowed(request), done=done)
    return redirect("tools:right_sizing")


def _narrowed(request: HttpRequest) -> Role:
    form = NarrowForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("Name a role, the days, and what the narrower role is to be called."))
    data = form.cleaned_data
    return services.narrow_role(role_id=data["role"], name=data["name"], days=data["days"], actor=actor_of(request))
