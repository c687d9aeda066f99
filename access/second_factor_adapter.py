"""What `allauth.mfa` is told of this installation: how secrets are kept, and for which site passkeys are made."""

import base64
import ipaddress
from typing import Any, Final
from urllib.parse import urlsplit

from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings

from access.models import Person
from core.envelope import CannotOpen, open_sealed, seal
from core.errors import Unavailable

SEALED: Final = "sealed:"  # the table demands it (`migrations/0009_sign_in.py`), so that nothing is stored in plain


class Adapter(DefaultMFAAdapter):
    """Seeds are sealed under `SECRETS_KEY`; the site is `PUBLIC_URL`'s, whatever the request's Host header says."""

    def encrypt(self, text: str) -> str:
        sealed = seal(text.encode(), key=settings.SECRETS_KEY, place=_place())
        return SEALED + base64.b64encode(sealed).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            sealed = base64.b64decode(encrypted_text.removeprefix(SEALED), validate=True)
            return open_sealed(sealed, key=settings.SECRETS_KEY, place=_place()).decode()
        except (CannotOpen, ValueError) as error:
            raise Unavailable(
                "This second factor cannot be read: the installation's key has changed. Somebody who manages people "
                "can reset it."
            ) from error

    def get_totp_label(self, user: Any) -> str:
        return str(user.username)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": str(urlsplit(settings.PUBLIC_URL).hostname), "name": settings.MFA_TOTP_ISSUER}

    def get_public_key_credential_user_entity(self, user: Any) -> dict[str, Any]:
        person: Person = user
        return {"id": person.public_id.bytes, "display_name": str(person), "name": person.username}


def offers_passkeys() -> bool:
    """Whether browsers make passkeys for `PUBLIC_URL`: only for a name, with TLS or on this very computer."""
    site = urlsplit(settings.PUBLIC_URL)
    host = str(site.hostname)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return site.scheme == "https" or host == "localhost" or host.endswith(".localhost")
    return False


def _place() -> str:
    return f"{settings.INSTALLATION_ID}:second-factor"
