import pytest
from mcp import Client

from controlplane.demo.weather import HONEST, POISONED
from tests.controlplane.demo.running import demo_server, post, text_of

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def base():
    with demo_server("weather") as address:
        yield address


async def descriptions(base: str) -> dict[str, str | None]:
    async with Client(f"{base}/mcp") as client:
        return {tool.name: tool.description for tool in (await client.list_tools()).tools}


async def test_it_drifts_when_told_and_is_put_back(base):
    before = await descriptions(base)
    assert before["current_weather"] == HONEST
    post(f"{base}/demo/drift")
    assert await descriptions(base) == {**before, "current_weather": POISONED}
    post(f"{base}/demo/drift")
    post(f"{base}/demo/restore")
    assert await descriptions(base) == before


async def test_the_tool_answers_before_and_after(base):
    for order in ("drift", "restore"):
        post(f"{base}/demo/{order}")
        async with Client(f"{base}/mcp") as client:
            result = await client.call_tool("current_weather", {"city": "Bergen"})
        assert text_of(result).startswith("Bergen: ")
