"""The page of the inbox: what waits, narrowed and in order."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.models import Listed, SavedSearch
from audit.services import shown_searches
from core.actor import Actor
from core.console import actor_of, page, show
from core.permissions import Permission
from servers.models import Server
from tools.inbox import ME, NOBODY, UNDECIDED, WAITING, members
from tools.inbox_forms import BulkForm, Chosen, InboxFilterForm, SnoozeForm
from tools.models import Review
from tools.views.inbox_rows import by_risk, matching, pages, rows_of
from tools.views.reviews import deciders, emergencies_in_force

PAGE_SIZE: Final = 50
VIEWS: Final = 200  # that the page lists
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


def inbox_url(query: Mapping[str, str]) -> str:
    """The inbox, narrowed."""
    return f"{reverse('tools:inbox')}?{urlencode(query)}" if query else reverse("tools:inbox")


def unfolded(chosen: list[Chosen], request: HttpRequest) -> list[Chosen]:
    """The ticked rows, each review by itself: a folded row is all of its list that are about the same change now."""
    folds = [each.id for each in chosen if each.folded]
    found = members(folds, actor_of(request), filters_of(request).wanted) if folds else {}
    rows = ((one, row.digest) for row in chosen for one in found.get(row.id, (row.id,)))
    return [Chosen(one, digest) for one, digest in dict(rows).items()]


def inbox_context(request: HttpRequest, form: BulkForm, *, is_fragment: bool = False) -> dict[str, Any]:
    """What the list shows; the page around it shows the filters too."""
    actor, filters = actor_of(request), filters_of(request)
    wanted = filters.wanted
    state, query = wanted.get("state", WAITING), filters.query
    shown = pages(actor, wanted, PAGE_SIZE).get_page(request.GET.get("page"))
    is_waiting, rows = state in UNDECIDED, rows_of(shown, actor, wanted)
    context = {
        "filters": filters,
        "query": query,
        "query_text": urlencode(query),
        "form": form,
        "ticked": {chosen.id for chosen in form.cleaned_data.get("review", ())} if form.is_bound else set(),
        "page": shown,
        "matching": matching(shown.paginator),
        "groups": by_risk(rows) if is_waiting else [("", len(rows), rows)],
        "state": state,
        "is_waiting": is_waiting,
        "is_filtered": bool(query.keys() - {"state"}),
        "put_off": _put_off(actor) if state == WAITING else 0,
        "may_decide": is_waiting and actor.may_somewhere(Permission.REVIEW_DECIDE),
        "snooze_form": SnoozeForm(),
        "nothing_registered": not rows and not Server.objects.visible_to(actor).exists(),
    }
    return context if is_fragment else {**context, **_around(actor)}


def _put_off(actor: Actor) -> int:
    """How many wait out of sight."""
    return Review.objects.visible_to(actor).waiting().snoozed(timezone.now()).count()


def _around(actor: Actor) -> dict[str, Any]:
    """What stands around the list."""
    return {
        "emergencies": emergencies_in_force(actor),
        "servers": Server.objects.visible_to(actor).current().order_by("slug").values_list("slug", flat=True)[:_SHOWN],
        "people": deciders(actor, None),
        "views": _views(actor),
        "ME": ME,
        "NOBODY": NOBODY,
    }


def _views(actor: Actor) -> list[tuple[SavedSearch, str, str, bool]]:
    return shown_searches(SavedSearch.objects.of_list(actor, Listed.REVIEWS.value).by_name()[:VIEWS], actor, inbox_url)
