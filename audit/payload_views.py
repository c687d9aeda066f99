"""Pages of payloads: reading one, which is recorded first, and having it erased by two people."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from audit import services
from core.console import actor_of, attempt, back, carry_out, page, reason_of, show
from core.permissions import Permission


@require_POST
@page(Permission.PAYLOAD_READ)
def read_payload(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """What is kept of a call. It answers a POST, so that no link, no history and no second look reads it again."""
    actor, reason = actor_of(request), reason_of(request)
    found = attempt(request, lambda: services.read_payload(call_id=call_id, actor=actor, reason=reason))
    if found is None:
        return back(request, "/audit/")
    return show(request, "audit/payload.html", {"payload": found})


@require_POST
@page(Permission.PAYLOAD_ERASE)
def request_erasure(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """Ask for the erasing of a payload."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("Asked. Another person has to agree within seven days.")
    carry_out(request, lambda: services.request_erasure(call_id=call_id, actor=actor, reason=reason), done=done)
    return back(request, "/audit/")


@require_POST
@page(Permission.PAYLOAD_ERASE)
def confirm_erasure(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """Agree to what another person asked for, which erases it."""
    actor = actor_of(request)
    erased = attempt(request, lambda: services.confirm_erasure(call_id=call_id, actor=actor))
    if erased is not None:
        messages.success(request, _("Erased. The records of the call stay, and still verify."))
    return back(request, "/audit/")
