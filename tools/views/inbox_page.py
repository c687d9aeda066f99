"""The page of the inbox: what waits, narrowed and in order."""

from itertools import groupby
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.models import Listed, SavedSearch
from core.actor import Actor
from core.console import actor_of, page, show
from core.paging import KeyPaginator
from core.permissions import Permission
from servers.models import Server
from tools.inbox import ME, NOBODY, UNDECIDED, WAITING, listed, twins
from tools.inbox_forms import BulkForm, InboxFilterForm, SnoozeForm
from tools.models import Review
from tools.views.reviews import deciders, emergencies_in_force

PAGE_SIZE: Final = 50
_SHOWN: Final = 1000  # servers and people that a filter offers


@require_safe
@page(Permission.REVIEW_READ)
def inbox(request: HttpRequest) -> HttpResponse:
    """The reviews that wait, riskiest and oldest first. The URL holds every filter."""
    is_fragment = bool(request.htmx)  # type: ignore[attr-defined]
    context = inbox_context(request, BulkForm(), is_fragment=is_fragment)
    return show(request, "tools/_inbox.html" if is_fragment else "tools/inbox.html", context)


def filters_of(request: HttpRequest) -> InboxFilterForm:
    """The filters in a request's URL; the default where it has none."""
    return InboxFilterForm({"state": WAITING, **request.GET.dict()})


def inbox_url(query: dict[str, str]) -> str:
    """The inbox, narrowed."""
    return f"{reverse('tools:inbox')}?{urlencode(query)}" if query else reverse("tools:inbox")


def inbox_context(request: HttpRequest, form: BulkForm, *, is_fragment: bool = False) -> dict[str, Any]:
    """What the list shows; the page around it shows the filters too."""
    actor, filters = actor_of(request), filters_of(request)
    wanted = filters.wanted
    state, query = wanted.get("state", WAITING), filters.query
    rows = Review.objects.visible_to(actor).for_list()
    shown = KeyPaginator(listed(actor, wanted), rows, PAGE_SIZE).get_page(request.GET.get("page"))
    is_waiting, reviews = state in UNDECIDED, list(shown)
    context = {
        "filters": filters,
        "query": query,
        "query_text": urlencode(query),
        "form": form,
        "ticked": {chosen.id for chosen in form.cleaned_data.get("review", ())} if form.is_bound else set(),
        "page": shown,
        "groups": _by_risk(reviews) if is_waiting else [("", reviews)],
        "twins": twins(reviews, actor) if is_waiting else {},
        "state": state,
        "is_waiting": is_waiting,
        "is_filtered": bool(query.keys() - {"state"}),
        "put_off": _put_off(actor) if state == WAITING else 0,
        "may_decide": is_waiting and actor.may_somewhere(Permission.REVIEW_DECIDE),
        "snooze_form": SnoozeForm(),
        "nothing_registered": not reviews and not Server.objects.visible_to(actor).exists(),
    }
    return context if is_fragment else {**context, **_around(actor)}


def _put_off(actor: Actor) -> int:
    """How many wait out of sight."""
    return Review.objects.visible_to(actor).waiting().snoozed(timezone.now()).count()


def _around(actor: Actor) -> dict[str, Any]:
    """What stands around the list."""
    views = SavedSearch.objects.own(actor, Listed.REVIEWS.value).by_name()
    return {
        "emergencies": emergencies_in_force(actor),
        "servers": Server.objects.visible_to(actor).current().order_by("slug").values_list("slug", flat=True)[:_SHOWN],
        "people": deciders(actor, None),
        "views": [(view, inbox_url(view.query)) for view in views],
        "ME": ME,
        "NOBODY": NOBODY,
    }


def _by_risk(reviews: list[Review]) -> list[tuple[str, list[Review]]]:
    return [(risk, list(group)) for risk, group in groupby(reviews, key=lambda review: review.risk)]
