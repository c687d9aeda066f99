"""The page of one review, and of deciding it."""

from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from access.account.fresh import fresh_where
from access.models import Person
from access.services import people_who_may
from core.actor import Actor
from core.console import actor_of, form_status, fulfil, page, show
from core.needs import asks
from core.permissions import Permission
from servers.rules import DriftMode
from tools import presentation, services
from tools.forms import BreakGlassForm, DecisionForm
from tools.inbox import WAITING, identical, neighbours
from tools.inbox_forms import CommentForm, InboxFilterForm, SnoozeForm
from tools.models import BreakGlass, Definition, Pin, Review, ReviewComment, Sighting
from tools.prompted import prompted
from tools.relatives import precedents_of, relatives_of
from tools.rules import POLLER, ReviewState
from tools.standing import standing
from tools.views.risky import review_in_production
from tools.views.servers import agents_behind

TEXT_MODES: Final = (
    "visible",
    "raw",
    "escaped",
)  # how texts of others are shown; the first one where none is asked for
PEOPLE_SHOWN: Final = 500


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
        return redirect(request.get_full_path())
    return show_review(request, review_id, form=form, glass_form=glass_form(), status=form_status(form))


def show_review(
    request: HttpRequest, review_id: UUID, *, form: DecisionForm, glass_form: BreakGlassForm, status: int
) -> HttpResponse:
    """The page as things are now: words that were typed are kept, an old digest is not."""
    actor = actor_of(request)
    found = Review.objects.visible_to(actor).for_page().by_id(review_id)
    context = {**_review(found, actor), **_beside(request, found), "form": form, "glass_form": glass_form}
    return show(request, "tools/review.html", context, status=status)


def _beside(request: HttpRequest, found: Review) -> dict[str, Any]:
    """What the page shows beside the change: the list that it was opened from, who looks at it, what was said."""
    actor, filters = actor_of(request), InboxFilterForm({"state": WAITING, **request.GET.dict()})
    query, mode = filters.query, request.GET.get("text", "")
    team = found.definition.server.owner_team_id
    may_share = found.state == WAITING and actor.may(Permission.REVIEW_DECIDE, team_id=team)
    return {
        "query": query,
        "query_text": urlencode(query),
        "neighbours": neighbours(found, actor, filters.wanted),
        "elsewhere": identical([found], actor)[found.pk] - 1 if found.state == WAITING else 0,
        "comments": ReviewComment.objects.thread(found),
        "comment_form": CommentForm(auto_id="id_comment_%s"),
        "may_comment": actor.may(Permission.REVIEW_COMMENT, team_id=team),
        "may_share": may_share,
        "people": deciders(actor, team) if may_share else (),
        "snooze_form": SnoozeForm(auto_id="id_snooze_%s"),
        "chosen": f"{found.public_id} {found.version.digest}",
        "text_mode": mode if mode in TEXT_MODES else TEXT_MODES[0],
        "text_modes": TEXT_MODES,
    }


def deciders(actor: Actor, team_id: int | None) -> QuerySet[Person, str]:
    """User names of those who may decide what a team owns, as far as the actor sees people; some hundreds at most."""
    deciding = people_who_may(Permission.REVIEW_DECIDE, team_id=team_id)
    seen = Person.objects.visible_to(actor).filter(pk__in=deciding)
    return seen.order_by("username").values_list("username", flat=True)[:PEOPLE_SHOWN]


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
        "prompted": prompted(definition.kind, found.base.text if found.base else None, found.version.text),
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
    shown, mode = found.definition.observed_id, found.definition.server.drift_mode
    if (found.state, found.version_id, mode) != (ReviewState.WAITING.value, shown, DriftMode.SERVE_PINNED.value):
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
