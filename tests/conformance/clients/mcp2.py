"""The `mcp` package, second generation, in either era."""

import asyncio
import json
import os
import sys
import warnings
from contextlib import AsyncExitStack
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types import (
    CreateMessageResult,
    ElicitResult,
    ListRootsResult,
    PromptReference,
    Root,
    TextContent,
    ToolListChangedNotification,
)
from pydantic import FileUrl

MODERN = os.environ["MCP_ERA"] == "modern"


async def sampled(context: Any, params: Any) -> CreateMessageResult:
    return CreateMessageResult(role="assistant", content=TextContent(type="text", text="from the model"), model="m")


async def elicited(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"response": "yes"})


async def rooted(context: Any) -> ListRootsResult:
    return ListRootsResult(roots=[Root(uri=FileUrl("file:///project"))])


class Heard:
    """What came without being asked for."""

    def __init__(self) -> None:
        self.logs: list[Any] = []
        self.progress: list[float] = []
        self.changed = asyncio.Event()

    async def log(self, params: Any) -> None:
        self.logs.append(params.data)

    async def step(self, progress: float, total: float | None, message: str | None) -> None:
        self.progress.append(progress)

    async def message(self, message: Any) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.changed.set()


async def changes(client: Client, heard: Heard) -> bool:
    """Whether the client hears that the list of tools has changed; asks again until the stream for it is open."""
    async with AsyncExitStack() as stack:
        if MODERN:
            subscription = await stack.enter_async_context(client.listen(tools_list_changed=True))

            async def hear() -> None:
                async for _event in subscription:
                    heard.changed.set()

            task = asyncio.create_task(hear())
            stack.callback(task.cancel)
        for _attempt in range(20):
            await client.call_tool("test_trigger_tool_change", {})
            try:
                await asyncio.wait_for(heard.changed.wait(), 1)
            except TimeoutError:
                continue
            return True
        return False


def line(result: Any) -> str:
    return str(result.content[0].text)


async def meet(client: Client, heard: Heard) -> dict[str, Any]:
    ask = client.call_tool
    saw: dict[str, Any] = {"tools": sorted(tool.name for tool in (await client.list_tools()).tools)}
    saw["sum"] = (await ask("add", {"a": 2, "b": 3})).structured_content
    saw["wrong"] = (await ask("add", {"a": 2, "b": "three"})).is_error
    await ask("test_tool_with_progress", {}, progress_callback=heard.step)
    saw["progress"] = heard.progress
    if not MODERN:
        await client.set_logging_level("info")
    await ask("test_tool_with_logging", {})
    saw["logs"] = len(heard.logs)
    saw["elicited"] = line(await ask("test_elicitation", {"message": "Well?"}))
    saw["sampled"] = line(await ask("test_sampling", {"prompt": "Hello"}))
    saw["roots"] = line(await ask("test_roots", {}))
    saw["read"] = (await client.read_resource("test://static-text")).contents[0].model_dump()["text"]
    saw["binary"] = (await client.read_resource("test://static-binary")).contents[0].model_dump()["blob"]
    saw["templated"] = json.loads(
        (await client.read_resource("test://template/7/data")).contents[0].model_dump()["text"]
    )
    arguments = {"arg1": "one", "arg2": "two"}
    prompt = await client.get_prompt("test_prompt_with_arguments", arguments)
    saw["prompt"] = prompt.messages[0].content.model_dump()["text"]
    reference = PromptReference(type="ref/prompt", name="test_prompt_with_arguments")
    completed = await client.complete(reference, {"name": "arg1", "value": "par"})
    saw["completed"] = completed.completion.values
    saw["changed"] = await changes(client, heard)
    return saw


async def main() -> None:
    token, heard = os.environ["MCP_TOKEN"], Heard()
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(headers=headers, timeout=120) as http:
        client = Client(
            streamable_http_client(os.environ["MCP_URL"], http_client=http),
            mode="auto" if MODERN else "legacy",
            sampling_callback=sampled,
            elicitation_callback=elicited,
            list_roots_callback=rooted,
            logging_callback=heard.log,
            log_level="info",
            message_handler=heard.message,
        )
        async with client:
            saw = {"revision": client.protocol_version, **await meet(client, heard)}
    sys.stdout.write(json.dumps(saw))


if __name__ == "__main__":
    # Logging, sampling and roots are what this is about, deprecated or not.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    asyncio.run(main())
