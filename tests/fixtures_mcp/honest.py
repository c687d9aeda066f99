"""An honest MCP server made with the `mcp` package; what it shows can be changed while it runs.

    python honest.py [--era both|handshake] [--json] [--port N]

Prints its port. `GET /control` answers its state and the calls it got, `POST /control` replaces parts of the state.
"""

import argparse
import asyncio
import json
import socket
import sys
from typing import Any

import uvicorn
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolResult,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PromptMessage,
    ReadResourceResult,
    TextContent,
    TextResourceContents,
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
}


def page(part: str, params: Any) -> tuple[list[Any], str | None]:
    """One page of a list and the cursor of the next."""
    start = int(params.cursor) if params is not None and params.cursor else 0
    end = start + int(STATE["page_size"])
    items = STATE[part]
    return items[start:end], str(end) if end < len(items) else None


async def list_tools(_ctx: Any, params: Any) -> ListToolsResult:
    items, cursor = page("tools", params)
    return ListToolsResult.model_validate({"tools": items, "nextCursor": cursor})


async def list_resources(_ctx: Any, params: Any) -> ListResourcesResult:
    items, cursor = page("resources", params)
    return ListResourcesResult.model_validate({"resources": items, "nextCursor": cursor})


async def list_templates(_ctx: Any, params: Any) -> ListResourceTemplatesResult:
    items, cursor = page("templates", params)
    return ListResourceTemplatesResult.model_validate({"resourceTemplates": items, "nextCursor": cursor})


async def list_prompts(_ctx: Any, params: Any) -> ListPromptsResult:
    items, cursor = page("prompts", params)
    return ListPromptsResult.model_validate({"prompts": items, "nextCursor": cursor})


async def call_tool(ctx: Any, params: Any) -> CallToolResult:
    headers = dict(ctx.request.headers) if getattr(ctx, "request", None) is not None else {}
    STATE["calls"].append({"name": params.name, "arguments": params.arguments, "headers": headers})
    arguments = params.arguments or {}
    if params.name == "slow":
        await _slowly(ctx, int(arguments.get("steps", 5)))
    if params.name == "fail":
        return CallToolResult(content=[TextContent(type="text", text="it failed")], is_error=True)
    return CallToolResult(content=[TextContent(type="text", text=json.dumps(arguments, sort_keys=True))])


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


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--era", choices=("both", "handshake"), default="both")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    door = Route("/control", control, methods=["GET", "POST"])
    app: ASGIApp = SERVER.streamable_http_app(json_response=options.json, custom_starlette_routes=[door])
    listener = socket.create_server(("127.0.0.1", options.port))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    wrapped = HandshakeOnly(app) if options.era == "handshake" else app
    uvicorn.Server(uvicorn.Config(wrapped, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
