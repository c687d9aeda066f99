"""Who acts in the console, and how they proved it."""

from collections.abc import Callable
from dataclasses import replace

from django.contrib import auth
from django.http import HttpRequest, HttpResponse

from access.models import Person
from access.services import live_names, standing
from access.sessions import SessionStore, sign_in_of
from core.actor import ANONYMOUS, Actor
from core.language import speak


class ActorMiddleware:
    """Set `request.actor` from the session's person, who is signed out when deactivated or suspended.

    `request.suspended` is the kind and name of all that is suspended, for pages to show.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        request.suspended = frozenset()  # type: ignore[attr-defined]  # ours
        request.actor = _actor(request)  # type: ignore[attr-defined]  # ours
        return self.get_response(request)


def _actor(request: HttpRequest) -> Actor:
    # Requests without a session cookie (the API, agents) cost no query here.
    if not request.session.session_key:
        return ANONYMOUS
    person = request.user
    if isinstance(person, Person):
        suspended = live_names()
        actor = standing(person, proof=request.session.get(auth.HASH_SESSION_KEY, ""), suspended=suspended)
        if actor is not None:
            request.suspended = suspended  # type: ignore[attr-defined]  # ours
            speak(request, person.language)
            # A stream that a browser opens by itself is no use: an abandoned page would keep its session for ever.
            if isinstance(request.session, SessionStore) and request.headers.get("Accept") != "text/event-stream":
                request.session.seen()
            return replace(actor, signed_in=sign_in_of(request.session))
    if auth.SESSION_KEY in request.session:
        auth.logout(request)
    return ANONYMOUS
