"""Counting failed proofs of who somebody is, across processes and when Redis is away.

An attempt is counted before it is judged, so that attempts side by side are counted too, and forgotten when it
succeeds. One address reaches the limit of a pair first: alone it cannot lock a name for everybody else.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from access.callers import counted_as
from access.models import FailedSignIn, Person
from access.services.recording import note_auth
from audit.events import Event
from core.actor import ANONYMOUS
from core.errors import DomainError

WINDOW: Final = timedelta(minutes=15)
LIMIT: Final = 10  # wrong passwords for one user name from one address within the window
NAME_LIMIT: Final = 50  # for one user name from all addresses
ADDRESS_LIMIT: Final = 200  # from one address for all user names
CODE_LIMIT: Final = 5  # wrong codes and keys of one person, from all addresses


class TooManyAttempts(DomainError):
    """It failed too often within the window."""

    code: ClassVar[str] = "too_many_attempts"
    status: ClassVar[int] = 429


@dataclass(frozen=True, slots=True)
class _Bound:
    key: str
    limit: int


def count_password(username: str, address: str, *, about: str) -> None:
    """Count one attempt to sign in by password. Raises `TooManyAttempts`; `about` is the record's subject."""
    for bound in _password_bounds(username, address):
        _count(bound, Event.PERSON_SIGN_IN_FAILED, about, address)


def forget_password(username: str, address: str) -> None:
    """The password was right: what failed before for this name is forgotten, and this attempt for its address."""
    pair, _, of_name = _password_bounds(username, address)
    FailedSignIn.objects.filter(key__in=[pair.key, of_name.key]).delete()
    forget_address(address)


def count_address(address: str, *, about: str) -> None:
    """Count one attempt to sign in without a name. Raises `TooManyAttempts`."""
    _count(_address_bound(address), Event.PERSON_SIGN_IN_FAILED, about, address)


def forget_address(address: str) -> None:
    """This attempt from the address was right."""
    key = _address_bound(address).key
    FailedSignIn.objects.filter(key=key, count__gt=1).update(count=F("count") - 1)
    FailedSignIn.objects.filter(key=key, count__lte=1).delete()
    forget_old()


def count_code(person: Person, address: str, *, about: str) -> None:
    """Count one attempt at a second factor. Raises `TooManyAttempts`."""
    _count(_code_bound(person), Event.SECOND_FACTOR_FAILED, about, address)


def forget_code(person: Person) -> None:
    """The second factor was right."""
    FailedSignIn.objects.filter(key=_code_bound(person).key).delete()


def forget_old() -> None:
    """Clear away counts whose window is over."""
    FailedSignIn.objects.filter(window_started_at__lt=timezone.now() - WINDOW).delete()


def _password_bounds(username: str, address: str) -> tuple[_Bound, _Bound, _Bound]:
    name = username.lower()
    pair, of_name = _Bound(_key(f"{name}|{address}"), LIMIT), _Bound(_key(f"name|{name}"), NAME_LIMIT)
    return pair, _address_bound(address), of_name


def _address_bound(address: str) -> _Bound:
    return _Bound(_key(f"address|{counted_as(address)}"), ADDRESS_LIMIT)


def _code_bound(person: Person) -> _Bound:
    return _Bound(_key(f"second factor|{person.public_id}"), CODE_LIMIT)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _count(bound: _Bound, event: Event, about: str, address: str) -> None:
    attempts = _count_up(bound.key, timezone.now())
    if attempts <= bound.limit:
        return
    if attempts == bound.limit + 1:
        # Once per window: the log cannot be pruned, so a flood must not be able to fill it.
        note_failed(event, about, address, "too many attempts")
    raise TooManyAttempts("Too many failed attempts. Try again in 15 minutes.")


def note_failed(event: Event, about: str, address: str, reason: str) -> None:
    """Record that somebody did not prove who they are."""
    with transaction.atomic():
        note_auth(event, actor=ANONYMOUS, subject=about, address=address, reason=reason, decision="denied")


def _count_up(key: str, now: datetime) -> int:
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
        return int(cursor.fetchone()[0])
