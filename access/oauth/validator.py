"""The toolkit's validator with its gaps closed: resource, scopes, hostile identifiers, audit.

The toolkit issues tokens without `resource`, or for any URI whatever, and treats a token without one as good for
every audience. Here `resource` is mandatory, exactly one, canonical, and an active endpoint of ours (RFC 8707).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db import transaction
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error

from access.keys import token_key
from access.models import AccessToken, Agent, ProtectedResource
from access.resource_uri import canonical_resource
from access.services.clients import resolve_client
from access.services.revisions import ACCESS_PART, bump_revision
from access.token_format import TokenKind, checksum, is_genuine
from audit.events import Event, RecordType
from audit.services import record
from core.actor import Actor, ActorKind
from core.names import subject
from core.scopes import CONNECT, baseline_scopes, problem, scope_server

_SCOPES_MAX: Final = 200


class InvalidTarget(CustomOAuth2Error):
    """RFC 8707, 2: the resource is missing, malformed, unknown, or more than one."""

    def __init__(self, description: str, request: Request) -> None:
        super().__init__(error="invalid_target", description=description, request=request, status_code=400)


class Validator(OAuth2Validator):
    """What this authorization server accepts."""

    def get_default_scopes(self, client_id: str, request: Request, *args: Any, **kwargs: Any) -> list[str]:
        """The baseline of the asked resource; the agent's role still bounds every call."""
        return sorted(baseline_scopes(self._resource(request).server_slug))

    def validate_scopes(
        self, client_id: str, scopes: Sequence[str], client: Agent, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        """Whether each scope is `mcp:connect` or a well-formed scope of the asked resource's server."""
        slug = self._resource(request).server_slug
        return len(scopes) <= _SCOPES_MAX and all(_fits(scope, slug) for scope in scopes)

    def revoke_token(self, token: str, token_type_hint: str, request: Request, *args: Any, **kwargs: Any) -> None:
        """End a token of the authenticated client (RFC 7009). An unknown one is no error (2.2)."""
        if not is_genuine(token, TokenKind.ACCESS, token_key()):
            return
        with transaction.atomic():
            rows = AccessToken.objects.select_for_update().filter(application=request.client)
            row = rows.filter(token_checksum=checksum(token)).first()
            if row is None:
                return
            public_id = row.public_id
            row.delete()
            _record(Event.TOKEN_REVOKED, request.client, public_id, after=None)
            bump_revision(ACCESS_PART)

    def validate_bearer_token(self, token: str, scopes: Iterable[str], request: Request) -> bool:
        """Nothing in this process takes an agent's token; the gateway judges them by `access.tokens`."""
        return False

    def _extract_basic_auth(self, request: Request) -> str | None:
        # RFC 9110, 11.1: the scheme's case does not matter; the toolkit takes one spelling only.
        scheme, _, credentials = str(request.headers.get("HTTP_AUTHORIZATION") or "").partition(" ")
        return credentials.strip() or None if scheme.lower() == "basic" else None

    def _load_application(self, client_id: str, request: Request) -> Agent | None:
        # Never the toolkit's own: it would look documents up by its rules, and take any text for an id.
        known = request.client if isinstance(request.client, Agent) else None
        agent = known if known and known.client_id == client_id else resolve_client(client_id or "")
        usable = agent if agent is not None and agent.is_usable(request) else None
        request.client = usable
        return usable

    def _check_and_set_request_resource(self, request: Request) -> None:
        request.resource = [self._resource(request).uri]

    def _create_access_token(self, *args: Any, **kwargs: Any) -> AccessToken:
        token: AccessToken = super()._create_access_token(*args, **kwargs)
        after = {"scopes": token.scope.split(), "resource": token.resource[0], "expires_at": token.expires}
        _record(Event.TOKEN_ISSUED, token.application, token.public_id, after=after)
        return token

    def _resource(self, request: Request) -> ProtectedResource:
        found = getattr(request, "protected_resource", None)
        if not isinstance(found, ProtectedResource):
            found = request.protected_resource = _asked_resource(request)
        return found


def _asked_resource(request: Request) -> ProtectedResource:
    asked = [value for key, value in request.decoded_body or [] if key == "resource"]
    if len(asked) != 1 or not asked[0]:
        raise InvalidTarget("Name exactly one resource: the URL of the endpoint to be called.", request)
    uri = canonical_resource(asked[0])
    found = ProtectedResource.objects.filter(uri=uri, active=True).first() if uri else None
    if found is None:
        raise InvalidTarget("The resource is no endpoint of this gateway.", request)
    return found


def _fits(scope: str, slug: str) -> bool:
    return scope == CONNECT or (scope_server(scope) == slug and problem(scope) is None)


def _record(event: Event, agent: Agent, public_id: Any, *, after: dict[str, Any] | None) -> None:
    record(
        type=RecordType.AUTH,
        event=event,
        actor=Actor(kind=ActorKind.AGENT, id=agent.client_id, name=agent.name),
        subject=subject("token", str(public_id)),
        decision="allowed",
        agent=agent.client_id,
        after=after,
    )
