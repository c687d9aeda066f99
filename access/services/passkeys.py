"""Passkeys (WebAuthn): what a browser is asked for, and whether what it answers is right.

Every passkey is one that its device unlocks by a PIN or a finger, and that says itself whose it is: it can stand for
name and password together. Answers count for `PUBLIC_URL`'s origin alone. The question waits in the session, is asked
once, and is gone when it was answered.
"""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from allauth.mfa.webauthn.internal.auth import (
    EXTENSIONS,
    WebAuthn,
    build_user_payload,
    get_authenticator_by_credential_id,
    get_credentials,
)
from django.conf import settings
from django.http import HttpRequest
from fido2.server import Fido2Server
from fido2.utils import websafe_decode
from fido2.webauthn import (
    PublicKeyCredentialRpEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from access.models import Person
from access.second_factor_adapter import Adapter

ANSWER_MAX: Final = 20_000  # characters of a browser's answer
_ASKED: Final = "passkey_asked"
_VERIFIED: Final = UserVerificationRequirement.REQUIRED


def ask_for_new(request: HttpRequest, person: Person) -> dict[str, Any]:
    """What a browser needs to make a passkey for this person."""
    options, state = _server().register_begin(
        user=build_user_payload(person),
        credentials=get_credentials(person),
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=_VERIFIED,
        extensions=EXTENSIONS,
    )
    request.session[_ASKED] = {"new": True, **state}
    return dict(options)


def ask_for_one(request: HttpRequest, person: Person | None = None) -> dict[str, Any]:
    """What a browser needs to answer with a passkey: one of this person's, or any that it has for this site."""
    credentials = get_credentials(person) if person is not None else None
    options, state = _server().authenticate_begin(credentials=credentials, user_verification=_VERIFIED)
    request.session[_ASKED] = {"new": False, **state}
    return dict(options)


def keep_new(request: HttpRequest, person: Person, name: str, answer: str) -> bool:
    """Keep the passkey that the browser made, if its answer is right. Within a transaction."""
    state, said = _asked(request, new=True), _read(answer)
    if state is None or said is None:
        return False
    try:
        _server().register_complete(state, said)
    except Exception:  # noqa: BLE001 -- fido2 raises errors of no one family for hostile bytes
        return False
    WebAuthn.add(person, name, dict(said))
    return True


def use_passkey(request: HttpRequest, person: Person, answer: str) -> bool:
    """Whether the browser's answer proves one of this person's passkeys."""
    state, said = _asked(request, new=False), _read(answer)
    if state is None or said is None:
        return False
    credentials = get_credentials(person)
    try:
        used = _server().authenticate_complete(state, credentials, said)
    except Exception:  # noqa: BLE001 -- as above
        return False
    row = get_authenticator_by_credential_id(person, used.credential_id)
    if row is None:
        return False
    row.record_usage()
    return True


def whose(answer: str) -> Person | None:
    """Whom an answer names; it proves nothing yet."""
    said = _read(answer)
    response = said.get("response") if said is not None else None
    handle = response.get("userHandle") if isinstance(response, dict) else None
    try:
        named = UUID(bytes=websafe_decode(handle)) if isinstance(handle, str) else None
    except ValueError:
        return None
    return Person.objects.active().filter(public_id=named).first() if named else None


def _server() -> Fido2Server:
    site = urlsplit(settings.PUBLIC_URL)
    origin = f"{site.scheme}://{site.netloc}"
    entity = PublicKeyCredentialRpEntity(**Adapter().get_public_key_credential_rp_entity())
    return Fido2Server(entity, verify_origin=lambda said: said == origin)


def _asked(request: HttpRequest, *, new: bool) -> Mapping[str, Any] | None:
    """The question that waits in the session, which is gone by this."""
    waiting = request.session.pop(_ASKED, None)
    if not isinstance(waiting, dict) or waiting.get("new") is not new:
        return None
    return waiting


def _read(answer: str) -> dict[str, Any] | None:
    if len(answer) > ANSWER_MAX:
        return None
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
