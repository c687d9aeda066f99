"""Checking a proof of who somebody is: password, code, passkey. Each attempt is counted, each failure recorded."""

from dataclasses import dataclass
from typing import Final

from django.contrib import auth
from django.db import transaction
from django.http import HttpRequest

from access.models import Person
from access.names import is_username
from access.services.app_codes import use_code
from access.services.attempts import count_code, count_password, forget_code, forget_password, note_failed
from access.services.authority import actor_for
from access.services.recording import note_auth, subject_of
from access.services.sessions import address_of, prove_session
from access.services.suspensions import is_suspended
from access.sessions import sign_in_of
from audit.events import Event
from core.actor import SignIn
from core.errors import Invalid
from core.names import subject

UNKNOWN: Final = subject("person", "unknown")


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody gave to prove who they are; the first that is not empty counts."""

    passkey: str = ""
    code: str = ""
    password: str = ""


def check_password(request: HttpRequest, username: str, password: str) -> Person:
    """Whose name and password these are. Raises `Invalid`, `TooManyAttempts`."""
    # What was typed is not recorded: people type passwords into the wrong field.
    known = Person.objects.named(username).first() if is_username(username) else None
    about, address = subject_of(known) if known else UNKNOWN, address_of(request)
    count_password(username, address, about=about)
    person = auth.authenticate(request, username=username, password=password) if is_username(username) else None
    if not isinstance(person, Person) or is_suspended(person):
        why = "suspended" if isinstance(person, Person) else "wrong name or password"
        note_failed(Event.PERSON_SIGN_IN_FAILED, about, address, why)
        raise Invalid("User name or password is wrong.")
    forget_password(username, address)
    return person


def check_second_factor(request: HttpRequest, person: Person, *, code: str = "", passkey: str = "") -> str:
    """Which of the person's second factors this proves. Raises `Invalid`, `TooManyAttempts`."""
    about, address = subject_of(person), address_of(request)
    count_code(person, address, about=about)
    # The library behind passkeys is loaded with the first: a gateway, a worker and a command never see one.
    from access.services.passkeys import use_passkey

    kind = ("passkey" if use_passkey(request, person, passkey) else "") if passkey else use_code(person, code)
    if not kind:
        note_failed(Event.SECOND_FACTOR_FAILED, about, address, f"wrong {'passkey' if passkey else 'code'}")
        if passkey:
            raise Invalid("This passkey does not fit. Try again.")
        raise Invalid("This code is wrong or was used already.", field="code")
    forget_code(person)
    return kind


def reauthenticate(*, request: HttpRequest, proof: Proof) -> SignIn:
    """The signed-in person proves again who they are; their session gets a new key. Raises as the checks above."""
    person = request.user
    if not isinstance(person, Person):
        raise Invalid("Sign in first.")
    kind = ""
    if proof.passkey or proof.code:
        kind = check_second_factor(request, person, code=proof.code, passkey=proof.passkey)
    elif proof.password:
        _check_own_password(request, person, proof.password)
    else:
        raise Invalid("Type your password.", field="password")
    with transaction.atomic():
        prove_session(request, person, second_factor=kind)
        about, actor, address = subject_of(person), actor_for(person), address_of(request)
        after = {"by": kind or "password"}
        note_auth(Event.PERSON_REAUTHENTICATED, actor=actor, subject=about, address=address, after=after)
    return sign_in_of(request.session)


def _check_own_password(request: HttpRequest, person: Person, password: str) -> None:
    try:
        check_password(request, person.username, password)
    except Invalid as error:
        raise Invalid("This password is wrong.", field="password") from error
