"""The page of the log's months, and pruning one by two people."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from audit import services
from audit.months import kept_months, months
from core.console import actor_of, attempt, carry_out, page, reason_of, show
from core.permissions import Permission


@require_safe
@page(Permission.LOG_PRUNE)
def months_page(request: HttpRequest) -> HttpResponse:
    """Which months the log has, and of which the bodies are there."""
    return show(request, "audit/months.html", {"rows": months(actor=actor_of(request)), "kept": kept_months()})


@require_POST
@page(Permission.LOG_PRUNE)
def request_pruning(request: HttpRequest, shard: int) -> HttpResponse:
    """Ask for the bodies of a month to be pruned."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("Asked. Another person has to agree within seven days.")
    carry_out(request, lambda: services.request_pruning(shard=shard, actor=actor, reason=reason), done=done)
    return redirect("audit:months")


@require_POST
@page(Permission.LOG_PRUNE)
def confirm_pruning(request: HttpRequest, shard: int) -> HttpResponse:
    """Agree to what another person asked for, which prunes the month."""
    actor = actor_of(request)
    pruned = attempt(request, lambda: services.confirm_pruning(shard=shard, actor=actor))
    if pruned is not None:
        said = ngettext("%d body is pruned. Its place stays.", "%d bodies are pruned. Their places stay.", pruned)
        messages.success(request, said % pruned)
    return redirect("audit:months")
