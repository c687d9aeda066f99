"""The authorization endpoint (RFC 6749, 3.1): who signs in here is asked what an application may do in their name.

Nothing is taken over from the page that was shown: it posts to its own URL, and everything is judged again. The
toolkit's view would trust hidden fields, and leave the page out on `approval_prompt=auto` in the link.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.db import Error as DatabaseError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.generic import View

from access.models import Agent, Person, ProtectedResource
from access.oauth.asking import Asked, Declined, WayBack, read_asked, registered_redirect
from access.oauth.requests import Refusal, read_query
from access.oauth.scopes import in_words
from access.redirects import is_loopback, shown_host
from access.services.clients import awaits_person
from access.services.consents import (
    Wish,
    client_digest,
    code_by_consent,
    endpoints_for,
    endpoints_seen_by,
    give_consent,
    refuse_consent,
)
from access.services.sign_in import sign_out
from audit.events import Event, RecordType
from audit.services import record
from core.actor import ANONYMOUS
from core.console import actor_of, show
from core.errors import Conflict
from core.names import subject
from core.sampling import Sampler
from core.scopes import baseline_scopes

logger = logging.getLogger(__name__)
FRESH: Final = timedelta(minutes=5)  # how long ago a sign-in may be that prompt=login asks for
_CAME_FROM_SIGN_IN: Final = "signed_in"
_REFUSALS: Final = Sampler(limit=30, window=60)  # anybody can make them, and the log cannot be pruned


class AuthorizationEndpoint(View):
    """Ask the person and send the answer back. Errors of ours and of the link become a page, others a redirect."""

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Answer one request."""
        if request.method not in ("GET", "POST"):
            return _error_page(request, Refusal("invalid_request", "Use GET.", 405))
        try:
            query, known = read_query(request), request.user.is_authenticated
            if not known and "none" not in query.get("prompt", "") and awaits_person(query.get("client_id", "")):
                return _sign_in_page(request)
            return self.answer(request, read_asked(query, for_person=known))
        except Refusal as refusal:
            return _error_page(request, refusal)
        except Declined as declined:
            return _send_back(request, declined)
        except DatabaseError:
            logger.exception("the database refused while answering %s", request.path)
            return _error_page(request, Refusal("temporarily_unavailable", "Try again in a moment.", 503))

    def answer(self, request: HttpRequest, asked: Asked) -> HttpResponse:
        """Ask the person, or act on what they said."""
        person = request.user
        if not isinstance(person, Person) or not person.is_active or _must_sign_in_again(request, asked):
            return _to_sign_in(request, asked)
        offered = _offered(request, asked, person)
        if request.method == "POST":
            return _decided(request, asked, person, offered)
        if (code := _remembered(asked, person, offered)) is not None:
            return _leave(request, asked.way, code=code)
        if "none" in asked.prompt:
            raise Declined(asked.way, "consent_required", "The person must be asked.")
        return _consent_page(request, asked, person, offered)


def _must_sign_in_again(request: HttpRequest, asked: Asked) -> bool:
    """prompt=login: whose session was not proved lately is signed out, and comes back by the same link."""
    proved = actor_of(request).signed_in
    fresh = proved is not None and timezone.now() - proved.at < FRESH
    if request.method == "POST" or "login" not in asked.prompt or fresh:
        return False
    sign_out(request=request)
    return True


def _to_sign_in(request: HttpRequest, asked: Asked) -> HttpResponse:
    if "none" in asked.prompt:
        raise Declined(asked.way, "login_required", "Nobody is signed in.")
    return _sign_in_page(request)


def _sign_in_page(request: HttpRequest) -> HttpResponse:
    mark = "" if _CAME_FROM_SIGN_IN in request.GET else f"&{_CAME_FROM_SIGN_IN}=1"
    return redirect_to_login(f"{request.get_full_path()}{mark}", reverse("access:login"))


def _offered(request: HttpRequest, asked: Asked, person: Person) -> list[ProtectedResource]:
    """The endpoints that the request can be about; the person chooses where there are several.

    Those that they may connect to, or else those that they may see: what they may do there is asked at each call.
    """
    named = [resource for resource in endpoints_for(person) if asked.resource in ("", resource.uri)]
    named = named or [
        resource for resource in endpoints_seen_by(actor_of(request)) if asked.resource in ("", resource.uri)
    ]
    if not named:
        # One answer for what is not there and what is not theirs.
        raise Declined(asked.way, "invalid_target", "The resource is no endpoint of this gateway that you may see.")
    fitting = [resource for resource in named if asked.servers <= {resource.server_slug}]
    if not fitting:
        raise Declined(asked.way, "invalid_scope", "The scopes belong to another server.")
    return fitting


