"""A server with all that the protocol offers, in both eras: what the official conformance suite wants to see.

    python -m tests.fixtures_mcp.everything [--port N]

Prints its port. Its tools are in `everything_parts`; here are resources, prompts, completion and subscriptions.
"""

import argparse
import json
import re
import socket
import sys
from typing import Any

import uvicorn
from mcp.server.caching import CacheHint
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    BlobResourceContents,
    CompleteResult,
    Completion,
    EmbeddedResource,
    EmptyResult,
    GetPromptResult,
    ImageContent,
    InputRequiredResult,
    JSONRPCMessage,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PromptMessage,
    ReadResourceResult,
    SetLevelRequestParams,
    TextContent,
    TextResourceContents,
)

from tests.fixtures_mcp.everything_parts import tasks
from tests.fixtures_mcp.everything_parts.asking import LEVELS, Call, InputNeededError, elicit
from tests.fixtures_mcp.everything_parts.tools import BUS, PIXEL, SUBSCRIBED, TOOLS, WATCHED, run

_RESOURCE_NOT_FOUND = -32002  # the code of revisions before 2026-07-28
_RETRY_MS = 100
RESOURCES = [
    {
        "uri": "test://static-text",
        "name": "static-text",
        "description": "A text.",
        "mimeType": "text/plain",
    },
    {
        "uri": "test://static-binary",
        "name": "static-binary",
        "description": "A picture.",
        "mimeType": "image/png",
    },
    {
        "uri": WATCHED,
        "name": "watched-resource",
        "description": "A text that can be watched.",
        "mimeType": "text/plain",
    },
]
TEMPLATES = [
    {
        "uriTemplate": "test://template/{id}/data",
        "name": "template",
        "description": "Data by id.",
        "mimeType": "application/json",
    }
]
PROMPTS = [
    {"name": "test_simple_prompt", "description": "Says one thing."},
    {
        "name": "test_prompt_with_arguments",
        "description": "Repeats its arguments.",
        "arguments": [{"name": name, "required": True} for name in ("arg1", "arg2")],
    },
    {
        "name": "test_prompt_with_embedded_resource",
        "description": "Holds a resource.",
        "arguments": [{"name": "resourceUri", "required": True}],
    },
    {"name": "test_prompt_with_image", "description": "Holds a picture."},
    {"name": "test_input_required_result_prompt", "description": "Asks before it answers."},
]
WORDS = ("paris", "park", "party", "test", "text")


# --- tools -------------------------------------------------------------------------------------------------------
async def list_tools(_ctx: Any, _params: Any) -> ListToolsResult:
    return ListToolsResult.model_validate({"tools": [shown for shown, _ in TOOLS.values()]})


async def call_tool(ctx: Any, params: Any) -> Any:
    if params.name not in TOOLS:
        raise MCPError(code=INVALID_PARAMS, message=f"Unknown tool: {params.name}")
    return await run(params.name, _call(ctx, params))


def _call(ctx: Any, params: Any) -> Call:
    return Call(ctx, params.arguments or {}, params.input_responses or {}, params.request_state)


def input_schema(name: str) -> dict[str, Any] | None:
    """By which the package checks `Mcp-Param-*` headers."""
    found: dict[str, Any] | None = TOOLS[name][0]["inputSchema"] if name in TOOLS else None
    return found


# --- resources ---------------------------------------------------------------------------------------------------
async def list_resources(_ctx: Any, _params: Any) -> ListResourcesResult:
    return ListResourcesResult.model_validate({"resources": RESOURCES})


async def list_templates(_ctx: Any, _params: Any) -> ListResourceTemplatesResult:
    return ListResourceTemplatesResult.model_validate({"resourceTemplates": TEMPLATES})


async def read_resource(ctx: Any, params: Any) -> ReadResourceResult:
    uri = str(params.uri)
    if uri == "test://static-binary":
        blob = BlobResourceContents(uri=uri, mime_type="image/png", blob=PIXEL)
        return ReadResourceResult(contents=[blob])
    found = _text_of(uri)
    if found is None:
        code = INVALID_PARAMS if ctx.protocol_version >= "2026" else _RESOURCE_NOT_FOUND
        raise MCPError(code=code, message="Resource not found", data={"uri": uri})
    mime_type = "application/json" if found.startswith("{") else "text/plain"
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=mime_type, text=found)])


def _text_of(uri: str) -> str | None:
    if match := re.fullmatch(r"test://template/([^/]+)/data", uri):
        return json.dumps({"id": match[1], "templateTest": True, "data": f"Data for ID: {match[1]}"})
    known = {"test://static-text": "This is the content of the static text resource.", WATCHED: "Watched."}
    return known.get(uri)


