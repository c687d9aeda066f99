"""Decisions beside those of the review form: open again, break the glass; withdraw, go back, end an emergency.

Each is one form on a page of a review or of a definition, which says in `next` where it stands.
"""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from access.account.fresh import fresh_where
from core.actor import Actor
from core.console import actor_of, attempt, back, carry_out, form_status, fulfil, is_refused, page, reason_of
from core.needs import asks
from core.permissions import Permission
from tools import services
from tools.forms import DecisionForm, ReturnForm, WithdrawForm
from tools.models import BreakGlass
from tools.views.reviews import glass_form, show_review
from tools.views.risky import definition_in_production, review_in_production

_DECIDES: Final = asks(Permission.REVIEW_DECIDE)
_ASK_AGAIN: Final = gettext_lazy("Nothing was changed: say why, on the page as it is now.")


@require_POST
@page(needs=_DECIDES)
def reopen(request: HttpRequest, review_id: UUID) -> HttpResponse:
    """Open a rejection again, and lead to the review that waits now."""
    actor, reason = actor_of(request), reason_of(request)
    opened = attempt(request, lambda: services.reopen_review(review_id=review_id, reason=reason, actor=actor))
    if opened is None:
        return redirect("tools:review", review_id=review_id)
    messages.success(request, _("It waits for a decision again."))
    return redirect("tools:review", review_id=opened.public_id)


@require_POST
@page(needs=asks(Permission.REVIEW_BREAK_GLASS))
@fresh_where(review_in_production)
def break_glass(request: HttpRequest, review_id: UUID) -> HttpResponse:
    """Serve what waits, in an emergency."""
    actor = actor_of(request)
    form = glass_form(request.POST)
    broken = fulfil(form, lambda data: _broken(review_id, data, actor))
    if broken is None:
        return show_review(request, review_id, form=DecisionForm(), glass_form=form, status=form_status(form))
    until = f"{broken.expires_at:%Y-%m-%d %H:%M} UTC"
    messages.warning(request, _("Agents get this version until %s. Others have been told; please decide soon.") % until)
    return redirect("tools:review", review_id=review_id)


def _broken(review_id: UUID, data: dict[str, Any], actor: Actor) -> BreakGlass:
    until = timezone.now() + timedelta(hours=data["hours"])
    return services.break_glass(
        review_id=review_id, digest=data["digest"], reason=data["reason"], until=until, actor=actor
    )


@require_POST
@page(needs=_DECIDES)
def end_glass(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """End an emergency before its time."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("The emergency is over. It waits for a decision.")
    carry_out(
        request,
        lambda: services.end_glass_now(definition_id=definition_id, reason=reason, actor=actor),
        done=done,
    )
    return back(request, _page_of(definition_id))


@require_POST
@page(needs=_DECIDES)
def withdraw(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """Take back the approval of the version that was shown."""
    actor, form = actor_of(request), WithdrawForm(request.POST)
    if form.is_valid():
        done = _("Withdrawn. Agents no longer get it; it waits for a decision.")
        carry_out(
            request,
            lambda: services.withdraw_approval(definition_id=definition_id, actor=actor, **form.cleaned_data),
            done=done,
        )
    else:
        is_refused(request, "invalid", str(_ASK_AGAIN))
    return back(request, _page_of(definition_id))


@require_POST
@page(needs=_DECIDES)
@fresh_where(definition_in_production)
def return_to(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """Go back to an earlier approved version."""
    actor, form = actor_of(request), ReturnForm(request.POST)
    if form.is_valid():
        done = _("Approved as before. Agents get that version as soon as the server shows it.")
        carry_out(
            request,
            lambda: services.return_to_version(definition_id=definition_id, actor=actor, **form.cleaned_data),
            done=done,
        )
    else:
        is_refused(request, "invalid", str(_ASK_AGAIN))
    return back(request, _page_of(definition_id))


def _page_of(definition_id: UUID) -> str:
    return reverse("tools:definition", args=[definition_id])
