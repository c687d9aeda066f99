"""The `mcp` package's own client finds the authorization server and gets a token, by discovery alone."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import httpx2
import pytest
from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from access import services
from access.tokens import TokenFacts, verify_access_token
from tests.factories import AgentFactory

RESOURCE = "http://127.0.0.1:8000/mcp/files"
METADATA = "http://127.0.0.1:8000/.well-known/oauth-protected-resource/mcp/files"


class Storage:
    """Keeps nothing between tests."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        raise NotImplementedError


def site(seen: list[TokenFacts | None]) -> Callable[..., Awaitable[None]]:
    """Our site, with a stand-in for the gateway that only challenges and looks at tokens."""
    django = get_asgi_application()

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/.well-known/oauth-protected-resource/mcp/files":
            await reply(send, 200, {"resource": RESOURCE, "authorization_servers": ["http://127.0.0.1:8000"]})
        elif scope["path"] != "/mcp/files":
            await django(scope, receive, send)
        elif (bearer := dict(scope["headers"]).get(b"authorization", b"").decode()).startswith("Bearer "):
            seen.append(await sync_to_async(verify_access_token)(bearer.removeprefix("Bearer ")))
            await reply(send, 200, {})
        else:
            await reply(send, 401, {}, challenge=f'Bearer resource_metadata="{METADATA}"')

    return answer


async def reply(send: Any, status: int, body: dict[str, Any], *, challenge: str = "") -> None:
    headers = [(b"content-type", b"application/json")]
    headers += [(b"www-authenticate", challenge.encode())] if challenge else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": httpx2.Response(200, json=body).content})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_the_reference_client_gets_a_token_for_the_server_it_calls(
    method: Literal["client_secret_basic", "client_secret_post"],
) -> None:
    agent = await sync_to_async(AgentFactory.create)(client_secret="s e:cret+")
    await sync_to_async(services.keep_protected_resource)(server_slug="files", active=True)
    seen: list[TokenFacts | None] = []
    provider = ClientCredentialsOAuthProvider(
        server_url=RESOURCE,
        storage=Storage(),
        client_id=agent.client_id,
        client_secret="s e:cret+",
        token_endpoint_auth_method=method,
        issuer="http://127.0.0.1:8000",
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(site(seen)), auth=provider) as client:
        response = await client.post(RESOURCE, json={})
    assert response.status_code == 200
    facts = seen[0]
    assert facts is not None
    assert (facts.client_id, facts.resource) == (agent.client_id, RESOURCE)
