"""A file that somebody wants scanned: what is in it, item by item, and on which line. Pure module.

Definitions: the result of a `tools/list`, a list of tools, one definition, `{"tools", "prompts", "resources",
"instructions"}`, or JSON lines of these or of what `--batch` takes. Configurations: `mcp.json` and its relatives,
comments and trailing commas included.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from core.strictjson import MalformedJSON, loads
from tools.scanner.batch import NoItem, item_of
from tools.scanner.document import Item

FILE_MAX: Final = 64 * 2**20  # bytes
NEIGHBOURS_MAX: Final = 1000
_CONFIGURED: Final = ("mcpServers", "servers", "context_servers")
_LISTS: Final = {
    "tools": "tool",
    "prompts": "prompt",
    "resources": "resource",
    "resourceTemplates": "resource",
}
# Strings are passed over whole; each other alternative is left out.
_NOT_JSON: Final = re.compile(
    r'("(?:[^"\\]++|\\.)*+"?)|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?|,(?=\s*[}\]])', re.DOTALL
)
_NAMED: Final = re.compile(r'"(?:name|uri|uriTemplate)"\s*+:\s*+("(?:[^"\\]++|\\.)*+")')
_KEY: Final = re.compile(r'("(?:[^"\\]++|\\.)*+")\s*+:')


class Unusable(ValueError):
    """The file is not what can be scanned; the message says where and why, and quotes none of its values."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to scan: a definition, or a server (its configuration, or its tools taken together)."""

    item: Item
    name: str
    path: str
    line: int


def targets(path: str, raw: bytes, *, server: str = "") -> tuple[Target, ...]:
    """Everything in a file. `server` is whose definitions they are, where the file does not say. Raises `Unusable`."""
    if len(raw) > FILE_MAX:
        raise Unusable(f"larger than {FILE_MAX // 2**20} MB")
    rows = _lines(raw)
    found = _of_lines(rows, server) if rows else [(item, 0) for item in _of_value(_parsed(raw), server, "")]
    if not found:
        raise Unusable("there are no definitions and no servers in it")
    lines = _Lines(raw.decode("utf-8", "replace"))
    placed = [Target(item, _name(item), path, at or lines.of(item, _name(item))) for item, at in found]
    return (*placed, *_sets(placed))


def beside_each_other(found: Sequence[Target]) -> tuple[Target, ...]:
    """The same, each tool with those of the other servers in view."""
    tools = [
        {**target.item.body, "server": target.item.server}
        for target in found
        if target.item.surface == "tool" and target.item.server
    ][:NEIGHBOURS_MAX]
    if len({tool["server"] for tool in tools}) < 2:
        return tuple(found)
    return tuple(
        target if target.item.surface == "server" else replace(target, item=_beside(target.item, tools))
        for target in found
    )


def _beside(item: Item, tools: Sequence[Mapping[str, Any]]) -> Item:
    others = [tool for tool in tools if item.server and tool["server"] != item.server]
    return replace(item, neighbours=(*item.neighbours, *others))


def _sets(found: Sequence[Target]) -> Iterator[Target]:
    """The tools of each server taken together, where there are several."""
    by_server: dict[str, list[Target]] = {}
    for target in found:
        if target.item.surface == "tool":
            by_server.setdefault(target.item.server, []).append(target)
    for server, tools in by_server.items():
        if len(tools) > 1:
            body = {"tools": [target.item.body for target in tools]}
            yield Target(Item(body, "server", server), server or "all tools", tools[0].path, tools[0].line)


def _lines(raw: bytes) -> list[tuple[int, bytes]]:
    """The file's lines where each is JSON by itself, with their numbers; none where it is one value."""
    rows = [(number, line) for number, line in enumerate(raw.splitlines(), 1) if line.strip()]
    if len(rows) < 2 or not rows[0][1].lstrip().startswith(b"{"):
        return []
    try:
        loads(rows[0][1])
    except MalformedJSON:
        return []
    return rows


def _of_lines(rows: Sequence[tuple[int, bytes]], server: str) -> list[tuple[Item, int]]:
    found: list[tuple[Item, int]] = []
    for number, line in rows:
        try:
            found += [(item, number) for item in _of_value(_loaded(line), server, "")]
        except Unusable as error:
            raise Unusable(f"line {number}: {error}") from None
    return found


def _parsed(raw: bytes) -> Any:
    try:
        return loads(raw)
    except MalformedJSON:
        text = raw.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        plain = _NOT_JSON.sub(lambda match: match[1] or re.sub(r"[^\n]", " ", match[0]), text)
        return _loaded(plain.encode("utf-8", "surrogateescape"))


def _loaded(raw: bytes) -> Any:
    try:
        return loads(raw)
    except MalformedJSON as error:
        raise Unusable(str(error).replace("the body", "it")) from None


