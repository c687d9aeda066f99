"""Signing in to the console and out of it.

The doors: `sign_in` by password, `finish_sign_in` by the second factor of whoever has one, `sign_in_by_passkey`. Each
ends in `begin_session`, which begins none by a password alone for a person who has a second factor.
"""

from datetime import datetime, timedelta
from typing import Final

from django.contrib import auth
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from access.models import Person
from access.services.attempts import count_address, forget_address, note_failed
from access.services.authority import actor_for
from access.services.factors import has_second_factor
from access.services.proving import UNKNOWN, check_password, check_second_factor
from access.services.recording import note_auth, subject_of
from access.services.sessions import address_of, begin_session
from access.services.suspensions import is_suspended
from audit.events import Event
from core.errors import Conflict, Invalid

SECOND_STEP: Final = timedelta(minutes=5)  # from the password to the second factor
_PENDING: Final = "pending"  # where a session keeps whose password was right


def sign_in(*, request: HttpRequest, username: str, password: str) -> Person:
    """Check the password, and start the person's session unless a second factor is still to come.

    Then `pending_person` says whose. Raises `Invalid`, `TooManyAttempts`.
    """
    person = check_password(request, username, password)
    if has_second_factor(person):
        _wait_for_second_factor(request, person)
    else:
        _begin(request, person)
    return person


def pending_person(request: HttpRequest) -> Person | None:
    """Whose password was right in this session within the last minutes, and whose second factor is still to come."""
    waiting = request.session.get(_PENDING)
    if not isinstance(waiting, dict) or datetime.fromisoformat(waiting["until"]) < timezone.now():
        return None
    person = Person.objects.active().filter(public_id=waiting["person"]).first()
    if person is None or is_suspended(person):
        return None
    return person if constant_time_compare(waiting["hash"], person.get_session_auth_hash()) else None


def finish_sign_in(*, request: HttpRequest, code: str = "", passkey: str = "") -> Person:
    """Check the second factor of whoever's password was right, and start their session.

    Raises `Invalid`, `TooManyAttempts`, `Conflict` when the password was too long ago.
    """
    person = pending_person(request)
    if person is None:
        raise Conflict("It took too long. Sign in again.")
    _begin(request, person, check_second_factor(request, person, code=code, passkey=passkey))
    return person


def sign_in_by_passkey(*, request: HttpRequest, passkey: str) -> Person:
    """Start the session of whoever the passkey is: it stands for name, password and second factor.

    Raises `Invalid`, `TooManyAttempts`.
    """
    from access.services.passkeys import use_passkey, whose  # see `proving`

    address, person = address_of(request), whose(passkey)
    about = subject_of(person) if person else UNKNOWN
    count_address(address, about=about)
    if person is None or is_suspended(person) or not use_passkey(request, person, passkey):
        note_failed(Event.PERSON_SIGN_IN_FAILED, about, address, "wrong passkey")
        raise Invalid("This passkey does not sign you in here.")
    forget_address(address)
    _begin(request, person, "passkey")
    return person


def sign_out(*, request: HttpRequest) -> None:
    """End the session. Does nothing where nobody is signed in."""
    person = request.user
    if isinstance(person, Person):
        with transaction.atomic():
            _note(Event.PERSON_SIGNED_OUT, request, person)
    auth.logout(request)


def _wait_for_second_factor(request: HttpRequest, person: Person) -> None:
    request.session.cycle_key()
    request.session[_PENDING] = {
        "person": str(person.public_id),
        "until": (timezone.now() + SECOND_STEP).isoformat(),
        "hash": person.get_session_auth_hash(),
    }


def _begin(request: HttpRequest, person: Person, second_factor: str = "") -> None:
    with transaction.atomic():
        request.session.pop(_PENDING, None)
        begin_session(request, person, second_factor=second_factor)
        _note(Event.PERSON_SIGNED_IN, request, person)
        if second_factor:
            _note(Event.SECOND_FACTOR_USED, request, person, kind=second_factor)


def _note(event: Event, request: HttpRequest, person: Person, **after: str) -> None:
    actor, about, address = actor_for(person), subject_of(person), address_of(request)
    note_auth(event, actor=actor, subject=about, address=address, after=after or None)
