"""Refresh tokens: exchanged once, with a moment in which the same exchange may be repeated.

Clients lose answers and refresh from several processes at once. Within ten seconds, and until the successor is used
itself, a token that was exchanged is answered with the very same pair. The pair is stored sealed under a key that is
derived from the exchanged token, which we do not have: nobody who reads the table learns anything. A token that is
brought later was stolen, or its successor was; nobody can tell which, so the whole family ends (RFC 9700, 4.14.2).
"""

import json
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils import timezone

from access.models import AccessToken, Agent, RefreshToken
from access.services.families import agent_actor, end_family, lock_family, lock_person
from access.token_format import checksum
from core.envelope import CannotOpen, open_sealed, seal

REPEAT_WINDOW: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, repr=False)
class TokenPair:
    """What one exchange gave. `expires_at` is ISO 8601."""

    access_token: str
    refresh_token: str
    scope: str
    expires_at: str


@dataclass(frozen=True, slots=True, repr=False)
class PresentedToken:
    """A refresh token that may be exchanged, or (`again`) the pair that its exchange gave a moment ago."""

    row: RefreshToken
    again: TokenPair | None = None


def present_refresh_token(*, agent: Agent, token: str) -> PresentedToken | None:
    """Look a refresh token up and lock what belongs to it; None where it is worth nothing. Needs a transaction.

    One that was exchanged before ends its family, unless it is repeated in time.
    """
    hashed = checksum(token)
    known = RefreshToken.objects.filter(token_checksum=hashed, application=agent)
    keys = known.values("user_id", "token_family").first()
    if keys is None:
        return None
    person = lock_person(keys["user_id"])
    lock_family(keys["token_family"])
    row = known.select_for_update().first()
    if row is None or not person.is_active:
        return None
    if row.superseded_at is not None:
        return _presented_again(row, agent, token)
    return PresentedToken(row) if row.revoked is None and not has_ended(row, timezone.now()) else None


def has_ended(row: RefreshToken, now: datetime) -> bool:
    """Whether a refresh token was left unused for too long, or its family is too old."""
    return now >= ends_at(row)


def ends_at(row: RefreshToken) -> datetime:
    """When a refresh token that nobody exchanges or revokes ends."""
    idle = timedelta(seconds=settings.OAUTH2_PROVIDER["REFRESH_TOKEN_EXPIRE_SECONDS"])
    ends: datetime = min(row.created + idle, row.family_began_at + timedelta(days=settings.REFRESH_TOKEN_DAYS))
    return ends


def begin_family(*, access: AccessToken, refresh_token: str, family: uuid.UUID) -> RefreshToken:
    """Store the first refresh token of a family, beside its access token."""
    return _store(access, refresh_token, family=family, began_at=timezone.now(), scope=access.scope)


def supersede(*, presented: RefreshToken, token: str, pair: TokenPair) -> None:
    """Mark a token as exchanged for `pair`, which `token` itself opens. The one before can no longer be repeated."""
    now = timezone.now()
    RefreshToken.objects.filter(token_family=presented.token_family, successor__isnull=False).update(successor=None)
    sealed = seal(json.dumps(asdict(pair)).encode(), key=_key(token), place=_place(presented))
    RefreshToken.objects.filter(pk=presented.pk).update(revoked=now, superseded_at=now, updated=now, successor=sealed)


def succeed(*, presented: RefreshToken, access: AccessToken, refresh_token: str) -> RefreshToken:
    """Store the next refresh token of a family. Its scopes are those of the one before (RFC 6749, 6)."""
    family, began_at = presented.token_family, presented.family_began_at
    if family is None:
        raise ValueError("a refresh token without a family has no successor")
    return _store(access, refresh_token, family=family, began_at=began_at, scope=presented.scope)


def _presented_again(row: RefreshToken, agent: Agent, token: str) -> PresentedToken | None:
    pair = _successor(row, token)
    if pair is not None:
        return PresentedToken(row, pair)
    if row.token_family is not None:
        end_family(family=row.token_family, actor=agent_actor(agent), reason="refresh token replayed")
    return None


def _successor(row: RefreshToken, token: str) -> TokenPair | None:
    in_time = row.superseded_at is not None and timezone.now() - row.superseded_at < REPEAT_WINDOW
    if not in_time or row.successor is None:
        return None
    try:
        return TokenPair(**json.loads(open_sealed(bytes(row.successor), key=_key(token), place=_place(row))))
    except CannotOpen:
        return None


def _store(access: AccessToken, token: str, *, family: uuid.UUID, began_at: datetime, scope: str) -> RefreshToken:
    row: RefreshToken = RefreshToken.objects.create(
        user=access.user,
        application=access.application,
        access_token=access,
        token="",
        token_checksum=checksum(token),
        token_family=family,
        family_began_at=began_at,
        resource=access.resource,
        scope=scope,
    )
    return row


def _key(token: str) -> bytes:
    info = f"holdfast successor of a refresh token {settings.INSTALLATION_ID}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(token.encode())


def _place(row: RefreshToken) -> str:
    return f"{settings.INSTALLATION_ID}:refresh_token:{row.public_id}:successor"
