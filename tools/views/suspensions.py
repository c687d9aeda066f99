"""The page of the kill switch: what is suspended, since when, by whom and why; suspending; lifting."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from access.account.fresh import fresh
from access.models import Suspension
from access.services import lift
from core.console import actor_of, carry_out, form_status, fulfil, page, reason_of, show
from core.needs import asks
from core.permissions import Permission
from tools import services
from tools.forms import SuspensionForm

PAGE_SIZE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@page(Permission.SUSPENSION_READ, posting=asks(Permission.SUSPENSION_READ, Permission.SUSPENSION_SET))
def suspensions(request: HttpRequest) -> HttpResponse:
    """What is suspended now and what was, and the form that suspends."""
    actor = actor_of(request)
    asked = {"kind": request.GET.get("kind", ""), "name": request.GET.get("name", "")}
    form = SuspensionForm(request.POST or None, initial=asked)
    if fulfil(form, lambda data: services.suspend(**data, actor=actor)) is not None:
        messages.success(request, _("Suspended. Every gateway refuses it within a second."))
        return redirect("tools:suspensions")
    visible = Suspension.objects.visible_to(actor).titled().select_related("suspended_by", "lifted_by")
    newest = visible.order_by(F("lifted_at").desc(nulls_first=True), "-pk")
    context = {
        "page": Paginator(newest, PAGE_SIZE).get_page(request.GET.get("page")),
        "form": form,
        "may_set": actor.may_somewhere(Permission.SUSPENSION_SET),
        "may_lift": actor.may_somewhere(Permission.SUSPENSION_LIFT),
    }
    return show(request, "tools/suspensions.html", context, status=form_status(form))


@require_POST
@page(Permission.SUSPENSION_LIFT)
@fresh
def lift_suspension(request: HttpRequest, suspension_id: UUID) -> HttpResponse:
    """Let it go on; another person than who suspended it."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("Lifted. Every gateway serves it again within a second.")
    carry_out(request, lambda: lift(suspension_id=suspension_id, actor=actor, reason=reason), done=done)
    return redirect("tools:suspensions")
