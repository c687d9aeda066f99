"""The page that finds things by a few words, and the list that the command palette shows of it."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from controlplane.context import pages
from controlplane.finding.reading import ASKED_MAX, found
from core.console import actor_of, page, show
from core.needs import SIGNED_IN


@require_safe
@page(needs=SIGNED_IN)
def find(request: HttpRequest) -> HttpResponse:
    """Places that hold what `q` says, as far as the reader may see them; without it the pages of the console."""
    asked = request.GET.get("q", "")[:ASKED_MAX]
    actor = actor_of(request)
    links = [(link.title, link.url) for link in pages(request, actor)]
    context = {"asked": asked, "hits": found(actor, asked, links), "links": links}
    template = "finding/_hits.html" if request.htmx else "finding/find.html"  # type: ignore[attr-defined]
    return show(request, template, context)
