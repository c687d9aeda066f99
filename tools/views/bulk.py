"""Deciding several reviews together: first what it would be, then what came of each, and the way back."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from access.account.fresh import fresh_where
from core.actor import Actor
from core.console import actor_of, form_status, fulfil, page, show
from core.ids import new_id
from core.permissions import Permission
from core.refusal import mark_refused
from tools import services
from tools.inbox import listed
from tools.inbox_forms import BulkForm, Chosen, InboxFilterForm, UndoForm
from tools.models import Review
from tools.rules import ReviewState
from tools.services.deciding import BULK_MAX
from tools.standing import bulk_obstacle, in_bulk
from tools.views.inbox_page import filters_of, inbox_context, inbox_url, unfolded
from tools.views.risky import any_in_production

Row = tuple[Review, str]  # with the digest that was shown
_UNDONE = (ReviewState.APPROVED.value, ReviewState.REJECTED.value)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of the answer to a bulk decision. `error` is a sentence, or empty."""

    review: Review | None
    state: str
    error: str


@require_POST
@page(Permission.REVIEW_DECIDE)
@fresh_where(any_in_production)
def decide_many(request: HttpRequest) -> HttpResponse:
    """One verdict and reason for the ticked reviews; each succeeds or fails by itself, and the page says which.

    What is not `confirmed` is only shown as it would be, and so is a row that stands for several.
    """
    actor, form, batch = actor_of(request), BulkForm(request.POST), new_id()
    if not form.is_valid():
        return show(request, "tools/inbox.html", inbox_context(request, form), status=form_status(form))
    if not form.cleaned_data["confirmed"] or any(each.folded for each in form.cleaned_data["review"]):
        return _preview(request, form)
    outcomes = fulfil(form, lambda data: _outcomes(services.decide_reviews(
        choices=_choices(data["review"]), verdict=data["verdict"], reason=data["reason"], actor=actor, batch_id=batch
    ), actor))  # fmt: skip
    if outcomes is None:
        return show(request, "tools/inbox.html", inbox_context(request, form), status=form_status(form))
    return _result(request, outcomes, batch, done=_("%(done)d of %(total)d decided"))


@require_POST
@page(Permission.REVIEW_DECIDE)
def undo_many(request: HttpRequest) -> HttpResponse:
    """Withdraw approvals and open rejections again, each as an event of its own."""
    actor, form, batch = actor_of(request), UndoForm(request.POST), new_id()
    outcomes = fulfil(form, lambda data: _outcomes(services.undo_decisions(
        choices=_choices(data["review"]), reason=data["reason"], actor=actor, batch_id=batch
    ), actor))  # fmt: skip
    if outcomes is None:
        mark_refused(request, "invalid")
        messages.error(request, _("Nothing was taken back: say why."))
        return show(request, "tools/inbox.html", inbox_context(request, BulkForm()), status=form_status(form))
    return _result(request, outcomes, batch, done=_("%(done)d of %(total)d taken back"))


def _preview(request: HttpRequest, form: BulkForm) -> HttpResponse:
    """Each review with what would keep it from being decided together with others."""
    actor, data, filters = actor_of(request), form.cleaned_data, filters_of(request)
    rows, is_cut = _all(actor, filters) if data["all"] else _ticked(actor, unfolded(data["review"], request))
    judged = [_judged(review, digest, data["verdict"], request) for review, digest in rows]
    context = {
        "rows": judged,
        "possible": sum(1 for _review, _value, obstacle, _state in judged if not obstacle),
        "is_cut": is_cut,
        "most": BULK_MAX,
        "form": form,
        "query_text": urlencode(filters.query),
        "back": inbox_url(filters.query),
    }
    return show(request, "tools/bulk.html", context)


def _judged(review: Review, digest: str, verdict: str, request: HttpRequest) -> tuple[Review, str, str, str]:
    """A row of the page: the review, what its form sends, what stands in the way, and what becomes of it otherwise."""
    assert request.user.pk is not None  # noqa: S101 -- `page` let nobody else through
    obstacle = bulk_obstacle(review, digest, verdict, actor_of(request), request.user.pk)
    return review, f"{review.public_id} {digest}", obstacle, in_bulk(review, verdict)


def _all(actor: Actor, filters: InboxFilterForm) -> tuple[list[Row], bool]:
    """What the filters leave, as it is now, and whether there is more than is decided at once."""
    keys = list(listed(actor, filters.wanted).values_list("pk", flat=True)[: BULK_MAX + 1])
    found = Review.objects.visible_to(actor).for_list().in_bulk(keys[:BULK_MAX])
    rows = [found[key] for key in keys if key in found]
    return [(review, review.version.digest) for review in rows], len(keys) > BULK_MAX


def _ticked(actor: Actor, chosen: list[Chosen]) -> tuple[list[Row], bool]:
    """The rows that were ticked, each with the digest that was shown then, and whether there are more."""
    found = (
        Review.objects.visible_to(actor)
        .for_list()
        .in_bulk([each.id for each in chosen[:BULK_MAX]], field_name="public_id")
    )
    return [(found[each.id], each.digest) for each in chosen if each.id in found], len(chosen) > BULK_MAX


def _choices(chosen: list[Chosen]) -> list[services.Choice]:
    return [services.Choice(each.id, each.digest) for each in chosen]


def _result(request: HttpRequest, outcomes: list[Outcome], batch: UUID, *, done: str) -> HttpResponse:
    succeeded = [outcome for outcome in outcomes if not outcome.error]
    if not succeeded:
        mark_refused(request, "conflict")
    query = filters_of(request).query
    context: dict[str, Any] = {
        "title": done % {"done": len(succeeded), "total": len(outcomes)},
        "results": outcomes,
        "undoable": [each.review for each in succeeded if each.review and each.state in _UNDONE],
        "waits_on": sum(1 for each in succeeded if each.state == ReviewState.WAITING.value),
        "batch": batch,
        "back": inbox_url(query),
    }
    return show(request, "tools/decided.html", context)


def _outcomes(results: list[services.ItemResult], actor: Actor) -> list[Outcome]:
    rows = Review.objects.visible_to(actor).filter(public_id__in=[result.review_id for result in results])
    by_id = {row.public_id: row for row in rows.select_related("definition__server", "version").defer("version__text")}
    return [
        Outcome(by_id.get(result.review_id), result.state, result.error.message if result.error else "")
        for result in results
    ]
