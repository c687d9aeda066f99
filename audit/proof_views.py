"""Pages with which somebody proves the log elsewhere: its verification, the proof of one record, the verifier."""

from shlex import quote
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from audit import services
from audit.formats.writing import Format
from audit.standing import standing
from audit.verifier_file import NAME, packed
from core.console import actor_of, attempt, back, carry_out, page, show
from core.download import download
from core.needs import asks
from core.permissions import Permission

_RIGHTS = (Permission.AUDIT_EXPORT, Permission.AUDIT_READ)


@require_safe
@page(Permission.AUDIT_READ)
def proof(request: HttpRequest) -> HttpResponse:
    """How to prove the log without trusting anybody here. As a fragment: how it stands now."""
    if request.htmx:  # type: ignore[attr-defined]
        return show(request, "audit/_verified.html", {**standing()})
    actor, signed = actor_of(request), services.newest_signed()
    command = f"python {NAME} EXPORT.jsonl --vkey {quote(signed.vkey or 'VKEY')}"
    context = {"signed": signed, "command": command, "whole": Format.JSONL.value, "verifier": NAME}
    context["may_export"] = all(actor.may(permission) for permission in _RIGHTS)
    return show(request, "audit/proof.html", context | standing())


@require_POST
@page(Permission.AUDIT_READ)
def verify_now(request: HttpRequest) -> HttpResponse:
    """Have the whole log verified; the badge follows."""
    actor, done = actor_of(request), _("Asked. The badge says how it went.")
    carry_out(request, lambda: services.request_verification(actor=actor), done=done)
    return back(request, "/audit/proof/")


@require_safe
@page(needs=asks(*_RIGHTS))
def record_proof(request: HttpRequest, record_id: UUID) -> HttpResponseBase:
    """One record, and the others of its call, as a file that proves where they stand."""
    actor = actor_of(request)
    made = attempt(request, lambda: services.begin_proof(record_id=record_id, actor=actor))
    if made is None:
        return redirect("audit:record", record_id)
    return download(made.chunks(), name=made.name, content_type="application/jsonl")


@require_safe
@page(Permission.AUDIT_READ)
def verifier(request: HttpRequest) -> HttpResponse:
    """The verifier as a file."""
    return HttpResponse(
        packed(),
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{NAME}"', "X-Content-Type-Options": "nosniff"},
    )
