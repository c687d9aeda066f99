"""Pages of one definition: what agents get of it and why, everything it ever was, and any two versions compared."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from core.console import actor_of, carry_out, page, reason_of, show
from core.errors import NotFound, Unprocessable
from core.language import said
from core.names import subject
from core.needs import asks
from core.permissions import Permission
from tools import services
from tools.models import BreakGlass, Definition, DefinitionVersion, Pin, Review
from tools.presentation import review_view, scopes_for
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
        "scopes": scopes_for(row.server.slug, row.kind, row.name, sensitive=row.sensitive),
        "is_withheld_by_card": is_withheld(row.server),
        "may": {
            "mark": actor.may(Permission.SERVER_EDIT, team_id=row.server.owner_team_id),
            "decide": actor.may(Permission.REVIEW_DECIDE, team_id=row.server.owner_team_id),
            "ask": actor.may_somewhere(Permission.GRANT_READ),
            "read_log": actor.may_somewhere(Permission.AUDIT_READ),
        },
    }
    return show(request, "tools/definition.html", context)


@require_POST
@page(needs=asks(Permission.SERVER_EDIT))
def mark_sensitive(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """Mark a definition as sensitive, or no longer."""
    actor, reason, sensitive = actor_of(request), reason_of(request), request.POST.get("sensitive") == "on"
    done = _("It needs a scope of its own now.") if sensitive else _("The server's broad scope reaches it again.")
    carry_out(
        request,
        lambda: services.mark_sensitive(definition_id=definition_id, sensitive=sensitive, actor=actor, reason=reason),
        done=done,
    )
    return redirect("tools:definition", definition_id=definition_id)


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
        return show(request, "tools/compare.html", context | {"refusal": said(error.message)}, status=error.status)
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
