"""Every string of a definition, with its place and what it is for."""

from typing import Any

import pytest

from tools.scanner.fields import PLACES_MAX, TEXT_MAX, Role, below, fields


def found(body: dict[str, Any]) -> dict[str, tuple[Role, str]]:
    return {place.pointer: (place.role, place.text) for place in fields(body).places}


def test_the_strings_of_a_tool_have_their_roles() -> None:
    body = {
        "name": "n",
        "title": "t",
        "description": "d",
        "inputSchema": {
            "type": "object",
            "title": "st",
            "$comment": "c",
            "properties": {"p": {"type": "string", "description": "pd", "enum": ["e"], "default": "f"}},
            "required": ["p"],
        },
        "annotations": {"title": "at", "readOnlyHint": True},
        "_meta": {"k": "m"},
        "icons": [{"src": "https://a.example/i.png"}],
    }
    assert found(body) == {
        "/name": (Role.NAME, "n"),
        "/title": (Role.TITLE, "t"),
        "/description": (Role.TEXT, "d"),
        "/inputSchema/title": (Role.TITLE, "st"),
        "/inputSchema/$comment": (Role.PARAMETER_TEXT, "c"),
        "/inputSchema/properties/p": (Role.PARAMETER, "p"),
        "/inputSchema/properties/p/description": (Role.PARAMETER_TEXT, "pd"),
        "/inputSchema/properties/p/enum/0": (Role.VALUE, "e"),
        "/inputSchema/properties/p/default": (Role.VALUE, "f"),
        "/annotations/title": (Role.META, "at"),
        "/_meta/k": (Role.META, "m"),
        "/icons/0/src": (Role.LINK, "https://a.example/i.png"),
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"items": {"properties": {"b": {"description": "x"}}}}}},
        {"anyOf": [{"oneOf": [{"description": "x"}]}]},
        {"$defs": {"A": {"allOf": [{"description": "x"}]}}},
        {"properties": {"a": {"x-unknown": "x"}}},
        {"patternProperties": {"^a": {"description": "x"}}},
        {"if": {"description": "x"}},
    ],
    ids=ascii,
)
def test_schemas_are_read_at_any_depth(schema: dict[str, Any]) -> None:
    assert "x" in {place.text for place in fields({"inputSchema": schema}).places}


def test_arguments_of_prompts_are_parameters() -> None:
    body = {"name": "p", "arguments": [{"name": "a", "description": "d"}]}
    assert found(body)["/arguments/0/name"] == (Role.PARAMETER, "a")
    assert found(body)["/arguments/0/description"] == (Role.PARAMETER_TEXT, "d")


def test_unknown_keys_are_text_too() -> None:
    assert ("/x<secret>", (Role.KEYWORD, "x<secret>")) in found({"x<secret>": {"a": 1}}).items()


def test_what_is_too_much_is_counted() -> None:
    assert fields({"description": "a" * (TEXT_MAX + 7)}).unread == 7
    assert (
        len(fields({"inputSchema": {"properties": {f"p{n}": {} for n in range(2 * PLACES_MAX)}}}).places) == PLACES_MAX
    )


def test_a_pointer_can_be_stored_whatever_the_key() -> None:
    assert below("/a", "b/c~d\0\u00e9") == "/a/b~1c~0d\\x00\\xe9"
