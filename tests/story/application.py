"""An application on a person's computer: the `mcp` package's client with the OAuth client that it brings.

Nothing is known to it but the endpoint's URL, and who it is where it was registered beforehand.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from tests.story.agent import MODES

NAME = "Letter writer"
REGISTERED_REDIRECTS = ["http://127.0.0.1/callback"]
_PATIENCE = 60.0


class Application:
    """It opens links by `open_link`, listens on loopback for the answer, and keeps its tokens here."""

    def __init__(self, open_link: Callable[[str], Awaitable[object]]) -> None:
        self._open_link = open_link
        self._answer: asyncio.Future[AuthorizationCodeResult] | None = None
        self.redirect_uri = ""
        self.links: list[str] = []  # that the person was sent to
        self.codes: list[str] = []
        self.tokens: list[OAuthToken] = []
        self.client: OAuthClientInformationFull | None = None

    def registered(self, client_id: str) -> None:
        """Somebody registered it beforehand, without a secret."""
        self.client = OAuthClientInformationFull(client_id=client_id, redirect_uris=None)

    # The storage that the provider asks for.
    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens[-1] if self.tokens else None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens.append(tokens)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info

    @asynccontextmanager
    async def connected(self, url: str, *, era: str = "modern", document: str | None = None) -> AsyncIterator[Client]:
        """A connected client; `document` is the URL of the document that describes the application."""
        server = await asyncio.start_server(self._called_back, "127.0.0.1", 0)
        self.redirect_uri = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callback"
        metadata: dict[str, Any] = {
            "client_name": NAME,
            "redirect_uris": [self.redirect_uri],
            "token_endpoint_auth_method": "none",
        }
        provider = OAuthClientProvider(
            server_url=url,
            client_metadata=OAuthClientMetadata(**metadata),
            storage=self,
            redirect_handler=self._asked,
            callback_handler=self._answered,
            client_metadata_url=document,
        )
        async with (
            server,
            httpx2.AsyncClient(auth=provider, timeout=_PATIENCE) as http,
            Client(streamable_http_client(url, http_client=http), mode=MODES[era]) as client,
        ):
            yield client

    async def _asked(self, link: str) -> None:
        self._answer = asyncio.get_running_loop().create_future()
        self.links.append(link)
        await self._open_link(link)

    async def _answered(self) -> AuthorizationCodeResult:
        assert self._answer is not None
        found = await asyncio.wait_for(self._answer, _PATIENCE)
        self.codes.append(found.code)
        return found

    async def _called_back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode()
        target = urlsplit(line.split(" ")[1])
        if target.path == "/callback" and self._answer is not None and not self._answer.done():
            given = {name: values[0] for name, values in parse_qs(target.query).items()}
            self._answer.set_result(AuthorizationCodeResult.model_validate({"code": "", **given}))
        page = b"<!doctype html><title>Arrived</title><h1>Arrived</h1>"
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(page)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + page)
        await writer.drain()
        writer.close()


def asks(link: str) -> dict[str, str]:
    """What a link asks for."""
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


def status_at(url: str, token: str) -> int:
    """How the gateway answers a request with a token, from outside of any client."""
    headers = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
    headers |= {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"}
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    return httpx2.post(url, json=body, headers=headers, timeout=30).status_code
