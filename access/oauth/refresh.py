"""The refresh grant at the token endpoint (RFC 6749, 6), and how both grants for people end: with a pair of tokens."""

from datetime import datetime, timedelta
from typing import Any, cast

from django.utils import timezone
from oauthlib.common import Request

from access.keys import token_key
from access.models import AccessToken, Agent, RefreshToken
from access.oauth.codes import redeemed_by
from access.services.refresh import (
    PresentedToken,
    TokenPair,
    begin_family,
    present_refresh_token,
    succeed,
    supersede,
)
from access.token_format import TokenKind, is_genuine


class RefreshGrant:
    """Part of the validator."""

    def validate_refresh_token(
        self, refresh_token: str, client: Agent, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        """Whether a pair can be given for the token. Rubbish costs no query."""
        if not is_genuine(refresh_token, TokenKind.REFRESH, token_key()):
            return False
        presented = present_refresh_token(agent=client, token=refresh_token)
        if presented is None:
            return False
        request.presented = presented
        request.user = presented.row.user
        return True

    def get_original_scopes(self, refresh_token: str, request: Request, *args: Any, **kwargs: Any) -> str:
        """What was allowed; a request may ask for less."""
        return presented_by(request).row.scope


def presented_by(request: Request) -> PresentedToken:
    """The refresh token of this request. Raises `TypeError` before `validate_refresh_token` found one."""
    presented = getattr(request, "presented", None)
    if not isinstance(presented, PresentedToken):
        raise TypeError("no refresh token was presented by this request")
    return presented


def bound_resource(request: Request) -> str | None:
    """The resource that a code or refresh token is bound to; None for a grant that names its own."""
    match request.grant_type:
        case "authorization_code":
            return redeemed_by(request).resource
        case "refresh_token":
            return str(presented_by(request).row.resource[0])
        case _:
            return None


def told_again(token: dict[str, Any], request: Request) -> bool:
    """Put the pair that this request was answered with a moment ago into `token`; whether there is one."""
    again = presented_by(request).again if request.grant_type == "refresh_token" else None
    if again is None:
        return False
    left = datetime.fromisoformat(again.expires_at) - timezone.now()
    token["access_token"], token["refresh_token"], token["scope"] = again.access_token, again.refresh_token, again.scope
    token["expires_in"] = max(0, left // timedelta(seconds=1))
    return True


def keep_refresh_token(token: dict[str, Any], access: AccessToken, request: Request) -> RefreshToken:
    """Store the refresh token of a pair: the first of a family, or the successor of the one presented."""
    if request.grant_type == "authorization_code":
        family = redeemed_by(request).family
        return begin_family(access=access, refresh_token=token["refresh_token"], family=family)
    presented = presented_by(request).row
    pair = TokenPair(token["access_token"], token["refresh_token"], access.scope, access.expires.isoformat())
    supersede(presented=presented, token=cast("str", request.refresh_token), pair=pair)
    return succeed(presented=presented, access=access, refresh_token=token["refresh_token"])
