"""Sessions of people in the console: beginning one, proving again who somebody is, ending them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import auth
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from access.models import ConsoleSession, Person
from access.models.sessions import BROWSER_MAX
from access.services.authority import actor_for
from access.services.factors import has_second_factor
from access.services.recording import note_auth, refuse_without, subject_of
from access.services.suspensions import goes_on
from access.sessions import ABOUT, hashed
from audit.events import Event
from audit.permit import audited_denials
from core.actor import Actor
from core.errors import Conflict, NotFound
from core.permissions import Permission


def standing(
    person: Person | None,
    *,
    proof: str,
    suspended: frozenset[tuple[str, str]],
    acting: Callable[[Person], Actor] = actor_for,
) -> Actor | None:
    """What the person of a session may do now; None where it is over for them.

    That is once they are deactivated, have another password than at sign-in (`proof` is what the session kept of that
    one), or are suspended (`suspended` is all that is, see `live_names`). Whether the session itself is out of time or
    idle is `ConsoleSession.objects.live()`.
    """
    if person is None or not person.is_active or not constant_time_compare(person.get_session_auth_hash(), proof):
        return None
    actor = acting(person)
    return actor if goes_on(actor, suspended) else None


def begin_session(request: HttpRequest, person: Person, *, second_factor: str = "") -> None:
    """The one place where a person's session begins. Call it within a transaction.

    Raises `Conflict` for a password alone where the person has a second factor.
    """
    _refuse_password_alone(person, second_factor)
    auth.login(request, person, backend="django.contrib.auth.backends.ModelBackend")
    now = timezone.now()
    request.session[ABOUT] = {
        "began_at": now.isoformat(),
        "authenticated_at": now.isoformat(),
        "browser": _browser(request),
        "address": address_of(request),
        "second_factor": second_factor,
    }
    request.session.save()


def prove_session(request: HttpRequest, person: Person, *, second_factor: str = "") -> None:
    """The person of the running session proved again who they are: it gets a new key. Call it within a transaction.

    Raises `Conflict` where they got a second factor meanwhile and the session has none.
    """
    _refuse_password_alone(person, second_factor or request.session.get(ABOUT, {}).get("second_factor", ""))
    now = timezone.now()
    about: dict[str, Any] = dict(request.session.get(ABOUT, {}))
    about.setdefault("began_at", now.isoformat())
    about |= {"authenticated_at": now.isoformat(), "address": address_of(request), "browser": _browser(request)}
    if second_factor:
        about["second_factor"] = second_factor
    request.session[ABOUT] = about
    request.session.cycle_key()


@audited_denials
def end_session(*, session_id: UUID, actor: Actor) -> None:
    """End one session: one's own, or anybody's with `person:manage`. Raises `NotFound`, `PermissionDenied`."""
    row = ConsoleSession.objects.visible_to(actor).filter(public_id=session_id, person__isnull=False).first()
    if row is None or row.person is None:
        raise NotFound("There is no such session.")
    _end(ConsoleSession.objects.filter(pk=row.pk), row.person, actor)


@audited_denials
def end_other_sessions(*, request: HttpRequest, person: Person, actor: Actor) -> int:
    """End all sessions of the person but the one of this request; answers how many."""
    return end_sessions_of(person, actor=actor, but=request)


@audited_denials
def end_sessions(*, username: str, actor: Actor) -> int:
    """End all sessions of somebody; answers how many. Raises `NotFound`, `PermissionDenied`."""
    person = Person.objects.named(username).first() if "\0" not in username else None
    if person is None:
        raise NotFound("There is no such person.")
    if actor.id != str(person.public_id):
        refuse_without(actor, Permission.PERSON_MANAGE, subject_of(person))
    return end_sessions_of(person, actor=actor)


def end_sessions_of(person: Person, *, actor: Actor, but: HttpRequest | None = None) -> int:
    """End a person's sessions within a command that is under way already."""
    rows = ConsoleSession.objects.filter(person=person)
    if but is not None:
        rows = rows.exclude(session_key=hashed(but.session.session_key))
    return _end(rows, person, actor)


def _refuse_password_alone(person: Person, second_factor: str) -> None:
    # Whoever adds a second factor holds this row too: either their sweep sees the session, or this sees the factor.
    locked = Person.objects.select_for_update().get(pk=person.pk)
    if not second_factor and has_second_factor(locked):
        raise Conflict("Sign in again, with your second factor.")


def address_of(request: HttpRequest) -> str:
    """The address that a request came from."""
    return str(request.META.get("REMOTE_ADDR", ""))[:45]


def _browser(request: HttpRequest) -> str:
    named = str(request.META.get("HTTP_USER_AGENT", ""))[:BROWSER_MAX]
    return "".join(character for character in named if character.isprintable())


def _end(rows: Any, person: Person, actor: Actor) -> int:
    ended = int(rows.count())
    rows.delete()
    if ended:
        note_auth(Event.SESSION_ENDED, actor=actor, subject=subject_of(person), after={"sessions": ended})
    return ended
