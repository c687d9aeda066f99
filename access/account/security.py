"""The page about one's own sign-in: second factors, recovery codes, sessions."""

import json
from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import services
from access.account.forms import AppForm, PasskeyForm
from access.account.fresh import fresh
from access.models import ConsoleSession, Person
from access.second_factor_adapter import offers_passkeys
from access.services.app_codes import begin_enrolment, spaced
from access.services.factors import factors_of
from access.services.passkeys import ask_for_new
from access.sessions import hashed
from core.console import actor_of, attempt, back, carry_out, form_status, fulfil, page, show
from core.needs import SIGNED_IN, asks
from core.permissions import Permission

FORM_METHODS = ["GET", "HEAD", "POST"]


@require_safe
@page(needs=SIGNED_IN)
def security(request: HttpRequest) -> HttpResponse:
    """How the reader signs in, and where they are signed in."""
    person = reader(request)
    sessions = ConsoleSession.objects.live().filter(person=person).defer("session_data")
    context = {
        "factors": factors_of(person),
        "sessions": sessions.order_by("-last_seen_at"),
        "current": UUID(hashed(request.session.session_key)[:32]),
        "offers_passkeys": offers_passkeys(),
    }
    return show(request, "access/security.html", context)


@sensitive_post_parameters("code")
@require_http_methods(FORM_METHODS)
@page(needs=SIGNED_IN)
@fresh
def add_app(request: HttpRequest) -> HttpResponse:
    """Add an authenticator app: its seed as a picture and as text, until its first code is right."""
    actor, form = actor_of(request), AppForm(request.POST or None)
    codes = fulfil(form, lambda data: services.add_app(request=request, actor=actor, **data))
    if codes is not None:
        return _added(request, codes, _("Your authenticator app is asked for from the next sign-in on."))
    enrolment = begin_enrolment(request, reader(request))
    context = {"form": form, "enrolment": enrolment, "secret": spaced(enrolment.secret)}
    return show(request, "access/add_app.html", context, status=form_status(form))


@require_http_methods(FORM_METHODS)
@page(needs=SIGNED_IN)
@fresh
def add_passkey(request: HttpRequest) -> HttpResponse:
    """Add a passkey, which the browser makes."""
    actor, form = actor_of(request), PasskeyForm(request.POST or None)
    codes = fulfil(
        form,
        lambda data: services.add_passkey(request=request, name=data["name"], answer=data["passkey"], actor=actor),
    )
    if codes is not None:
        return _added(request, codes, _("The passkey signs you in from now on."))
    options = json.dumps(ask_for_new(request, reader(request))) if offers_passkeys() else ""
    return show(request, "access/add_passkey.html", {"form": form, "options": options}, status=form_status(form))


@require_POST
@page(needs=SIGNED_IN)
@fresh
def renew_recovery_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes, shown this once."""
    actor = actor_of(request)
    codes = attempt(request, lambda: services.renew_recovery_codes(request=request, actor=actor))
    return _codes_page(request, codes) if codes else redirect("access:security")


@require_POST
@page(needs=SIGNED_IN)
@fresh
def remove_app(request: HttpRequest) -> HttpResponse:
    """Take the authenticator app away."""
    actor = actor_of(request)
    return _carried_out(request, lambda: services.remove_app(request=request, actor=actor), _("Removed."))


@require_POST
@page(needs=SIGNED_IN)
@fresh
def remove_passkey(request: HttpRequest, passkey_id: int) -> HttpResponse:
    """Take a passkey away."""
    actor = actor_of(request)
    return _carried_out(
        request, lambda: services.remove_passkey(request=request, passkey_id=passkey_id, actor=actor), _("Removed.")
    )


@require_POST
@page(needs=asks(Permission.PERSON_MANAGE, or_own=True))
def end_session(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """End one session: one's own, or that of somebody whom one manages."""
    actor = actor_of(request)
    carry_out(request, lambda: services.end_session(session_id=session_id, actor=actor), done=_("The session is over."))
    return back(request, "/account/security/")


@require_POST
@page(needs=SIGNED_IN)
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """End all of one's sessions but this."""
    actor, person = actor_of(request), reader(request)
    ended = services.end_other_sessions(request=request, person=person, actor=actor)
    messages.success(request, ngettext("%d session is over.", "%d sessions are over.", ended) % ended)
    return redirect("access:security")


def reader(request: HttpRequest) -> Person:
    """Who is signed in; `page` let nobody else through."""
    return Person.objects.get(public_id=actor_of(request).id)


def _carried_out(request: HttpRequest, command: Callable[[], object], done: str) -> HttpResponse:
    carry_out(request, command, done=done)
    return redirect("access:security")


def _added(request: HttpRequest, codes: list[str], done: str) -> HttpResponse:
    messages.success(request, done)
    return _codes_page(request, codes) if codes else redirect("access:security")


def _codes_page(request: HttpRequest, codes: list[str]) -> HttpResponse:
    return show(request, "access/recovery_codes.html", {"codes": codes, "text": "\n".join(codes)})
