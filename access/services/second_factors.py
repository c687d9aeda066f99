"""Adding second factors, taking them away, and resetting somebody else's."""

from allauth.mfa.models import Authenticator
from django.http import HttpRequest

from access.models import Person
from access.names import checked_reason
from access.services.app_codes import finish_enrolment, new_recovery_codes
from access.services.factors import APP, PASSKEY, RECOVERY, has_second_factor
from access.services.lookups import person_named
from access.services.people import refuse_to_raise
from access.services.recording import note_auth, refuse_without, subject_of
from access.services.sessions import address_of, end_sessions_of, prove_session
from audit.events import Event
from audit.permit import audited_denials
from core.actor import Actor
from core.errors import Conflict, Invalid, NotFound
from core.permissions import Permission

PASSKEYS_MAX = 10
NAME_MAX = 60


@audited_denials
def add_app(*, request: HttpRequest, code: str, actor: Actor) -> list[str]:
    """Add the authenticator app whose seed this session showed; answers new recovery codes, if there were none.

    It is the person's other sessions' end, and the next sign-in's second step. Raises `Invalid`, `Conflict`.
    """
    person = _locked_self(actor)
    if Authenticator.objects.filter(user=person, type=APP).exists():
        raise Conflict("You have an authenticator app already; remove it first.")
    if not finish_enrolment(request, person, code):
        raise Invalid(
            "This is not the code that the app should show now. Is the clock of your device right?", field="code"
        )
    return _added(request, person, actor, "totp")


@audited_denials
def add_passkey(*, request: HttpRequest, name: str, answer: str, actor: Actor) -> list[str]:
    """Add the passkey that the browser made; answers and raises as `add_app`."""
    person = _locked_self(actor)
    called = name.strip() or "Passkey"
    if len(called) > NAME_MAX or not called.isprintable():
        raise Invalid(f"At most {NAME_MAX} printable characters.", field="name")
    if Authenticator.objects.filter(user=person, type=PASSKEY).count() >= PASSKEYS_MAX:
        raise Conflict(f"You have {PASSKEYS_MAX} passkeys; remove one first.")
    from access.services.passkeys import keep_new  # see `proving`

    if not keep_new(request, person, called, answer):
        raise Invalid("Your browser's answer does not fit. Try again.")
    return _added(request, person, actor, "passkey")


@audited_denials
def renew_recovery_codes(*, request: HttpRequest, actor: Actor) -> list[str]:
    """New recovery codes in place of the old ones, which work no more. Raises `Conflict` without a second factor."""
    person = _locked_self(actor)
    if not has_second_factor(person):
        raise Conflict("Recovery codes stand in for a second factor; add one first.")
    _note(Event.SECOND_FACTOR_ADDED, request, person, actor, "recovery_code")
    return new_recovery_codes(person)


@audited_denials
def remove_app(*, request: HttpRequest, actor: Actor) -> None:
    """Take away one's authenticator app. Raises `NotFound`."""
    _remove(request, actor, "totp", type=APP)


@audited_denials
def remove_passkey(*, request: HttpRequest, passkey_id: int, actor: Actor) -> None:
    """Take away one of one's passkeys. Raises `NotFound`."""
    _remove(request, actor, "passkey", type=PASSKEY, pk=passkey_id)


@audited_denials
def reset_second_factors(*, username: str, actor: Actor, reason: str) -> int:
    """Take away all second factors of somebody who lost theirs, and end their sessions; answers how many went.

    From then on their password alone signs them in, so whoever resets must be allowed to set that too.
    Raises `NotFound`, `Conflict` (they have none), `Invalid` (reason), `PermissionDenied`.
    """
    person = person_named(username)
    refuse_without(actor, Permission.PERSON_MANAGE, subject_of(person))
    refuse_to_raise(person, actor)
    why = checked_reason(reason)
    Person.objects.select_for_update().get(pk=person.pk)
    rows = Authenticator.objects.filter(user=person)
    kinds = sorted(rows.values_list("type", flat=True))
    if not kinds:
        raise Conflict("This person has no second factor.")
    rows.delete()
    end_sessions_of(person, actor=actor)
    note_auth(Event.SECOND_FACTOR_REMOVED, actor=actor, subject=subject_of(person), reason=why, after={"reset": kinds})
    return len(kinds)


def _locked_self(actor: Actor) -> Person:
    """The acting person, locked: no session without the new factor begins meanwhile (see `begin_session`)."""
    person = Person.objects.select_for_update().filter(public_id=actor.id, is_active=True).first()
    if person is None or actor.signed_in is None:
        raise NotFound("Only somebody who is signed in has second factors.")
    return person


def _added(request: HttpRequest, person: Person, actor: Actor, kind: str) -> list[str]:
    _note(Event.SECOND_FACTOR_ADDED, request, person, actor, kind)
    prove_session(request, person, second_factor=kind)
    end_sessions_of(person, actor=actor, but=request)
    if Authenticator.objects.filter(user=person, type=RECOVERY).exists():
        return []
    return new_recovery_codes(person)


def _remove(request: HttpRequest, actor: Actor, kind: str, **which: object) -> None:
    person = _locked_self(actor)
    if not Authenticator.objects.filter(user=person, **which).delete()[0]:
        raise NotFound("You have no such second factor.")
    if not has_second_factor(person):
        Authenticator.objects.filter(user=person).delete()
    _note(Event.SECOND_FACTOR_REMOVED, request, person, actor, kind)


def _note(event: Event, request: HttpRequest, person: Person, actor: Actor, kind: str) -> None:
    note_auth(event, actor=actor, subject=subject_of(person), address=address_of(request), after={"kind": kind})
