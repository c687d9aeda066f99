"""Signing in to the console and out of it."""

import hashlib
from datetime import datetime, timedelta
from typing import ClassVar

from django.contrib import auth
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone

from access.models import FailedSignIn, Person
from access.names import is_username
from access.services.authority import actor_for
from access.services.recording import subject_of
from access.services.suspensions import is_suspended
from audit.events import Event, RecordType
from audit.services import record
from core.actor import ANONYMOUS, Actor
from core.errors import DomainError, Invalid
from core.names import subject

WINDOW = timedelta(minutes=15)
LIMIT = 10  # attempts for one user name from one address within the window
_UNKNOWN = subject("person", "unknown")


class TooManyAttempts(DomainError):
    """Signing in failed too often for this user name from this address."""

    code: ClassVar[str] = "too_many_attempts"
    status: ClassVar[int] = 429


def sign_in(*, request: HttpRequest, username: str, password: str) -> Person:
    """Check the password and start the person's session. Raises `Invalid`, `TooManyAttempts`.

    The attempt is counted before the password is checked, so that attempts side by side are counted too.
    """
    address = str(request.META.get("REMOTE_ADDR", ""))
    key = hashlib.sha256(f"{username.lower()}|{address}".encode("utf-8", "surrogatepass")).hexdigest()
    attempts = _count_attempt(key, timezone.now())
    if attempts > LIMIT:
        if attempts == LIMIT + 1:
            # Once per window: the log cannot be pruned, so a flood must not be able to fill it.
            _record(Event.PERSON_SIGN_IN_FAILED, ANONYMOUS, _subject(username), address, reason="too many attempts")
        raise TooManyAttempts("Too many failed attempts. Try again in 15 minutes.")
    person = auth.authenticate(request, username=username, password=password) if is_username(username) else None
    if not isinstance(person, Person) or is_suspended(person):
        why = "suspended" if isinstance(person, Person) else "wrong name or password"
        _record(Event.PERSON_SIGN_IN_FAILED, ANONYMOUS, _subject(username), address, reason=why)
        raise Invalid("User name or password is wrong.")
    with transaction.atomic():
        FailedSignIn.objects.filter(key=key).delete()
        FailedSignIn.objects.filter(window_started_at__lt=timezone.now() - WINDOW).delete()
        auth.login(request, person)
        _record(Event.PERSON_SIGNED_IN, actor_for(person), subject_of(person), address)
    return person


def sign_out(*, request: HttpRequest) -> None:
    """End the session. Does nothing where nobody is signed in."""
    person = request.user
    if isinstance(person, Person):
        address = str(request.META.get("REMOTE_ADDR", ""))
        _record(Event.PERSON_SIGNED_OUT, actor_for(person), subject_of(person), address)
    auth.logout(request)


def _count_attempt(key: str, now: datetime) -> int:
    expired = "access_failedsignin.window_started_at < %(start)s"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO access_failedsignin (key, count, window_started_at) VALUES (%(key)s, 1, %(now)s) "  # noqa: S608 -- constants
            f"ON CONFLICT (key) DO UPDATE SET count = CASE WHEN {expired} THEN 1 "
            "ELSE access_failedsignin.count + 1 END, "
            f"window_started_at = CASE WHEN {expired} THEN %(now)s ELSE access_failedsignin.window_started_at END "
            "RETURNING count",
            {"key": key, "now": now, "start": now - WINDOW},
        )
        row = cursor.fetchone()
    return int(row[0]) if row else LIMIT + 1


def _subject(username: str) -> str:
    # What was typed is not recorded: people type passwords into the wrong field.
    person = Person.objects.named(username).first() if is_username(username) else None
    return subject_of(person) if person else _UNKNOWN


def _record(event: Event, actor: Actor, about: str, address: str, *, reason: str = "") -> None:
    with transaction.atomic():
        decision = "denied" if event == Event.PERSON_SIGN_IN_FAILED else "allowed"
        record(
            type=RecordType.AUTH,
            event=event,
            actor=actor,
            subject=about,
            reason=reason,
            decision=decision,
            client_ip=address,
        )
