"""The pages of who may call a tool right now, and of who could if what waits were approved."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from controlplane.callers.blast import blast_of
from controlplane.callers.reading import callers_of, tool_named
from controlplane.flows.reading import NEEDED, is_partial
from core.console import page, reader, show
from core.needs import asks
from core.permissions import Permission
from tools.models import Review

PAGE_SIZE = 100


@require_safe
@page(needs=asks(Permission.REVIEW_READ, *NEEDED))
def how_far(request: HttpRequest, review_id: UUID) -> HttpResponse:
    """How far a change would reach; htmx gets it alone, for the page of the review."""
    actor = reader(request, Permission.REVIEW_READ, *NEEDED)
    review = Review.objects.visible_to(actor).select_related("definition__server", "version").by_id(review_id)
    context = {"review": review, "blast": blast_of(actor, review), "is_partial": is_partial(actor)}
    return show(request, "tools/_blast.html" if request.htmx else "tools/blast.html", context)  # type: ignore[attr-defined]


@require_safe
@page(needs=asks(*NEEDED))
def who_may_call(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """Agents and people who may call one tool now."""
    actor = reader(request, *NEEDED)
    definition = tool_named(actor, definition_id)
    shown = Paginator(callers_of(actor, definition), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"definition": definition, "page": shown, "is_partial": is_partial(actor)}
    return show(request, "tools/callers.html", context)
