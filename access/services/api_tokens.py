"""Commands about API tokens, and the check of one that is presented."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from access.keys import token_key
from access.models import ApiToken, Person
from access.names import NAME_MAX, PERMISSIONS
from access.services.authority import PAYLOADS, actor_for
from access.services.lookups import locked, person_named
from access.services.recording import changed, refuse_without, subject_of
from access.token_format import TokenKind, checksum, mint
from access.tokens import issued_as
from audit.events import Event
from audit.permit import audited_denials, refuse_unless
from core.actor import Actor
from core.errors import Conflict, Invalid, SecondFactorNeeded
from core.names import subject
from core.permissions import Permission

USE_RESOLUTION = timedelta(minutes=1)  # `last_used_at` is written at most so often


@audited_denials
def create_api_token(
    *,
    username: str,
    actor: Actor,
    scopes: Iterable[str] = (),
    name: str = "",
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token that acts for a person; answers the row and the token, which is shown this once.

    `scopes` are permissions; none means all that the person holds, now and later. What a token can do is always
    the person's permissions ∩ its scopes. Everybody may make tokens for themselves; `token:manage` makes them for
    others. Neither hands on a permission that the actor does not hold. `payload:read` a token has to name.
    Raises `Invalid`, `NotFound`, `Conflict` (deactivated), `PermissionDenied`.
    """
    if actor.lacks_second_factor:
        # A token counts as more than a password (ADR 0022), so a password alone makes none.
        raise SecondFactorNeeded(subject=subject("api_token", "new"))
    person = person_named(username, field="username")
    wanted = _checked_scopes(scopes)
    _refuse_to_raise(person, wanted, actor)
    if not person.is_active:
        raise Conflict("This person is deactivated.", field="username")
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid("The token would have ended already.", field="expires_at")
    if actor.until is not None and (expires_at is None or expires_at > actor.until):
        raise Invalid("A token that ends makes none that outlives it.", field="expires_at")
    if len(name) > NAME_MAX or "\0" in name:
        raise Invalid(f"At most {NAME_MAX} characters.", field="name")
    return insert_api_token(person, actor=actor, scopes=wanted, name=name, expires_at=expires_at)


@audited_denials
def revoke_api_token(*, token_id: UUID, actor: Actor, reason: str = "") -> ApiToken:
    """End a token now: one's own, or anybody's with `token:manage`.

    Raises `NotFound`, `Conflict` (ended already), `PermissionDenied`.
    """
    token = locked(ApiToken, token_id, "token")
    if actor.id != str(token.person.public_id):
        refuse_without(actor, Permission.TOKEN_MANAGE, subject_of(token))
    if token.revoked_at is not None:
        raise Conflict("This token was revoked already.")
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    changed(Event.API_TOKEN_REVOKED, actor=actor, subject=subject_of(token), reason=reason)
    return token


def authenticate_api_token(token: str) -> tuple[ApiToken, Actor] | None:
    """The live token that `token` is, and who acts by it; None for anything else. Rubbish costs no query."""
    row = issued_as(TokenKind.API, token, ApiToken.objects.live().select_related("person")).first()
    if row is None:
        return None
    now = timezone.now()
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - USE_RESOLUTION)
    if row.last_used_at is None or row.last_used_at < now - USE_RESOLUTION:
        ApiToken.objects.filter(stale, pk=row.pk).update(last_used_at=now)
    actor = actor_for(row.person, narrowed_to=row.scopes or PERMISSIONS - PAYLOADS)
    return row, replace(actor, until=row.expires_at)


def insert_api_token(
    person: Person, *, actor: Actor, scopes: list[str], name: str, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """The row and the token, without asking who may; within a command that is under way already."""
    token = mint(TokenKind.API, token_key())
    row = ApiToken.objects.create(
        person=person, name=name, token_checksum=checksum(token), scopes=scopes, expires_at=expires_at
    )
    after = {"person": subject_of(person), "scopes": scopes}
    changed(Event.API_TOKEN_CREATED, actor=actor, subject=subject_of(row), after=after)
    return row, token


def _checked_scopes(scopes: Iterable[str]) -> list[str]:
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in PERMISSIONS]
    if unknown:
        raise Invalid(f"'{unknown[0][:80]}' is no permission.", field="scopes")
    return wanted


def _refuse_to_raise(person: Person, wanted: list[str], actor: Actor) -> None:
    held = actor.permissions | actor.own_team_permissions
    asked = set(wanted) or PERMISSIONS - PAYLOADS
    if actor.id == str(person.public_id):
        # A narrow token must not make a wider one; what the person does not hold does no harm.
        theirs = actor_for(person)
        allowed = asked & (theirs.permissions | theirs.own_team_permissions) <= held
        # Nor one that follows grants which are still to come.
        allowed = allowed and (bool(wanted) or not actor.narrowed)
    else:
        allowed = actor.may(Permission.TOKEN_MANAGE) and asked <= actor.permissions
    refuse_unless(allowed, actor=actor, permission=Permission.TOKEN_MANAGE, subject=subject_of(person))
