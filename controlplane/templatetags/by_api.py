"""The tag that tells how to do with the API what a page shows and offers. A builtin of every template."""

from typing import Any

from django import template
from django.template import Context

from controlplane.by_api.pages import PAGES, Shown
from core.console import actor_of

register = template.Library()


@register.inclusion_tag("parts/_by_api.html", takes_context=True)
def same_by_api(context: Context, swap: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 -- a tag's argument
    """The requests of this page that its reader may send; nothing on a page that has none.

    `swap`: as a part of a fragment, beside which it takes the place of the one on the page.
    """
    request = context.get("request")
    match = getattr(request, "resolver_match", None)
    if request is None or match is None or (swap and not getattr(request, "htmx", False)):
        return {}
    calls_of = PAGES.get(match.view_name)
    found = calls_of(Shown(request.GET.dict(), match.kwargs, context)) if calls_of else ()
    calls = [call for call in found if call.is_open_to(actor_of(request))]
    return {"calls": calls, "swap": swap, "has_page": calls_of is not None}
