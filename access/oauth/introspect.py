"""Introspection (RFC 7662): a server asks what a token that it was shown is worth.

It is told of tokens for its own endpoint and of nothing else. The toolkit tells any client of any token, even by GET.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from oauthlib.common import Request

from access.models import AccessToken, Agent, Person, ProtectedResource
from access.oauth.answers import json_answer
from access.oauth.requests import Refusal
from access.oauth.validator import Validator
from access.oauth.views import FormEndpoint
from access.services.inspecting import stopped_by
from access.tokens import TokenFacts, verify_access_token

NOT_ACTIVE = {"active": False}


class IntrospectionEndpoint(FormEndpoint):
    """Only by POST, only by the agent that stands for the endpoint which the token is for."""

    def answer(self, request: HttpRequest) -> HttpResponse:
        """What the token is worth. Whatever the asker may not know of is answered like rubbish."""
        asker = self._asker(request)
        token = self.form.get("token")
        if not token:
            raise Refusal("invalid_request", "token is missing.")
        facts = verify_access_token(token)
        return json_answer(_told(facts) if facts is not None and _may_know(asker, facts) else NOT_ACTIVE)

    def _asker(self, request: HttpRequest) -> Agent:
        uri, method, body, headers = self.get_oauthlib_core()._extract_params(request)  # noqa: SLF001 -- the toolkit's
        presented = Request(uri, method, body, headers)
        agent = presented.client if Validator().authenticate_client(presented) else None
        if not isinstance(agent, Agent) or agent.client_type != Agent.CLIENT_CONFIDENTIAL:
            raise Refusal("invalid_client", "", 401)
        return agent


def _may_know(asker: Agent, facts: TokenFacts) -> bool:
    agent = Agent.objects.get(pk=facts.agent_id)
    person = Person.objects.get(pk=facts.person_id) if facts.person_id is not None else None
    usable = stopped_by(agent=agent, person=person, resource=facts.resource) is None
    mine = ProtectedResource.objects.filter(uri=facts.resource, active=True, introspector=asker)
    return usable and mine.exists()


def _told(facts: TokenFacts) -> dict[str, Any]:
    issued = AccessToken.objects.filter(public_id=facts.public_id).values_list("created", flat=True).first()
    return {
        "active": True,
        "iss": settings.ISSUER,
        "sub": str(facts.person_public_id) if facts.person_public_id else facts.client_id,
        "aud": facts.resource,
        "client_id": facts.client_id,
        "scope": " ".join(sorted(facts.scopes)),
        "iat": int(issued.timestamp()) if issued else None,
        "exp": int(facts.expires_at.timestamp()),
        "jti": str(facts.public_id),
        "token_type": "Bearer",
    }
