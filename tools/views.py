"""Pages of reviews and of one server with what it shows."""

from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db.models import Case, IntegerField, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from core.actor import Actor
from core.console import actor_of, attempt, carry_out, form_status, fulfil, page, reason_of, show
from core.permissions import Permission
from servers.models import Observation, Server
from servers.rules import ServerState
from tools import presentation, services
from tools.classify import Risk
from tools.forms import BulkForm, DecisionForm, DefinitionFilterForm, InboxFilterForm
from tools.models import Definition, Review
from tools.querysets import DefinitionQuerySet, ReviewQuerySet
from tools.rules import DefinitionState, ReviewState
from tools.standing import standing

PAGE_SIZE = 100
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
@page()
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
    return show(request, "tools/decided.html", {"results": results, "done": done})


@require_http_methods(["GET", "HEAD", "POST"])
@page(Permission.REVIEW_READ)
def review(request: HttpRequest, review_id: UUID) -> HttpResponse:
    """What changed, what was found, and the decision about exactly the digest that is shown."""
    actor = actor_of(request)
    found = Review.objects.visible_to(actor).for_page().by_id(review_id)
    form = DecisionForm(request.POST or None, initial={"digest": found.version.digest})
    decided = fulfil(form, lambda data: services.decide_review(review_id=review_id, actor=actor, **data))
    if decided is not None:
        messages.success(request, _said(decided))
        return redirect("tools:review", review_id=review_id)
    status = form_status(form)
    if status == HTTPStatus.CONFLICT:
        # The page is shown as things are now; the words that were typed are kept, the old digest is not.
        found = Review.objects.visible_to(actor).for_page().by_id(review_id)
    return show(request, "tools/review.html", _review(found, actor, form), status=status)


def _said(decided: Review) -> str:
    if decided.state == ReviewState.APPROVED.value:
        return _("Approved. Agents get exactly this version within a second.")
    if decided.state == ReviewState.REJECTED.value:
        return _("Rejected. It stays in quarantine.")
    return _("Your approval counts; another person has to approve as well.")


def _review(found: Review, actor: Actor, form: DecisionForm) -> dict[str, Any]:
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
        "newer": newer,
        "form": form,
        "earlier": Review.objects.visible_to(actor)
        .filter(definition=definition, pk__lt=found.pk)
        .select_related("version")
        .defer("version__text")
        .order_by("-pk")[:10],
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
    shown = Paginator(found.for_list().order_by(*order), PAGE_SIZE).get_page(request.GET.get("page"))
    return {
        "filters": filters,
        "form": form,
        "ticked": {chosen.id for chosen in form.cleaned_data.get("review", ())} if form.is_bound else set(),
        "page": shown,
        "groups": _by_risk(shown) if waiting else [("", list(shown))],
        "state": state,
        "is_waiting": waiting,
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
    shown = Paginator(_listed(definitions, filters.cleaned_data), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "server": server,
        "filters": filters,
        "is_filtered": any(filters.cleaned_data.values()),
        "page": shown,
        "rows": [_row(definition, waiting) for definition in shown],
        "waiting_count": len(waiting),
        "observations": Observation.objects.recent(server, 10).defer("items"),
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
@page()
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
        messages.warning(request, _("The look was not complete, so nothing changed: %s") % result.error)
    return redirect("tools:server_detail", slug=slug)


@require_POST
@page()
def retire(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a server out of use for good."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("%s is retired. Its approvals have ended; its slug stays its own.") % slug
    carry_out(request, lambda: services.retire(slug=slug, actor=actor, reason=reason), done=done)
    return redirect("tools:server_detail", slug=slug)


def _listed(definitions: DefinitionQuerySet, wanted: dict[str, Any]) -> DefinitionQuerySet:
    if wanted.get("state"):
        definitions = definitions.in_state(DefinitionState(wanted["state"]))
    if wanted.get("kind"):
        definitions = definitions.filter(kind=wanted["kind"])
    if wanted.get("q"):
        definitions = definitions.filter(name__icontains=wanted["q"])
    return definitions.for_list().defer("observed__text").order_by("kind", "name")


def _row(definition: Any, waiting: dict[int, UUID]) -> dict[str, Any]:
    """A definition with its derived state; `for_list` joined the pin."""
    now = timezone.now()
    expires = definition.pin_expires_at
    digest = definition.observed.digest if definition.observed else ""
    unexpired = expires is None or expires > now
    state = "vanished" if not definition.present else "held"
    if definition.present and digest == definition.pin_digest:
        state = "approved" if unexpired else "expired"
    return {"definition": definition, "digest": digest, "state": state, "review": waiting.get(definition.pk)}


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
