"""Pages of the inbox, of one review, and of deciding."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Page
from django.db.models import Case, IntegerField, Value, When
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access.account.fresh import fresh_where
from core.actor import Actor
from core.console import actor_of, form_status, fulfil, page, show
from core.needs import asks
from core.paging import KeyPaginator
from core.permissions import Permission
from core.refusal import mark_refused
from servers.models import Server
from tools import presentation, services
from tools.classify import Risk
from tools.forms import BreakGlassForm, BulkForm, DecisionForm, InboxFilterForm
from tools.models import BreakGlass, Definition, Pin, Review, Sighting
from tools.querysets import ReviewQuerySet
from tools.relatives import precedents_of, relatives_of
from tools.rules import POLLER, ReviewState
from tools.standing import standing
from tools.views.risky import any_in_production, review_in_production
from tools.views.servers import agents_behind

PAGE_SIZE = 50
_RISK_ORDER = Case(
    *(When(risk=risk.value, then=Value(rank)) for rank, risk in enumerate((Risk.HIGH, Risk.MEDIUM, Risk.LOW))),
    default=Value(0),
    output_field=IntegerField(),
)


@require_safe
@page(Permission.REVIEW_READ)
def inbox(request: HttpRequest) -> HttpResponse:
    """The reviews that wait, riskiest and oldest first. The URL holds every filter."""
    return show(request, _inbox_template(request), _inbox(request, BulkForm()))


@require_POST
@page(Permission.REVIEW_DECIDE)
@fresh_where(any_in_production)
def decide_many(request: HttpRequest) -> HttpResponse:
    """One verdict and reason for the ticked reviews; each succeeds or fails by itself, and the page says which."""
    actor = actor_of(request)
    form = BulkForm(request.POST)
    results = fulfil(form, lambda data: _decide_chosen(data, actor))
    if results is None:
        return show(request, "tools/inbox.html", _inbox(request, form), status=form_status(form))
    done = sum(1 for result in results if not result.error)
    if done == len(results):
        messages.success(request, ngettext("%d review decided.", "%d reviews decided.", done) % done)
        query = request.GET.urlencode()
        return redirect(f"{reverse('tools:inbox')}?{query}" if query else "tools:inbox")
    if not done:
        mark_refused(request, "conflict")
    return show(request, "tools/decided.html", {"results": results, "done": done})


@require_http_methods(["GET", "HEAD", "POST"])
@page(Permission.REVIEW_READ, posting=asks(Permission.REVIEW_DECIDE))
@fresh_where(review_in_production)
def review(request: HttpRequest, review_id: UUID) -> HttpResponse:
    """What changed, what was found, and the decision about exactly the digest that is shown."""
    actor = actor_of(request)
    form = DecisionForm(request.POST or None)
    decided = fulfil(form, lambda data: services.decide_review(review_id=review_id, actor=actor, **data))
    if decided is not None:
        messages.success(request, _said(decided))
        return redirect("tools:review", review_id=review_id)
    return show_review(request, review_id, form=form, glass_form=glass_form(), status=form_status(form))


def show_review(
    request: HttpRequest, review_id: UUID, *, form: DecisionForm, glass_form: BreakGlassForm, status: int
) -> HttpResponse:
    """The page as things are now: words that were typed are kept, an old digest is not."""
    actor = actor_of(request)
    found = Review.objects.visible_to(actor).for_page().by_id(review_id)
    context = {**_review(found, actor), "form": form, "glass_form": glass_form}
    return show(request, "tools/review.html", context, status=status)


def glass_form(data: QueryDict | None = None) -> BreakGlassForm:
    """The form of an emergency, beside another form on the page that has fields of the same names."""
    return BreakGlassForm(data, auto_id="id_glass_%s")


def emergencies_in_force(actor: Actor, **about: Any) -> list[BreakGlass]:
    """What is served in an emergency now, each with whether the actor `may_end` it."""
    found = list(BreakGlass.objects.visible_to(actor).in_force(timezone.now()).filter(**about).for_list())
    for glass in found:
        team = glass.definition.server.owner_team_id
        glass.may_end = actor.may(Permission.REVIEW_DECIDE, team_id=team)  # type: ignore[attr-defined]  # for the page
    return found


def _said(decided: Review) -> str:
    if decided.state == ReviewState.APPROVED.value:
        return _("Approved. Agents get exactly this version within a second.")
    if decided.state == ReviewState.REJECTED.value:
        return _("Rejected. Agents do not get it.")
    if decided.state == ReviewState.DISMISSED.value:
        return _("Dismissed. What is approved is served on.")
    if decided.vantage != POLLER:
        return _("Your voice counts; another person has to dismiss it as well.")
    return _("Your approval counts; another person has to approve as well.")


def _review(found: Review, actor: Actor) -> dict[str, Any]:
    definition, decisions = found.definition, list(found.decisions.all())
    newer = Review.objects.visible_to(actor).waiting().filter(definition=definition).exclude(pk=found.pk).first()
    return {
        "review": found,
        "view": presentation.review_view(
            kind=definition.kind,
            name=definition.name,
            before=found.base.text if found.base else None,
            after=found.version.text,
            change=found.change,
        ),
        "decisions": decisions,
        "standing": standing(found, decisions, actor),
        "serves_on": _serves_on(found),
        **_shown_to(found, actor),
        "newer": newer,
        "pin": Pin.objects.live().filter(definition=definition).select_related("version").first(),
        "emergencies": emergencies_in_force(actor, definition=definition),
        "relatives": relatives_of(found, actor),
        "precedents": precedents_of(found, actor),
        "glasses": BreakGlass.objects.filter(review=found).for_list(),
        "earlier": Review.objects.visible_to(actor)
        .filter(definition=definition, pk__lt=found.pk)
        .select_related("version")
        .defer("version__text")
        .order_by("-pk")[:10],
    }


def _serves_on(found: Review) -> bool:
    """Whether agents go on with the approved text while this waits, by the server's drift mode."""
    if found.state != ReviewState.WAITING.value or found.version_id != found.definition.observed_id:
        return False
    rows: Any = Definition.objects.for_list().defer("observed__text")
    row = rows.get(pk=found.definition_id)
    return bool(row.served and not row.approved and not row.on_glass)


