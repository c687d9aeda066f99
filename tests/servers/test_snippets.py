"""What is pasted into clients is what they read, and holds no secret."""

import json
import tomllib
from base64 import b64decode
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

from servers.snippets import Snippet, snippets

URL = "https://gateway.example.com/mcp/files"
FOUND = {each.client: each for each in snippets("files", URL)}


@pytest.mark.parametrize("snippet", FOUND.values(), ids=list(FOUND))
def test_each_is_read_as_its_file_is_and_names_the_endpoint(snippet: Snippet) -> None:
    assert URL in snippet.text
    if snippet.file.endswith(".toml"):
        assert tomllib.loads(snippet.text) == {"mcp_servers": {"files": {"url": URL}}}
    elif snippet.file.endswith(".yaml"):
        ((key, servers),) = yaml.safe_load(snippet.text).items()
        (entry,) = servers.values() if isinstance(servers, dict) else servers
        assert key in ("extensions", "mcpServers")
        assert entry["name"] == "files"
        assert URL in entry.values()
    elif snippet.file:
        (servers,) = json.loads(snippet.text).values()
        assert URL in servers["files"].values()


def test_each_client_has_its_own_names() -> None:
    assert json.loads(FOUND["VS Code"].text) == {"servers": {"files": {"type": "http", "url": URL}}}
    assert json.loads(FOUND["Gemini CLI"].text) == {"mcpServers": {"files": {"httpUrl": URL}}}
    assert json.loads(FOUND["Windsurf"].text) == {"mcpServers": {"files": {"serverUrl": URL}}}
    assert FOUND["Claude Code"].text == f"claude mcp add --transport http files {URL}"


def test_claude_desktop_takes_the_address_in_its_settings_because_its_file_takes_local_servers_only() -> None:
    found = FOUND["Claude Desktop"]
    assert (found.file, found.text) == ("", URL)
    assert "Connectors" in found.menu
    assert [each.client for each in FOUND.values() if each.menu] == ["Claude Desktop"]


def test_a_slug_that_yaml_reads_as_something_else_stays_a_name() -> None:
    for slug in ("on", "null", "1"):
        found = {each.client: each.text for each in snippets(slug, URL)}
        assert list(yaml.safe_load(found["Goose"])["extensions"]) == [slug]
        assert yaml.safe_load(found["Continue"])["mcpServers"][0]["name"] == slug


def test_links_carry_the_same() -> None:
    query = parse_qs(urlsplit(FOUND["Cursor"].link).query)
    assert query["name"] == ["files"]
    assert json.loads(b64decode(query["config"][0])) == {"url": URL}
    install = json.loads(unquote(FOUND["VS Code"].link.partition("?")[2]))
    assert install == {"name": "files", "type": "http", "url": URL}
