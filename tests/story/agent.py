"""An agent as agents are in the field: the `mcp` package's client with its own OAuth discovery."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
from mcp import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

MODES = {"handshake": "legacy", "modern": "2026-07-28"}
_T = TypeVar("_T")


class _Memory:
    """Token storage of one run."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@asynccontextmanager
async def connected(url: str, *, issuer: str, client_id: str, client_secret: str, era: str) -> AsyncIterator[Client]:
    """A connected client. Everything it knows of OAuth it finds by following the gateway's 401."""
    provider = ClientCredentialsOAuthProvider(
        server_url=url, storage=_Memory(), client_id=client_id, client_secret=client_secret, issuer=issuer
    )
    async with (
        httpx2.AsyncClient(auth=provider, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=MODES[era]) as client,
    ):
        yield client


def run(work: Callable[[Client], Awaitable[_T]], **who: Any) -> _T:
    """Connect, do `work`, disconnect."""

    async def session() -> _T:
        async with connected(**who) as client:
            return await work(client)

    return asyncio.run(session())