def _of_value(value: Any, server: str, at: str) -> Iterator[Item]:
    """All that a value holds: no member hides another by being there."""
    if isinstance(value, list):
        yield from _each(value, at, "tool", server)
        return
    if not isinstance(value, dict):
        raise Unusable(f"{at or 'the whole'} is neither an object nor a list")
    known = False
    for reading in (_row, _entries, _result, _surface, _single):
        items = reading(value, server, at)
        if items is not None:
            known = True
            yield from items
    if not known:
        raise Unusable(f"{at or 'the whole'} holds no definitions and no servers")


def _row(value: Mapping[str, Any], server: str, at: str) -> Iterable[Item] | None:
    if "definition" not in value:
        return None
    try:
        return (item_of({"server": server, **value}),)
    except NoItem as error:
        raise Unusable(f"{at}: {error}".removeprefix(": ")) from None


def _result(value: Mapping[str, Any], server: str, at: str) -> Iterable[Item] | None:
    return _of_value(value["result"], server, f"{at}/result") if isinstance(value.get("result"), dict) else None


def _configured(value: Mapping[str, Any]) -> tuple[Mapping[str, Any], str] | None:
    for key in _CONFIGURED:
        if isinstance(value.get(key), dict):
            return value[key], f"/{key}"
    inner = value.get("mcp")
    if isinstance(inner, dict):
        servers = inner.get("servers")
        return (servers, "/mcp/servers") if isinstance(servers, dict) else (inner, "/mcp")
    return None


def _entries(value: Mapping[str, Any], _server: str, _at: str) -> Iterable[Item] | None:
    configured = _configured(value)
    if configured is None:
        return None
    servers, at = configured
    for name, body in servers.items():
        if not isinstance(body, dict):
            raise Unusable(f"{at}/{name[:100]!a} is no object")
    return [Item(body, "server", name) for name, body in servers.items()]


def _surface(value: Mapping[str, Any], server: str, at: str) -> Iterable[Item] | None:
    held = [key for key in _LISTS if key in value]
    instructions = value.get("instructions")
    if not held and not isinstance(instructions, str):
        return None
    named = _server_of(value) or server
    items = [item for key in held for item in _each(value[key], f"{at}/{key}", _LISTS[key], named)]
    if isinstance(instructions, str) and instructions:
        items.append(Item({"instructions": instructions}, "server_instructions", named))
    return items


def _single(value: Mapping[str, Any], server: str, _at: str) -> Iterable[Item] | None:
    if not {"name", "uri", "uriTemplate"} & set(value) or any(key in value for key in _LISTS):
        return None
    return (Item(value, _kind(value), server),)


def _server_of(value: Mapping[str, Any]) -> str:
    info = value.get("serverInfo")
    name = info.get("name") if isinstance(info, dict) else value.get("server")
    return name if isinstance(name, str) else ""


def _each(values: Any, at: str, surface: str, server: str) -> Iterator[Item]:
    if not isinstance(values, list):
        raise Unusable(f"{at} is no list")
    for number, body in enumerate(values):
        if not isinstance(body, dict):
            raise Unusable(f"{at}/{number} is no object")
        if not at and "name" not in body and "uri" not in body:
            yield from _of_value(body, server, f"/{number}")
        else:
            yield Item(body, surface if at else _kind(body), server)


def _kind(body: Mapping[str, Any]) -> str:
    if "uri" in body or "uriTemplate" in body:
        return "resource"
    return "prompt" if isinstance(body.get("arguments"), list) else "tool"


def _name(item: Item) -> str:
    if item.surface == "server":
        return item.server
    names = (item.body.get(key) for key in ("name", "uri", "uriTemplate", "title"))
    return next((name for name in names if isinstance(name, str) and name), item.surface)


class _Lines:
    """Where names stand in a text: each at the first place that was not given out yet."""

    def __init__(self, text: str) -> None:
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._names = self._found(_NAMED, text)
        self._keys = self._found(_KEY, text)

    @staticmethod
    def _found(pattern: "re.Pattern[str]", text: str) -> dict[str, Iterator[int]]:
        places: dict[str, list[int]] = {}
        for match in pattern.finditer(text):
            places.setdefault(match[1], []).append(match.start(1))
        return {name: iter(found) for name, found in places.items()}

    def of(self, item: Item, name: str) -> int:
        """The line of a definition's name or a server's key; 1 where the text spells it otherwise."""
        is_key = item.surface in ("server", "server_instructions")
        word = "instructions" if item.surface == "server_instructions" else name
        written = (json.dumps(word, ensure_ascii=False), json.dumps(word))
        found = self._keys if is_key else self._names
        places = found.get(written[0]) or found.get(written[1])
        return bisect_right(self._ends, next(places, 0)) + 1 if places else 1
