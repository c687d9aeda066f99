"""Commands about people."""

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from access.models import AccessToken, ApiToken, Person, RefreshToken
from access.names import checked_name, checked_reason, checked_username
from access.services.administrators import lock_administrators, refuse_without_administrator
from access.services.auditors import is_spoken_for
from access.services.authority import PAYLOADS, actor_for, may_pass_on
from access.services.consents import end_consents
from access.services.grants import Holder, grant_role
from access.services.lookups import person_named
from access.services.recording import changed, refuse_without, subject_of
from access.services.sessions import end_sessions_of
from audit.events import Event
from audit.permit import audited_denials, refuse_unless
from core.actor import Actor
from core.errors import Conflict, Invalid
from core.names import subject
from core.permissions import Permission


@audited_denials
def create_person(
    *, username: str, password: str, actor: Actor, role: str = "", display_name: str = "", email: str = ""
) -> Person:
    """Create somebody who can sign in, holding `role` from the start if one is named.

    Raises `Invalid`, `Conflict` (the name is taken), `NotFound` (no such role), `PermissionDenied`.
    """
    refuse_without(actor, Permission.PERSON_MANAGE, subject("person", "new"))
    person = Person(username=checked_username(username), email=_checked_email(email))
    person.display_name = checked_name(display_name, field="display_name") if display_name.strip() else ""
    _set_checked_password(person, password)
    _insert(person)
    changed(Event.PERSON_CREATED, actor=actor, subject=subject_of(person))
    if role:
        grant_role(role=role, holder=Holder(person=username), actor=actor, reason="Given with the new account.")
    return person


@audited_denials
def deactivate_person(*, username: str, actor: Actor, reason: str) -> Person:
    """Sign somebody out for good: no sign-in, no token of theirs works any more. Their grants stay, unused.

    Raises `Conflict` when they are inactive already, or the last administrator; `NotFound`; `PermissionDenied`.
    """
    lock_administrators()
    person = _locked(username, actor)
    if not person.is_active:
        raise Conflict("This person is deactivated already.")
    person.is_active = False
    person.save(update_fields=["is_active"])
    refuse_without_administrator()
    ended = _end_tokens(person, actor)
    changed(
        Event.PERSON_DEACTIVATED,
        actor=actor,
        subject=subject_of(person),
        reason=checked_reason(reason),
        after={"tokens_ended": ended},
    )
    return person


@audited_denials
def reactivate_person(*, username: str, actor: Actor, reason: str) -> Person:
    """Let somebody sign in again. Tokens that ended stay ended. Raises as `deactivate_person`."""
    person = _locked(username, actor)
    if person.is_active:
        raise Conflict("This person is active.")
    person.is_active = True
    refuse_to_raise(person, actor)
    person.save(update_fields=["is_active"])
    changed(
        Event.PERSON_CHANGED,
        actor=actor,
        subject=subject_of(person),
        reason=checked_reason(reason),
        before={"active": False},
        after={"active": True},
    )
    return person


@audited_denials
def set_password(*, username: str, password: str, actor: Actor) -> None:
    """Set a password: one's own, or as an administrator of people that of somebody who may not do more.

    Whoever knows a password may do all that the person may, so a narrowed token sets its own person's as a stranger
    would. Ends the person's console sessions (their session hash changes).
    Raises `Invalid`, `NotFound`, `PermissionDenied`.
    """
    person = person_named(username)
    person = Person.objects.select_for_update().get(pk=person.pk)
    if actor.narrowed or actor.id != str(person.public_id):
        refuse_without(actor, Permission.PERSON_MANAGE, subject_of(person))
        refuse_to_raise(person, actor)
    _set_checked_password(person, password)
    person.save(update_fields=["password"])
    changed(Event.PERSON_PASSWORD_CHANGED, actor=actor, subject=subject_of(person))


@transaction.atomic
def choose_language(*, language: str, actor: Actor) -> None:
    """The language of one's own pages; empty: what the browser asks for. Raises `Invalid`."""
    if language and language not in dict(settings.LANGUAGES):
        raise Invalid("This language is not known here.", field="language")
    person = Person.objects.select_for_update().get(public_id=actor.id)
    if person.language == language:
        return
    before, person.language = person.language, language
    person.save(update_fields=["language"])
    changed(
        Event.PERSON_CHANGED,
        actor=actor,
        subject=subject_of(person),
        before={"language": before},
        after={"language": language},
    )


def insert_person(*, username: str, password: str) -> Person:
    """A new row without asking who may; for setting up an installation. Raises `Invalid` and `Conflict`."""
    person = Person(username=checked_username(username))
    _set_checked_password(person, password)
    _insert(person)
    return person


def _locked(username: str, actor: Actor) -> Person:
    person = person_named(username)
    refuse_without(actor, Permission.PERSON_MANAGE, subject_of(person))
    return Person.objects.select_for_update().get(pk=person.pk)


def refuse_to_raise(person: Person, actor: Actor) -> None:
    """Refuse who may not do all that the person may, before they come to act as that person."""
    theirs = actor_for(person)
    to_come = PAYLOADS if is_spoken_for(person) else frozenset()
    allowed = may_pass_on(actor, theirs.permissions | theirs.own_team_permissions | to_come)
    refuse_unless(allowed, actor=actor, permission=Permission.PERSON_MANAGE, subject=subject_of(person))


def _insert(person: Person) -> None:
    try:
        with transaction.atomic():
            person.save()
    except IntegrityError as error:
        raise Conflict(f"The user name '{person.username}' is taken.", field="username") from error


def _set_checked_password(person: Person, password: str) -> None:
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), field="password") from error
    if len(password) > 1024:
        raise Invalid("A password has at most 1024 characters.", field="password")
    person.set_password(password)


def _checked_email(email: str) -> str:
    if not email:
        return ""
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), field="email") from error
    return email


def _end_tokens(person: Person, actor: Actor) -> int:
    now = timezone.now()
    end_consents(person)
    end_sessions_of(person, actor=actor)
    ended = ApiToken.objects.filter(person=person, revoked_at__isnull=True).update(revoked_at=now)
    RefreshToken.objects.filter(user=person, revoked__isnull=True).update(revoked=now, updated=now)
    RefreshToken.objects.filter(user=person, successor__isnull=False).update(successor=None)
    gone, _ = AccessToken.objects.filter(user=person).delete()
    return int(ended + gone)