async def subscribe(_ctx: Any, params: Any) -> EmptyResult:
    SUBSCRIBED.add(str(params.uri))
    return EmptyResult()


async def unsubscribe(_ctx: Any, params: Any) -> EmptyResult:
    SUBSCRIBED.discard(str(params.uri))
    return EmptyResult()


# --- prompts -----------------------------------------------------------------------------------------------------
async def list_prompts(_ctx: Any, _params: Any) -> ListPromptsResult:
    return ListPromptsResult.model_validate({"prompts": PROMPTS})


async def get_prompt(ctx: Any, params: Any) -> GetPromptResult | InputRequiredResult:
    call = _call(ctx, params)
    try:
        return GetPromptResult(messages=await _messages(params.name, call))
    except InputNeededError as needed:
        return needed.result


async def _messages(name: str, call: Call) -> list[PromptMessage]:
    given = call.arguments
    match name:
        case "test_simple_prompt":
            return [_line("This is a simple prompt for testing.")]
        case "test_prompt_with_arguments":
            return [_line(f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'")]
        case "test_prompt_with_embedded_resource":
            inner = TextResourceContents(uri=given["resourceUri"], mime_type="text/plain", text="A resource inside.")
            embedded = EmbeddedResource(type="resource", resource=inner)
            return [PromptMessage(role="user", content=embedded), _line("Please process the resource above.")]
        case "test_prompt_with_image":
            image = ImageContent(type="image", data=PIXEL, mime_type="image/png")
            return [PromptMessage(role="user", content=image), _line("Please analyze the picture above.")]
        case "test_input_required_result_prompt":
            form = elicit("What context should the prompt use?", {"context": {"type": "string"}})
            answer = (await call.ask({"user_context": form}))["user_context"]
            return [_line(f"Use this context: {(answer.content or {}).get('context')}")]
    raise MCPError(code=INVALID_PARAMS, message=f"Unknown prompt: {name}")


def _line(line: str) -> PromptMessage:
    return PromptMessage(role="user", content=TextContent(type="text", text=line))


async def complete(_ctx: Any, params: Any) -> CompleteResult:
    values = [word for word in WORDS if word.startswith(params.argument.value)]
    return CompleteResult(completion=Completion(values=values, total=len(values), has_more=False))


async def set_level(ctx: Any, params: SetLevelRequestParams) -> EmptyResult:
    LEVELS[ctx.request.headers.get("mcp-session-id", "")] = params.level
    return EmptyResult()


# --- the server --------------------------------------------------------------------------------------------------
class Everything(Server[Any]):
    """Says in the handshake too that its lists may change."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """The package leaves out changes of lists unless told so here."""
        changes = notification_options or NotificationOptions(tools_changed=True, prompts_changed=True)
        return super().create_initialization_options(changes, experimental_capabilities, extensions)


class Events(EventStore):
    """What was sent on each stream, for clients that come back."""

    def __init__(self) -> None:
        self._sent: list[tuple[StreamId, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: StreamId, message: JSONRPCMessage | None) -> EventId:
        self._sent.append((stream_id, message))
        return str(len(self._sent))

    async def replay_events_after(self, last_event_id: EventId, send_callback: EventCallback) -> StreamId | None:
        last = int(last_event_id)
        if not 0 < last <= len(self._sent):
            return None
        stream = self._sent[last - 1][0]
        for number, (each, message) in enumerate(self._sent[last:], last + 1):
            if each == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def server() -> Everything:
    """The server with all its handlers."""
    made = Everything(
        "everything",
        version="1.0",
        title="Everything",
        instructions="Has one of each thing.",
        cache_hints={"tools/list": CacheHint(ttl_ms=1000, scope="public"), "resources/read": CacheHint(ttl_ms=1000)},
        get_tool_input_schema=input_schema,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_subscribe_resource=subscribe,
        on_unsubscribe_resource=unsubscribe,
        on_subscriptions_listen=ListenHandler(BUS),
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_completion=complete,
    )
    # By the constructor it warns that the later revision has no such method.
    made.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)
    made.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=made.name))
    made.extensions[tasks.EXTENSION] = {}
    made.add_request_handler("tasks/get", tasks.TaskParams, tasks.get)
    made.add_request_handler("tasks/update", tasks.UpdateParams, tasks.update)
    made.add_request_handler("tasks/cancel", tasks.TaskParams, tasks.cancel)
    return made


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    port = parser.parse_args().port
    app = server().streamable_http_app(event_store=Events(), retry_interval=_RETRY_MS)
    listener = socket.create_server(("127.0.0.1", port))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    # h11 takes the white space off the end of header values, as RFC 9110 section 5.5 demands; httptools leaves it.
    uvicorn.Server(uvicorn.Config(app, log_level="warning", http="h11")).run(sockets=[listener])


if __name__ == "__main__":
    main()
