"""Codes that somebody types: six digits of an authenticator app (TOTP), or one of their recovery codes.

A code is used once. Which step of time was used last stands in the row, so that it holds across processes.
"""

from dataclasses import dataclass

import qrcode
from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.db import transaction
from django.http import HttpRequest

from access.models import Person
from access.second_factor_adapter import Adapter
from access.services.factors import APP, RECOVERY
from core.errors import Unavailable

CODE_MAX = 40  # characters that anybody types for a code, spaces included
_SETUP = "totp_setup"  # where a session keeps a seed, sealed, until its first code was right
_USED = "last_step"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A seed that is not in use yet, as text, and as a picture: the modules of a QR code as an SVG path."""

    secret: str
    url: str
    path: str
    size: int


def begin_enrolment(request: HttpRequest, person: Person) -> Enrolment:
    """The seed of this session, made now if there is none: a page that comes back with an error shows the same."""
    secret = _waiting(request)
    if not secret:
        secret = generate_totp_secret()
        request.session[_SETUP] = Adapter().encrypt(secret)
    url = Adapter().build_totp_url(person, secret)
    code = qrcode.QRCode(border=2, error_correction=qrcode.constants.ERROR_CORRECT_M)
    code.add_data(url)
    modules = code.get_matrix()
    dark = [(x, y) for y, row in enumerate(modules) for x, module in enumerate(row) if module]
    return Enrolment(secret, url, "".join(f"M{x} {y}h1v1h-1z" for x, y in dark), len(modules))


def finish_enrolment(request: HttpRequest, person: Person, code: str) -> bool:
    """Keep the seed of this session as the person's, if `code` is its code now. Within a transaction."""
    secret = _waiting(request)
    step = _step(secret, code) if secret else None
    if secret is None or step is None:
        return False
    row = TOTP.activate(person, secret).instance
    row.data[_USED] = step
    row.save(update_fields=["data"])
    del request.session[_SETUP]
    return True


def use_code(person: Person, code: str) -> str:
    """Which second factor `code` is right for, "totp" or "recovery_code", and used up by this; empty for neither."""
    if not code or len(code) > CODE_MAX:
        return ""
    with transaction.atomic():
        rows = {row.type: row for row in Authenticator.objects.select_for_update().filter(user=person)}
        app, recovery = rows.get(APP), rows.get(RECOVERY)
        if app is not None and _used_up(app, code):
            return "totp"
        if recovery is not None and RecoveryCodes(recovery).validate_code(code):
            recovery.refresh_from_db()
            recovery.record_usage()
            return "recovery_code"
    return ""


def new_recovery_codes(person: Person) -> list[str]:
    """Fresh recovery codes in place of any before; this is the one time that they can be read."""
    Authenticator.objects.filter(user=person, type=RECOVERY).delete()
    return [f"{code[:4]}-{code[4:]}" for code in RecoveryCodes.activate(person).generate_codes()]


def spaced(secret: str) -> str:
    """A seed in groups of four, for whoever types it."""
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def _used_up(row: Authenticator, code: str) -> bool:
    step = _step(Adapter().decrypt(row.data["secret"]), code)
    if step is None or step <= row.data.get(_USED, -1):
        return False
    row.data[_USED] = step
    row.save(update_fields=["data"])
    row.record_usage()
    return True


def _step(secret: str, code: str) -> int | None:
    """The step of time that `code` belongs to, of those that count now."""
    for step in yield_hotp_counters_from_time():
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, step))):
            return int(step)
    return None


def _waiting(request: HttpRequest) -> str | None:
    sealed = request.session.get(_SETUP)
    try:
        return Adapter().decrypt(sealed) if sealed else None
    except Unavailable:
        return None
