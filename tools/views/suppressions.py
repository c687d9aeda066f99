"""The page of suppressions: which findings do not count, until when, by whom and why; making and revoking them."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from core.actor import Actor
from core.console import actor_of, carry_out, form_status, fulfil, page, reason_of, show
from core.needs import asks
from core.permissions import Permission
from tools import services
from tools.forms import SuppressionForm
from tools.models import Suppression

PAGE_SIZE = 50
_ASKED = ("server", "rule", "digest")


@require_http_methods(["GET", "HEAD", "POST"])
@page(Permission.REVIEW_READ, posting=asks(Permission.REVIEW_READ, Permission.REVIEW_DECIDE))
def suppressions(request: HttpRequest) -> HttpResponse:
    """What is left out of the risk now and what was, and the form that leaves something out."""
    actor = actor_of(request)
    form = SuppressionForm(request.POST or None, initial={name: request.GET.get(name, "") for name in _ASKED})
    if fulfil(form, lambda data: _made(data, actor)) is not None:
        messages.success(request, _("Suppressed. It stays visible, and nothing is let through by it."))
        return redirect("tools:suppressions")
    rows = Suppression.objects.visible_to(actor).for_list()
    context = {
        "page": Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page")),
        "form": form,
        "may_decide": actor.may_somewhere(Permission.REVIEW_DECIDE),
    }
    return show(request, "tools/suppressions.html", context, status=form_status(form))


@require_POST
@page(needs=asks(Permission.REVIEW_DECIDE))
def revoke_suppression(request: HttpRequest, suppression_id: UUID) -> HttpResponse:
    """Let the findings count again."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("Revoked. The findings count again.")
    carry_out(
        request,
        lambda: services.revoke_suppression(suppression_id=suppression_id, reason=reason, actor=actor),
        done=done,
    )
    return redirect("tools:suppressions")


def _made(data: dict[str, Any], actor: Actor) -> Suppression:
    target = services.Target(rule=data["rule"], digest=data["digest"])
    return services.suppress(
        server=data["server"], target=target, reason=data["reason"], until=data["until"], actor=actor
    )
