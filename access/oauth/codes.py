"""The authorization code grant at the token endpoint (RFC 6749, 4.1.3; RFC 7636).

The toolkit checks a code, then its verifier, and deletes it last: two exchanges at once both pass, and one with a
wrong verifier leaves it usable. Here checking uses it up, under locks, and everything later looks at what was found.
"""

from typing import Any

from django.utils import timezone
from oauthlib.common import Request

from access.models import Agent
from access.oauth.core import NO_CODE
from access.services.codes import RedeemedCode, redeem_code


class CodeGrant:
    """Part of the validator."""

    def validate_code(
        self, client_id: str, code: str, client: Agent, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        """Use the code up; whether it stood for anything."""
        arrived = timezone.now()
        redeemed = redeem_code(agent=client, hashed=code, arrived=arrived) if code != NO_CODE else None
        if redeemed is None:
            return False
        request.redeemed = redeemed
        request.user = redeemed.person
        request.scopes = redeemed.scope.split()
        return True

    def get_code_challenge(self, code: str, request: Request) -> str:
        """What the verifier must hash to."""
        return redeemed_by(request).code_challenge

    def get_code_challenge_method(self, code: str, request: Request) -> str:
        """No other is taken at the authorization endpoint."""
        return "S256"

    def get_default_redirect_uri(self, client_id: str, request: Request, *args: Any, **kwargs: Any) -> str:
        """OAuth 2.1 leaves the redirect out of this request: the verifier binds it to the first."""
        return redeemed_by(request).redirect_uri

    def confirm_redirect_uri(
        self, client_id: str, code: str, redirect_uri: str, client: Agent, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        """Whether a redirect that was named is the one that the code went to, to the letter."""
        return redirect_uri == redeemed_by(request).redirect_uri

    def invalidate_authorization_code(
        self, client_id: str, code: str, request: Request, *args: Any, **kwargs: Any
    ) -> None:
        """Nothing: it was used up when it was checked."""


def redeemed_by(request: Request) -> RedeemedCode:
    """What the code of this request stands for. Raises `TypeError` before `validate_code` found one."""
    redeemed = getattr(request, "redeemed", None)
    if not isinstance(redeemed, RedeemedCode):
        raise TypeError("no code was redeemed by this request")
    return redeemed
