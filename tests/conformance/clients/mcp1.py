"""The `mcp` package, first generation: the handshake era only. Runs beside a directory that holds it."""

import asyncio
import json
import os
import sys
from typing import Any

import httpx
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client
from pydantic import AnyUrl


async def sampled(_context: Any, _params: Any) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text="from the model")
    return types.CreateMessageResult(role="assistant", content=content, model="m")


async def elicited(_context: Any, _params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"response": "yes"})


async def rooted(_context: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri="file:///project")])


class Heard:
    """What came without being asked for."""

    def __init__(self) -> None:
        self.logs: list[Any] = []
        self.progress: list[float] = []
        self.changed = asyncio.Event()

    async def log(self, params: Any) -> None:
        self.logs.append(params.data)

    async def step(self, progress: float, _total: float | None, _message: str | None) -> None:
        self.progress.append(progress)

    async def message(self, message: Any) -> None:
        if isinstance(getattr(message, "root", None), types.ToolListChangedNotification):
            self.changed.set()


async def changes(session: ClientSession, heard: Heard) -> bool:
    """Whether the client hears that the list of tools has changed; asks again until the stream for it is open."""
    for _attempt in range(20):
        await session.call_tool("test_trigger_tool_change", {})
        try:
            await asyncio.wait_for(heard.changed.wait(), 1)
        except TimeoutError:
            continue
        return True
    return False


def line(result: Any) -> str:
    return str(result.content[0].text)


async def meet(session: ClientSession, heard: Heard) -> dict[str, Any]:
    ask = session.call_tool
    saw: dict[str, Any] = {"tools": sorted(tool.name for tool in (await session.list_tools()).tools)}
    saw["sum"] = (await ask("add", {"a": 2, "b": 3})).structuredContent
    saw["wrong"] = (await ask("add", {"a": 2, "b": "three"})).isError
    await ask("test_tool_with_progress", {}, progress_callback=heard.step)
    saw["progress"] = heard.progress
    await session.set_logging_level("info")
    await ask("test_tool_with_logging", {})
    saw["logs"] = len(heard.logs)
    saw["elicited"] = line(await ask("test_elicitation", {"message": "Well?"}))
    saw["sampled"] = line(await ask("test_sampling", {"prompt": "Hello"}))
    saw["roots"] = line(await ask("test_roots", {}))
    saw["read"] = (await session.read_resource(AnyUrl("test://static-text"))).contents[0].text
    saw["binary"] = (await session.read_resource(AnyUrl("test://static-binary"))).contents[0].blob
    saw["templated"] = json.loads((await session.read_resource(AnyUrl("test://template/7/data"))).contents[0].text)
    prompt = await session.get_prompt("test_prompt_with_arguments", {"arg1": "one", "arg2": "two"})
    saw["prompt"] = prompt.messages[0].content.text
    reference = types.PromptReference(type="ref/prompt", name="test_prompt_with_arguments")
    saw["completed"] = (await session.complete(reference, {"name": "arg1", "value": "par"})).completion.values
    saw["changed"] = await changes(session, heard)
    return saw


async def main() -> None:
    token, heard = os.environ["MCP_TOKEN"], Heard()
    headers = {"authorization": f"Bearer {token}"} if token else {}
    callbacks = {
        "sampling_callback": sampled,
        "elicitation_callback": elicited,
        "list_roots_callback": rooted,
        "logging_callback": heard.log,
        "message_handler": heard.message,
    }
    async with httpx.AsyncClient(headers=headers, timeout=120) as http:
        async with streamable_http_client(os.environ["MCP_URL"], http_client=http) as (read, write, _):
            async with ClientSession(read, write, **callbacks) as session:
                revision = (await session.initialize()).protocolVersion
                saw = {"revision": revision, **await meet(session, heard)}
    sys.stdout.write(json.dumps(saw))


if __name__ == "__main__":
    asyncio.run(main())
