"""Files of definitions and configurations: what is read of them, where it stands, what is refused."""

import json

import pytest

from tools.scanner.definitions import Unusable, beside_each_other, targets

TOOL = {"name": "add", "description": "Adds."}


def seen(value, **options):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return [(each.item.surface, each.item.server, each.name, each.line) for each in targets("f", raw, **options)]


@pytest.mark.parametrize(
    "value",
    [TOOL, [TOOL], {"tools": [TOOL]}, {"jsonrpc": "2.0", "id": 1, "result": {"tools": [TOOL]}}, {"definition": TOOL}],
)
def test_a_tool_is_found_in_each_form_of_file(value):
    assert [(surface, name) for surface, _, name, _ in seen(value)] == [("tool", "add")]


def test_a_surface_holds_all_kinds_of_definition_and_the_tools_are_looked_at_together():
    value = {
        "serverInfo": {"name": "shop"},
        "instructions": "Be kind.",
        "tools": [TOOL, {"name": "sub"}],
        "prompts": [{"name": "greet", "arguments": []}],
        "resources": [{"uri": "file:///a"}],
        "resourceTemplates": [{"uriTemplate": "file:///{x}", "name": "x"}],
    }
    assert [(surface, server, name) for surface, server, name, _ in seen(value)] == [
        ("tool", "shop", "add"),
        ("tool", "shop", "sub"),
        ("prompt", "shop", "greet"),
        ("resource", "shop", "file:///a"),
        ("resource", "shop", "x"),
        ("server_instructions", "shop", "server_instructions"),
        ("server", "shop", "shop"),
    ]


def test_no_member_hides_another_by_being_there():
    value = {
        "mcpServers": {"x": {"command": "y"}},
        "definition": {"name": "z"},
        "result": {"tools": []},
        "tools": [TOOL],
    }
    assert {name for _, _, name, _ in seen(value)} == {"x", "z", "add", "all tools"}
    inside = {"tools": [{**TOOL, "definition": {"name": "harmless"}, "mcpServers": {}}]}
    assert [name for _, _, name, _ in seen(inside)] == ["add"]
    assert "add" in {name for _, _, name, _ in seen([{**TOOL, "definition": {"name": "harmless"}}])}


def test_lines_of_json_are_read_one_by_one():
    raw = b'{"name": "add"}\n\n{"definition": {"name": "sub"}, "server": "s", "surface": "prompt"}\n'
    assert seen(raw, server="mine") == [("tool", "mine", "add", 1), ("prompt", "s", "sub", 3)]


def test_a_configuration_may_hold_comments_and_its_servers_are_found_on_their_lines():
    raw = b"""\
    {
      // a comment with "quotes", and a comma,
      "mcpServers": {
        /* another
           one */
        "files": {"command": "npx", "args": ["https://x.example//a",]},
        "web": {"url": "https://y.example/mcp"},
      },
    }"""
    assert seen(raw) == [("server", "files", "files", 6), ("server", "web", "web", 7)]


@pytest.mark.parametrize("key", ["mcpServers", "servers", "context_servers"])
def test_clients_call_the_list_of_servers_by_different_names(key):
    assert seen({key: {"x": {"command": "y"}}})[0][:3] == ("server", "x", "x")
    assert seen({"mcp": {"servers": {"x": {"command": "y"}}}})[0][:3] == ("server", "x", "x")


def test_equal_names_get_lines_of_their_own():
    raw = b'[\n{"name": "add"},\n{"name": "\\u0061b"},\n{"name": "add"}\n]'
    assert [line for *_, line in seen(raw)][:3] == [2, 1, 4]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b"\xff", "not valid UTF-8"),
        (b'{"a": 1', r"not JSON \(line 1"),
        (b'{"name": "a", "name": "b"}', "same key twice"),
        (b'{"tools": {}}', "/tools is no list"),
        (b'{"tools": [1]}', "/tools/0 is no object"),
        (b'{"mcpServers": {"x": 1}}', "/mcpServers/'x' is no object"),
        (b'{"mcpServers": {}}', "no definitions and no servers"),
        (b'{"other": 1}', "holds no definitions"),
        (b"3", "neither an object nor a list"),
        (b"[" * 5000, "not JSON|deeper"),
        (b'{"name": "a"}\n{"name": ', "line 2: it is not JSON"),
        (b'{"definition": 3}', "no definition"),
        (b"/*" * 50_000, "not JSON"),
    ],
)
def test_what_cannot_be_scanned_is_refused_with_its_place(raw, message):
    with pytest.raises(Unusable, match=message):
        targets("f", raw)


def test_tools_of_other_servers_are_in_view():
    raw = b'{"definition": {"name": "add"}, "server": "a"}\n{"definition": {"name": "sub"}, "server": "b"}'
    first, second = beside_each_other(targets("f", raw))
    assert [each["name"] for each in first.item.neighbours] == ["sub"]
    assert [each["server"] for each in second.item.neighbours] == ["a"]
