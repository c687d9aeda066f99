"""The toolkit's validator with its gaps closed: resource, scopes, hostile identifiers, audit.

The toolkit issues tokens without `resource`, or for any URI whatever, and treats a token without one as good for
every audience. Here there is exactly one, canonical, and an active endpoint of ours (RFC 8707): named by a client that
acts for itself, and otherwise that of the code or refresh token. `codes` and `refresh` hold those grants.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error

from access.keys import token_key
from access.models import AccessToken, Agent, Person, ProtectedResource, RefreshToken
from access.oauth.codes import CodeGrant
from access.oauth.refresh import RefreshGrant, bound_resource, keep_refresh_token, told_again
from access.resource_uri import canonical_resource
from access.services.clients import resolve_client
from access.services.families import agent_actor, end_family, person_actor
from access.services.revisions import ACCESS_PART, bump_revision
from access.token_format import TokenKind, checksum, is_genuine
from audit.events import Event, RecordType
from audit.services import record
from core.names import subject
from core.scopes import CONNECT, baseline_scopes, problem, scope_server

_SCOPES_MAX: Final = 200


class InvalidTarget(CustomOAuth2Error):
    """RFC 8707, 2: the resource is missing, malformed, unknown, or more than one."""

    def __init__(self, description: str, request: Request) -> None:
        super().__init__(error="invalid_target", description=description, request=request, status_code=400)


class Validator(CodeGrant, RefreshGrant, OAuth2Validator):
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
        """End a token of the authenticated client (RFC 7009), and what it belongs to. An unknown one is no error (2.2).

        The access token of a person ends with its whole family: the refresh token would bring the next.
        """
        with transaction.atomic():
            family = _family_of(token, request.client)
            if family is not None:
                end_family(family=family, actor=agent_actor(request.client), reason="revoked by the client")
            elif is_genuine(token, TokenKind.ACCESS, token_key()):
                _end_alone(token, request.client)

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

    def _save_bearer_token(self, token: dict[str, Any], request: Request, *args: Any, **kwargs: Any) -> None:
        if request.grant_type == "client_credentials":
            super()._save_bearer_token(token, request, *args, **kwargs)
            return
        self._check_and_set_request_resource(request)
        if told_again(token, request):
            return
        expires = timezone.now() + timedelta(seconds=token["expires_in"])
        keep_refresh_token(token, self._create_access_token(expires, request, token), request)

    def _create_access_token(self, *args: Any, **kwargs: Any) -> AccessToken:
        token: AccessToken = super()._create_access_token(*args, **kwargs)
        after = {"scopes": token.scope.split(), "resource": token.resource[0], "expires_at": token.expires}
        _record(Event.TOKEN_ISSUED, token.application, token.public_id, after=after, person=token.user)
        return token

    def _resource(self, request: Request) -> ProtectedResource:
        found = getattr(request, "protected_resource", None)
        if not isinstance(found, ProtectedResource):
            found = request.protected_resource = _asked_resource(request)
        return found


def _asked_resource(request: Request) -> ProtectedResource:
    asked = [value for key, value in request.decoded_body or [] if key == "resource"]
    bound = bound_resource(request)
    if bound is not None and not asked:
        asked = [bound]
    if len(asked) != 1 or not asked[0]:
        raise InvalidTarget("Name exactly one resource: the URL of the endpoint to be called.", request)
    uri = canonical_resource(asked[0])
    if bound is not None and uri != bound:
        raise InvalidTarget("Another resource was allowed.", request)
    found = ProtectedResource.objects.filter(uri=uri, active=True).first() if uri else None
    if found is None:
        raise InvalidTarget("The resource is no endpoint of this gateway.", request)
    return found


def _family_of(token: str, agent: Agent) -> UUID | None:
    """The family of a client's own access or refresh token."""
    rows = RefreshToken.objects.filter(application=agent)
    if is_genuine(token, TokenKind.REFRESH, token_key()):
        rows = rows.filter(token_checksum=checksum(token))
    elif is_genuine(token, TokenKind.ACCESS, token_key()):
        rows = rows.filter(access_token__token_checksum=checksum(token))
    else:
        return None
    family: UUID | None = rows.values_list("token_family", flat=True).first()
    return family


def _end_alone(token: str, agent: Agent) -> None:
    rows = AccessToken.objects.select_for_update().filter(application=agent)
    row = rows.filter(token_checksum=checksum(token)).first()
    if row is None:
        return
    public_id = row.public_id
    row.delete()
    _record(Event.TOKEN_REVOKED, agent, public_id, after=None)
    bump_revision(ACCESS_PART)


def _fits(scope: str, slug: str) -> bool:
    return scope == CONNECT or (scope_server(scope) == slug and problem(scope) is None)


def _record(
    event: Event, agent: Agent, public_id: Any, *, after: dict[str, Any] | None, person: Person | None = None
) -> None:
    record(
        type=RecordType.AUTH,
        event=event,
        actor=agent_actor(agent),
        principal=person_actor(person) if person else None,
        subject=subject("token", str(public_id)),
        decision="allowed",
        agent=agent.client_id,
        after=after,
    )