def _shown_to(found: Review, actor: Actor) -> dict[str, Any]:
    """Of a review about what agents were shown: which `agent`, and whether `only_this_class` was shown such a thing."""
    if found.vantage == POLLER:
        return {}
    definition = found.definition
    approved = Pin.objects.live().filter(definition=definition, version=definition.observed_id)
    differing = Sighting.objects.filter(definition=definition, version__isnull=False)
    differing = differing.exclude(version=definition.observed_id)
    mine = list(differing.values_list("vantage", "version"))
    return {
        "agent": agents_behind(actor, [found.vantage]).get(found.vantage),
        "only_this_class": mine == [(found.vantage, found.version_id)] and definition.present and approved.exists(),
    }


def _inbox_template(request: HttpRequest) -> str:
    return "tools/_inbox.html" if request.htmx else "tools/inbox.html"  # type: ignore[attr-defined]


def _inbox(request: HttpRequest, form: BulkForm) -> dict[str, Any]:
    actor = actor_of(request)
    filters = InboxFilterForm({"state": ReviewState.WAITING.value, **request.GET.dict()})
    filters.is_valid()
    state = filters.cleaned_data.get("state") or ReviewState.WAITING.value
    found = _narrowed(Review.objects.visible_to(actor), filters.cleaned_data).filter(state=state)
    waiting = state == ReviewState.WAITING.value
    order = (_RISK_ORDER, "opened_at", "pk") if waiting else ("-closed_at", "-pk")
    listed = KeyPaginator(found.order_by(*order), Review.objects.visible_to(actor).for_list(), PAGE_SIZE)
    shown = listed.get_page(request.GET.get("page"))
    return {
        "filters": filters,
        "form": form,
        "ticked": {chosen.id for chosen in form.cleaned_data.get("review", ())} if form.is_bound else set(),
        "page": shown,
        "groups": _by_risk(shown) if waiting else [("", list(shown))],
        "state": state,
        "is_waiting": waiting,
        "emergencies": emergencies_in_force(actor),
        "is_filtered": bool(filters.cleaned_data.get("server") or filters.cleaned_data.get("kind")),
        "servers": Server.objects.visible_to(actor).current().order_by("slug").values_list("slug", flat=True)[:1000],
        "may_decide": waiting and actor.may_somewhere(Permission.REVIEW_DECIDE),
        "nothing_registered": not shown.object_list and not Server.objects.visible_to(actor).exists(),
    }


def _by_risk(shown: "Page[Review]") -> list[tuple[str, list[Review]]]:
    return [(risk, list(reviews)) for risk, reviews in groupby(shown, key=lambda review: review.risk)]


def _narrowed(found: ReviewQuerySet, wanted: dict[str, Any]) -> ReviewQuerySet:
    if wanted.get("server"):
        found = found.filter(definition__server__slug=wanted["server"])
    if wanted.get("kind"):
        found = found.filter(definition__kind=wanted["kind"])
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of the answer to a bulk decision. `error` is a sentence, or empty."""

    review: Review | None
    state: str
    error: str


def _decide_chosen(data: dict[str, Any], actor: Actor) -> list[Outcome]:
    choices = [services.Choice(chosen.id, chosen.digest) for chosen in data["review"]]
    results = services.decide_reviews(choices=choices, verdict=data["verdict"], reason=data["reason"], actor=actor)
    rows = Review.objects.visible_to(actor).filter(public_id__in=[result.review_id for result in results])
    by_id = {row.public_id: row for row in rows.select_related("definition__server")}
    return [
        Outcome(by_id.get(result.review_id), result.state, result.error.message if result.error else "")
        for result in results
    ]
