"""What second factors somebody has."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator

from access.models import Person

APP: Final = str(Authenticator.Type.TOTP.value)
PASSKEY: Final = str(Authenticator.Type.WEBAUTHN.value)
RECOVERY: Final = str(Authenticator.Type.RECOVERY_CODES.value)


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey, as a page shows it."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Factors:
    """All of somebody's second factors. Recovery codes stand in for the others, and are none by themselves."""

    app_since: datetime | None
    app_used_at: datetime | None
    passkeys: tuple[Passkey, ...]
    recovery_codes: int

    def __bool__(self) -> bool:
        return self.app_since is not None or bool(self.passkeys)


def has_second_factor(person: Person) -> bool:
    """Whether a password alone no longer signs this person in."""
    return bool(Authenticator.objects.filter(user=person, type__in=[APP, PASSKEY]).exists())


def factors_of(person: Person) -> Factors:
    """What this person has."""
    rows = list(Authenticator.objects.filter(user=person).order_by("pk"))
    app = next((row for row in rows if row.type == APP), None)
    recovery = next((row for row in rows if row.type == RECOVERY), None)
    return Factors(
        app_since=app.created_at if app else None,
        app_used_at=app.last_used_at if app else None,
        passkeys=tuple(
            Passkey(row.pk, str(row.data["name"]), row.created_at, row.last_used_at)
            for row in rows
            if row.type == PASSKEY
        ),
        recovery_codes=_unused(recovery.data["used_mask"]) if recovery else 0,
    )


def _unused(used_mask: int) -> int:
    """How many recovery codes are left; it needs no key, so that a page can say so without one."""
    return int(app_settings.RECOVERY_CODE_COUNT) - used_mask.bit_count()
