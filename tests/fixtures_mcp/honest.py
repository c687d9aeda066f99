"""An honest MCP server made with the `mcp` package; what it shows can be changed while it runs.

    python honest.py [--era both|handshake|modern] [--json] [--port N]

Prints its port. `GET /control` answers its state and the calls it got, `POST /control` replaces parts of the state.
Beside the lists the state says how they are shown: `exact` shows them just as they stand there, fields that no
specification knows and items that none allows included; pages that begin at `refused_from` or later are refused;
every page names `cursor` as the next, where that is given; `card` is laid over what the server says of itself
(`instructions`, `capabilities`, `serverInfo`); `shown_to` holds other parts for clients of a certain name. A list comes
`delay` seconds late; `lists` counts the pages of tools that each client asked for, and `asked` every request of it by
method. In the modern era a list says that it stays as it is for `ttl` milliseconds.
A call with the argument `announce` says on its stream that a list has changed: of `prompts`, of `resources`, or else of
tools; one with `ask` is answered with that request as what the server needs first. `calls` holds what arrived, and what
the client can be asked.
"""

import argparse
import asyncio
import json
import socket
import sys
from typing import Any

import uvicorn
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    SERVER_INFO_META_KEY,
    CallToolResult,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PromptListChangedNotification,
    PromptMessage,
    ReadResourceResult,
    ResourceListChangedNotification,
    TextContent,
    TextResourceContents,
    ToolListChangedNotification,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

U64 = 2**64 - 1


def tool(name: str, **more: Any) -> dict[str, Any]:
    """A tool of the usual shape."""
    return {
        "name": name,
        "description": f"Does {name}.",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
        **more,
    }


STATE: dict[str, Any] = {
    "page_size": 2,
    "tools": [
        tool("echo", annotations={"readOnlyHint": True, "idempotentHint": True}),
        tool("add", inputSchema={"type": "object", "properties": {"n": {"type": "integer", "maximum": U64}}}),
        tool("delete", annotations={"destructiveHint": True}),
        tool("slow"),
        tool("fail"),
    ],
    "resources": [{"uri": f"memo://{n}", "name": f"memo {n}", "mimeType": "text/plain"} for n in range(3)],
    "templates": [{"uriTemplate": "memo://{year}/{n}", "name": "memo by year"}],
    "prompts": [{"name": f"greet-{n}", "arguments": [{"name": "who", "required": True}]} for n in range(3)],
    "calls": [],
    "lists": {},
    "asked": {},
    "ttl": 60_000,
    "delay": 0,
    "exact": False,
    "refused_from": None,
    "cursor": None,
    "card": {},
    "shown_to": {},
}
CHANGED: dict[Any, Any] = {"prompts": PromptListChangedNotification, "resources": ResourceListChangedNotification}
# By method: the part of the state, and the field of the answer.
LISTS = {
    "tools/list": ("tools", "tools"),
    "resources/list": ("resources", "resources"),
    "resources/templates/list": ("templates", "resourceTemplates"),
    "prompts/list": ("prompts", "prompts"),
}


def state_for(ctx: Any) -> dict[str, Any]:
    """The state as this client is shown it."""
    return {**STATE, **STATE["shown_to"].get(_client(ctx), {})}


def _client(ctx: Any) -> str:
    client = ctx.session.client_params
    return client.client_info.name if client is not None and client.client_info is not None else ""


def page(ctx: Any, part: str, cursor: str | None) -> tuple[list[Any], str | None]:
    """One page of a list and the cursor of the next."""
    state = state_for(ctx)
    start = int(cursor or 0)
    if state["refused_from"] is not None and start >= state["refused_from"]:
        raise MCPError(code=INTERNAL_ERROR, message="This page is not to be had.")
    end = start + int(state["page_size"])
    items = state[part]
    return items[start:end], state["cursor"] or (str(end) if end < len(items) else None)


async def as_told(ctx: Any, call_next: Any) -> Any:
    """Around every request: lists as they stand, where `exact` says so, and the card over what the package says."""
    counted = STATE["asked"].setdefault(_client(ctx), {})
    counted[ctx.method] = counted.get(ctx.method, 0) + 1
    if ctx.method == "tools/list":
        STATE["lists"][_client(ctx)] = STATE["lists"].get(_client(ctx), 0) + 1
        await asyncio.sleep(state_for(ctx)["delay"])
    if ctx.method in LISTS and state_for(ctx)["exact"]:
        part, field = LISTS[ctx.method]
        items, cursor = page(ctx, part, (ctx.params or {}).get("cursor"))
        answer = {field: items} | ({"nextCursor": cursor} if cursor else {})
        envelope = {"resultType": "complete", "ttlMs": STATE["ttl"], "cacheScope": "private"}
        return answer | (envelope if ctx.protocol_version >= "2026" else {})
    return _carded(ctx, await call_next(ctx))


def _carded(ctx: Any, answer: Any) -> Any:
    """What the server says of itself, in the answers of both eras that say it."""
    card = state_for(ctx)["card"]
    if ctx.method not in ("initialize", "server/discover") or not card:
        return answer
    info = card.get("serverInfo", {})
    answer = {**answer, **{key: value for key, value in card.items() if key != "serverInfo"}}
    if ctx.method == "initialize":
        return {**answer, "serverInfo": {**answer["serverInfo"], **info}}
    meta = answer.get("_meta", {})
    return {**answer, "_meta": {**meta, SERVER_INFO_META_KEY: {**meta.get(SERVER_INFO_META_KEY, {}), **info}}}


