"""Who acts in the console."""

from collections.abc import Callable

from django.contrib import auth
from django.http import HttpRequest, HttpResponse

from access.models import Person
from access.services import actor_for
from core.actor import ANONYMOUS, Actor


class ActorMiddleware:
    """Set `request.actor` from the session's person. Somebody deactivated is signed out by their next request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        request.actor = _actor(request)  # type: ignore[attr-defined]  # ours
        return self.get_response(request)


def _actor(request: HttpRequest) -> Actor:
    # Requests without a session cookie (the API, agents) cost no query here.
    if not request.session.session_key:
        return ANONYMOUS
    person = request.user
    if isinstance(person, Person) and person.is_active:
        return actor_for(person)
    if auth.SESSION_KEY in request.session:
        auth.logout(request)
    return ANONYMOUS
