"""The page that finds things, and the same as a list for the command palette."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from controlplane.context import links
from controlplane.find.reading import LONGEST, MOST, Found, find
from core.console import actor_of, page, show
from core.needs import SIGNED_IN


@require_safe
@page(needs=SIGNED_IN)
def find_page(request: HttpRequest) -> HttpResponse:
    """Pages and things by a part of their names; all pages where nothing is asked yet."""
    question = request.GET.get("q", "")[:LONGEST].strip()
    found = [*_pages(request, question), *find(actor_of(request), question)][:MOST]
    context = {"question": question, "found": [(each, _kind(each.kind)) for each in found]}
    return show(request, "find/_options.html" if "options" in request.GET else "find/find.html", context)


def _pages(request: HttpRequest, question: str) -> list[Found]:
    words = question.casefold().split()
    titles = [(link.title, link.url) for link in links(request)]
    return [Found("page", title, url) for title, url in titles if all(word in title.casefold() for word in words)]


def _kind(name: str) -> str:
    return {
        "page": _("Page"),
        "server": _("Server"),
        "review": _("Review"),
        "definition": _("Definition"),
        "agent": _("Agent"),
        "role": _("Role"),
        "person": _("Person"),
    }[name]