def _cursor(params: Any) -> str | None:
    return params.cursor if params is not None else None


async def list_tools(ctx: Any, params: Any) -> ListToolsResult:
    items, cursor = page(ctx, "tools", _cursor(params))
    return ListToolsResult.model_validate({"tools": items, "nextCursor": cursor, "ttlMs": STATE["ttl"]})


async def list_resources(ctx: Any, params: Any) -> ListResourcesResult:
    items, cursor = page(ctx, "resources", _cursor(params))
    return ListResourcesResult.model_validate({"resources": items, "nextCursor": cursor, "ttlMs": STATE["ttl"]})


async def list_templates(ctx: Any, params: Any) -> ListResourceTemplatesResult:
    items, cursor = page(ctx, "templates", _cursor(params))
    return ListResourceTemplatesResult.model_validate(
        {"resourceTemplates": items, "nextCursor": cursor, "ttlMs": STATE["ttl"]}
    )


async def list_prompts(ctx: Any, params: Any) -> ListPromptsResult:
    items, cursor = page(ctx, "prompts", _cursor(params))
    return ListPromptsResult.model_validate({"prompts": items, "nextCursor": cursor, "ttlMs": STATE["ttl"]})


async def call_tool(ctx: Any, params: Any) -> CallToolResult | InputRequiredResult:
    headers = dict(ctx.request.headers) if getattr(ctx, "request", None) is not None else {}
    able = ctx.session.client_capabilities
    told = able.model_dump(by_alias=True, exclude_none=True) if able is not None else {}
    STATE["calls"].append(
        {"name": params.name, "arguments": params.arguments, "headers": headers, "able": told, "meta": params.meta}
    )
    arguments = params.arguments or {}
    if arguments.get("announce"):
        changed = CHANGED.get(arguments["announce"], ToolListChangedNotification)
        await ctx.session.send_notification(changed(), related_request_id="this call")
    if "ask" in arguments:
        # Asks whatever it is told to, without a look at what the client said that it can give.
        return InputRequiredResult.model_validate({"inputRequests": {"it": arguments["ask"]}})
    if params.name == "slow":
        await _slowly(ctx, int(arguments.get("steps", 5)))
    if params.name == "fail":
        return CallToolResult(content=[TextContent(type="text", text="it failed")], is_error=True)
    text = TextContent(type="text", text=json.dumps(arguments, sort_keys=True))
    # What promises structured answers gives one: a client checks it.
    promised = any("outputSchema" in each for each in STATE["tools"] if _named(each, params.name))
    return CallToolResult(content=[text], structured_content={} if promised else None)


def _named(item: Any, name: str) -> bool:
    return isinstance(item, dict) and item.get("name") == name


async def _slowly(ctx: Any, steps: int) -> None:
    """A tenth of a second and a progress notification per step."""
    for step in range(steps):
        await ctx.session.report_progress(step + 1, steps, f"step {step + 1}")
        await asyncio.sleep(0.1)


async def read_resource(_ctx: Any, params: Any) -> ReadResourceResult:
    return ReadResourceResult(contents=[TextResourceContents(uri=params.uri, text="memo")])


async def get_prompt(_ctx: Any, params: Any) -> GetPromptResult:
    text = TextContent(type="text", text=f"Hello {(params.arguments or {}).get('who', '')}")
    return GetPromptResult(messages=[PromptMessage(role="user", content=text)])


async def control(request: Request) -> Response:
    """The tests' door."""
    if request.method == "POST":
        STATE.update(await request.json())
    return JSONResponse(STATE)


SERVER: Server[Any] = Server(
    "honest",
    version="1.0",
    title="Honest",
    instructions="Use echo to repeat a text.",
    on_list_tools=list_tools,
    on_call_tool=call_tool,
    on_list_resources=list_resources,
    on_list_resource_templates=list_templates,
    on_read_resource=read_resource,
    on_list_prompts=list_prompts,
    on_get_prompt=get_prompt,
)
SERVER.middleware.append(as_told)


class HandshakeOnly:
    """Answers requests of the modern era as a server from before it does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what carries the modern version header; pass the rest."""
        version = dict(scope.get("headers", ())).get(b"mcp-protocol-version", b"")
        if scope["type"] != "http" or version < b"2026":
            return await self._app(scope, receive, send)
        error = {"code": -32000, "message": "Bad Request: Unsupported protocol version"}
        return await JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 400)(scope, receive, send)


class ModernOnly:
    """Answers as a server that has never heard of `initialize`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass what carries the modern version header, and what is no message; refuse the rest."""
        version = dict(scope.get("headers", ())).get(b"mcp-protocol-version", b"")
        if scope["type"] != "http" or scope["path"] != "/mcp" or version >= b"2026":
            return await self._app(scope, receive, send)
        error = {"code": -32020, "message": "Bad Request: MCP-Protocol-Version is missing"}
        return await JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 400)(scope, receive, send)


_ERAS = {"both": lambda app: app, "handshake": HandshakeOnly, "modern": ModernOnly}


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--era", choices=tuple(_ERAS), default="both")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    door = Route("/control", control, methods=["GET", "POST"])
    app: ASGIApp = SERVER.streamable_http_app(json_response=options.json, custom_starlette_routes=[door])
    listener = socket.create_server(("127.0.0.1", options.port))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(_ERAS[options.era](app), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
