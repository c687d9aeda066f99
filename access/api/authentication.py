"""API tokens as bearer tokens (RFC 6750, 2.1: in the header only)."""

from dataclasses import dataclass

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from access.models import ApiToken
from access.services import authenticate_api_token
from core.actor import Actor


@dataclass(frozen=True, slots=True)
class ApiUser:
    """Who acts by an API token, in the shape that the framework expects of a user."""

    actor: Actor
    is_authenticated: bool = True
    is_active: bool = True


class ApiTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer hfp_…`. No cookie is looked at, so there is nothing to forge a request with."""

    def authenticate(self, request: Request) -> tuple[ApiUser, ApiToken] | None:
        """The person behind the token; None without the header. Raises `AuthenticationFailed`."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("Use Authorization: Bearer with an API token.")
        found = authenticate_api_token(token.strip())
        if found is None:
            raise AuthenticationFailed("This API token is unknown, expired or revoked.")
        row, actor = found
        return ApiUser(actor), row

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a 401."""
        return 'Bearer realm="holdfast"'
