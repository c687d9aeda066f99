"""The page of who may call a tool right now."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from controlplane.callers.reading import callers_of, tool_named
from controlplane.flows.reading import NEEDED, is_partial
from core.console import page, reader, show
from core.needs import asks

PAGE_SIZE = 100


@require_safe
@page(needs=asks(*NEEDED))
def who_may_call(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """Agents and people who may call one tool now."""
    actor = reader(request, *NEEDED)
    definition = tool_named(actor, definition_id)
    shown = Paginator(callers_of(actor, definition), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"definition": definition, "page": shown, "is_partial": is_partial(actor)}
    return show(request, "tools/callers.html", context)
