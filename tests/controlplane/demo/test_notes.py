import pytest
from mcp import Client
from mcp_types import ToolAnnotations

from tests.controlplane.demo.running import demo_server, text_of

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def notes():
    with demo_server("notes") as base:
        yield f"{base}/mcp"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_it_speaks_both_eras_and_shows_every_kind_of_definition(notes, mode):
    async with Client(notes, mode=mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names == ["list_notes", "read_note", "search_notes", "write_note", "delete_note"]
        assert [str(item.uri) for item in (await client.list_resources()).resources] == ["notes://index"]
        templates = (await client.list_resource_templates()).resource_templates
        assert [item.uri_template for item in templates] == ["notes://note/{title}"]
        assert [item.name for item in (await client.list_prompts()).prompts] == ["summarise"]
        assert "list_notes" in (client.instructions or "")


async def test_what_is_written_can_be_read_found_and_deleted(notes):
    async with Client(notes) as client:
        await client.call_tool("write_note", {"title": "kelp", "text": "It holds to rock."})
        assert text_of(await client.call_tool("read_note", {"title": "kelp"})) == "It holds to rock."
        assert (await client.call_tool("search_notes", {"text": "ROCK"})).structured_content == {"result": ["kelp"]}
        await client.call_tool("delete_note", {"title": "kelp"})
        assert (await client.call_tool("read_note", {"title": "kelp"})).is_error


async def test_annotations_tell_reading_from_writing(notes):
    async with Client(notes) as client:
        hints = {tool.name: tool.annotations or ToolAnnotations() for tool in (await client.list_tools()).tools}
    assert hints["read_note"].read_only_hint is True
    assert hints["delete_note"].destructive_hint is True
