"""One call, and how it asks its client: on the stream in the handshake era, by rounds of results in the modern one."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

Request = ElicitRequest | CreateMessageRequest | ListRootsRequest
# By kind of request: the client capability that it needs, and what answers it.
_KINDS: dict[type[Request], tuple[str, type[Any]]] = {
    ElicitRequest: ("elicitation", ElicitResult),
    CreateMessageRequest: ("sampling", CreateMessageResult),
    ListRootsRequest: ("roots", ListRootsResult),
}
_LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
# The level that each session of the handshake era asked for, by the session's id.
LEVELS: dict[str, str] = {}


class InputNeededError(Exception):
    """The client must answer before this call can go on; holds the result that says so."""

    def __init__(self, result: InputRequiredResult) -> None:
        super().__init__("input needed")
        self.result = result


@dataclass(frozen=True)
class Call:
    """A `tools/call` or `prompts/get` that may ask its client."""

    ctx: ServerRequestContext[Any, Any]
    arguments: Mapping[str, Any]
    given: Mapping[str, Any]
    state: str | None

    @property
    def modern(self) -> bool:
        """Whether the client speaks the revision without a handshake."""
        return self.ctx.protocol_version >= "2026"

    def may(self, capability: str) -> bool:
        """Whether the client declared a capability: a field's name, or an extension's identifier."""
        declared = self.ctx.session.client_capabilities
        if declared is None:
            return False
        if "/" in capability:
            return capability in (declared.extensions or {})
        return getattr(declared, capability, None) is not None

    def require(self, capability: str) -> None:
        """Refuse the call where the client lacks a capability (error -32021)."""
        if not self.may(capability):
            needed: dict[str, Any] = {"extensions": {capability: {}}} if "/" in capability else {capability: {}}
            raise MCPError(
                code=MISSING_REQUIRED_CLIENT_CAPABILITY,
                message=f"This needs the client capability {capability}",
                data={"requiredCapabilities": needed},
            )

    async def ask(self, requests: Mapping[str, Request], *, state: str | None = None) -> dict[str, Any]:
        """The client's answers by key; raises `InputNeededError` where they come with the next round only."""
        for request in requests.values():
            self.require(_KINDS[type(request)][0])
        if not self.modern:
            return {key: await self._on_stream(request) for key, request in requests.items()}
        if not requests.keys() <= self.given.keys():
            raise InputNeededError(InputRequiredResult(input_requests=dict(requests), request_state=state))
        return {key: self.given[key] for key in requests}

    async def _on_stream(self, request: Request) -> Any:
        metadata = ServerMessageMetadata(related_request_id=self.ctx.request_id)
        return await self.ctx.session.send_request(request, _KINDS[type(request)][1], metadata=metadata)

    async def log(self, message: str) -> None:
        """An info message on this call's stream, where the client's level lets it through."""
        request = self.ctx.request
        session = request.headers.get("mcp-session-id", "") if request is not None else ""
        if not self.modern and _LEVELS.index(LEVELS.get(session, "debug")) > _LEVELS.index("info"):
            return
        with warnings.catch_warnings():
            # The package marks the message as deprecated; the earlier revision has nothing else.
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            await self.ctx.session.send_log_message("info", message, related_request_id=self.ctx.request_id)


def elicit(message: str, properties: Mapping[str, Any], *, required: bool = True) -> ElicitRequest:
    """A form with these properties."""
    schema: dict[str, Any] = {"type": "object", "properties": dict(properties)}
    schema |= {"required": list(properties)} if required else {}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(prompt: str, max_tokens: int = 100) -> CreateMessageRequest:
    """Ask the client's model one thing."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=max_tokens))


def said(answer: Any) -> str:
    """The text of a model's answer."""
    return str(getattr(answer.content, "text", ""))


def text(line: str, **more: Any) -> CallToolResult:
    """A result of one text."""
    return CallToolResult(content=[TextContent(type="text", text=line)], **more)