def _wish(asked: Asked, person: Person, resource: ProtectedResource) -> Wish:
    return Wish(
        person=person,
        agent=asked.way.agent,
        redirect_uri=asked.way.redirect_uri,
        registered_uri=registered_redirect(asked.way.agent, asked.way.redirect_uri) or asked.way.redirect_uri,
        resource=resource.uri,
        scopes=asked.scopes or tuple(sorted(baseline_scopes(resource.server_slug))),
        code_challenge=asked.code_challenge,
    )


def _remembered(asked: Asked, person: Person, offered: list[ProtectedResource]) -> str | None:
    if not asked.resource or asked.prompt - {"none"}:
        return None
    try:
        return code_by_consent(wish=_wish(asked, person, offered[0]))
    except Conflict as conflict:
        raise Declined(asked.way, "access_denied", conflict.message) from conflict


def _decided(request: HttpRequest, asked: Asked, person: Person, offered: list[ProtectedResource]) -> HttpResponse:
    chosen = next((found for found in offered if found.uri == request.POST.get("resource")), None)
    if chosen is None or request.POST.get("seen") != client_digest(asked.way.agent):
        return _consent_page(request, asked, person, offered)  # something changed since the page was shown
    wish, actor = _wish(asked, person, chosen), actor_of(request)
    if not request.POST.get("allow"):
        refuse_consent(wish=wish, actor=actor)
        raise Declined(asked.way, "access_denied", "The person did not allow it.")
    try:
        return _leave(request, asked.way, code=give_consent(wish=wish, actor=actor))
    except Conflict as conflict:
        raise Declined(asked.way, "access_denied", conflict.message) from conflict


def _consent_page(request: HttpRequest, asked: Asked, person: Person, offered: list[ProtectedResource]) -> HttpResponse:
    agent, way, usable = asked.way.agent, asked.way, endpoints_for(person)
    context = {
        **asked_of_people(agent, way.redirect_uri, offered, asked.scopes),
        "may_connect": all(found in usable for found in offered),
        "named": bool(asked.resource),
        "seen": client_digest(agent),
    }
    response = show(request, "access/consent.html", context)
    # Browsers hold the redirect that answers a form against this policy too; it names the one place it may lead to.
    response._csp_update = {"form-action": [way.origin]}  # type: ignore[attr-defined]  # noqa: SLF001 -- django-csp's
    return response


def asked_of_people(
    agent: Agent, redirect_uri: str, offered: Iterable[ProtectedResource], scopes: Sequence[str] = ()
) -> dict[str, Any]:
    """What people are told of an agent before they decide. `scopes` empty: those that it gets where it names none."""
    return {
        "agent": agent,
        "client_host": urlsplit(agent.client_id).netloc,
        "registered_here": agent.registration_source == agent.RegistrationSource.MANUAL,
        "redirect_host": shown_host(redirect_uri),
        "on_this_computer": is_loopback(redirect_uri),
        "choices": [(found, in_words(sorted(scopes or baseline_scopes(found.server_slug)))) for found in offered],
        "days": settings.REFRESH_TOKEN_DAYS,
    }


def _send_back(request: HttpRequest, declined: Declined) -> HttpResponse:
    if declined.error != "access_denied":
        _record_refusal(request, declined.error, declined.description, declined.way.agent.client_id)
    return _leave(request, declined.way, error=declined.error, error_description=declined.description)


def _leave(request: HttpRequest, way: WayBack, **answer: str) -> HttpResponse:
    """Send the browser back to the client with an answer.

    Straight after the sign-in form a page stands between: that form's policy allows redirects within this site only.
    """
    url = way.url(**answer)
    if request.method == "GET" and _CAME_FROM_SIGN_IN in request.GET:
        return show(request, "access/continue.html", {"url": url, "host": shown_host(way.redirect_uri)})
    response = HttpResponse(status=302)
    response["Location"] = url
    response["Cache-Control"] = "no-store"
    return response


def _error_page(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    _record_refusal(request, refusal.error, refusal.description, "")
    response = show(request, "access/link_refused.html", {"refusal": refusal}, status=refusal.status)
    if refusal.status == 405:
        response["Allow"] = "GET, POST"
    return response


def _record_refusal(request: HttpRequest, error: str, description: str, client_id: str) -> None:
    left_out = _REFUSALS.admit(time.monotonic())
    if left_out is None or error == "temporarily_unavailable":
        return
    with transaction.atomic():
        record(
            type=RecordType.AUTH,
            event=Event.TOKEN_REFUSED,
            actor=ANONYMOUS,
            subject=subject("agent", client_id) if client_id else "",
            agent=client_id,
            decision="denied",
            reason=f"{error}: {description}",
            after={"left_out": left_out} if left_out else None,
            client_ip=str(request.META.get("REMOTE_ADDR", "")),
        )
