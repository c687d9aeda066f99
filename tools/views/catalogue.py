"""The page of everything that all servers show: its state, and what a tool says that it does."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from core.console import actor_of, page, show
from core.paging import KeyPaginator
from core.permissions import Permission
from servers.models import Server
from tools.forms import CatalogueFilterForm
from tools.models import Definition
from tools.rules import because

PAGE_SIZE = 50
SERVERS_OFFERED = 200  # while a slug is typed; any may be


@require_safe
@page(Permission.TOOL_READ)
def catalogue(request: HttpRequest) -> HttpResponse:
    """Definitions of every server that the reader sees, by server, kind and name."""
    actor, filters = actor_of(request), CatalogueFilterForm(request.GET)
    filters.is_valid()
    visible = Definition.objects.visible_to(actor)
    knows_use = actor.may(Permission.GRANT_READ)
    wanted = filters.cleaned_data if knows_use else {**filters.cleaned_data, "unused": False}
    found = visible.in_catalogue(wanted).order_by("server__slug", "kind", "name")
    rows = visible.for_list().with_use(actor).with_namesakes(actor)
    dear = bool(wanted.get("served") or wanted.get("effect"))
    listed = KeyPaginator(found, rows.defer("observed__text"), PAGE_SIZE, dear=dear)
    shown = listed.get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "filters": filters,
        "is_filtered": any(wanted.values()),
        "asks_what_may_write": wanted.get("effect") == "may_write" and wanted.get("served"),
        "page": shown,
        "may_ask": actor.may_somewhere(Permission.GRANT_READ),
        "knows_use": knows_use,
        "rows": [{"definition": row, "state": because(row).value} for row in shown],
    }
    if request.htmx:  # type: ignore[attr-defined]
        return show(request, "tools/_catalogue.html", context)
    servers = Server.objects.visible_to(actor).order_by("slug").values_list("slug", flat=True)[:SERVERS_OFFERED]
    return show(request, "tools/catalogue.html", {**context, "servers": servers})
