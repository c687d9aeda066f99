"""Pages of one definition: what agents get of it and why, everything it ever was, and any two versions compared."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from core.console import actor_of, page, show
from core.errors import NotFound, Unprocessable
from core.names import subject
from core.permissions import Permission
from tools.models import BreakGlass, Definition, DefinitionVersion, Pin, Review
from tools.presentation import review_view
from tools.rules import because
from tools.standing import returnable
from tools.trust import is_withheld

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
    shown = Paginator(versions, VERSIONS_SHOWN).get_page(request.GET.get("page"))
    context = {
        "definition": row,
        "because": because(row).value,
        "canonical": subject(row.kind, row.server.slug, row.name),
        "page": shown,
        "chosen": _chosen(row, shown),
        "returnable": returnable(row),
        "pins": Paginator(pins, PINS_SHOWN).get_page(request.GET.get("pins")),
        "emergencies": BreakGlass.objects.visible_to(actor).filter(definition=row).for_list()[:GLASS_SHOWN],
        "waiting": Review.objects.visible_to(actor).waiting().filter(definition=row).first(),
        "is_withheld_by_card": is_withheld(row.server),
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


def _chosen(row: Any, versions: Iterable[DefinitionVersion]) -> dict[str, str]:
    """What the page offers to compare: what is shown now with what is approved, or else with the version before it."""
    kept = [version.digest for version in versions if not version.let_go_at]
    shown = row.observed.digest if row.observed else ""
    newer = shown if shown in kept else next(iter(kept), "")
    before = kept[kept.index(newer) + 1 :] if newer else []
    others = [digest for digest in (row.pin_digest, *before, *kept) if digest in kept and digest != newer]
    return {"from": next(iter(others), ""), "to": newer}
