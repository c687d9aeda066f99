"""Pages of one definition: what agents get of it and why, everything it ever was, and any two versions compared."""

from typing import Any, Final
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from core.actor import Actor
from core.console import actor_of, page, show
from core.errors import NotFound, Unprocessable
from core.permissions import Permission
from servers.surface import Kind
from tools.classify import withholds_server
from tools.models import BreakGlass, Definition, DefinitionVersion, Pin, Review
from tools.presentation import review_view
from tools.rules import because

VERSIONS_SHOWN: Final = 20
PINS_SHOWN: Final = 10
GLASS_SHOWN: Final = 20


@require_safe
@page(Permission.TOOL_READ)
def definition(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """One definition: what agents get of it now and why, every version that was seen, every pin that was set."""
    actor = actor_of(request)
    row: Any = Definition.objects.visible_to(actor).for_list().defer("observed__text").by_id(definition_id)
    versions = DefinitionVersion.objects.filter(definition=row).for_history(actor)
    pins = Pin.objects.filter(definition=row).for_history(actor)
    context = {
        "definition": row,
        "because": because(row).value,
        "page": Paginator(versions, VERSIONS_SHOWN).get_page(request.GET.get("page")),
        "pins": Paginator(pins, PINS_SHOWN).get_page(request.GET.get("pins")),
        "emergencies": BreakGlass.objects.visible_to(actor).filter(definition=row).for_list()[:GLASS_SHOWN],
        "waiting": Review.objects.visible_to(actor).waiting().filter(definition=row).first(),
        "is_withheld_by_card": _is_withheld_by_card(row, actor),
        "may": {
            "decide": actor.may(Permission.REVIEW_DECIDE, team_id=row.server.owner_team_id),
            "read_log": actor.may_somewhere(Permission.AUDIT_READ),
        },
    }
    return show(request, "tools/definition.html", context)


@require_safe
@page(Permission.TOOL_READ)
def compare(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """Two versions of a definition side by side, as a review shows them."""
    actor = actor_of(request)
    row = Definition.objects.visible_to(actor).select_related("server").by_id(definition_id)
    context: dict[str, Any] = {"definition": row}
    try:
        wanted = (request.GET.get("from", ""), request.GET.get("to", ""))
        older, newer = DefinitionVersion.objects.filter(definition=row).pair(*wanted)
    except (NotFound, Unprocessable) as error:
        return show(request, "tools/compare.html", context | {"refusal": error.message}, status=error.status)
    view = review_view(kind=row.kind, name=row.name, before=older.text, after=newer.text)
    return show(request, "tools/compare.html", context | {"older": older, "newer": newer, "view": view})


def _is_withheld_by_card(row: Definition, actor: Actor) -> bool:
    """Whether nothing of the server is served, because its card waits with a change that could make it another one."""
    cards = Review.objects.visible_to(actor).waiting().of_server(row.server)
    changes = cards.filter(definition__kind=Kind.CARD.value, base__isnull=False).values_list("change", flat=True)
    return any(withholds_server(change) for change in changes)
