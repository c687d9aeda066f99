"""What a server's lists and its answer to the first request hold, as items exactly as received.

For the poller and for the gateway, which speaks to servers itself: nothing of the `mcp` package is loaded here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from servers.limits import Limits
from servers.problems import ObservationFailed
from servers.surface import Item, Kind, Problem

_CURSOR_CHARACTERS: Final = 65_536
_SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"  # member of `_meta` (MCP 2026-07-28)


@dataclass(frozen=True, slots=True)
class ListOf:
    """One of the lists that a server can announce."""

    kind: Kind
    method: str
    capability: str
    field: str  # of the result
    name: str  # of an item: the field that names it


LISTS: Final = (
    ListOf(Kind.TOOL, "tools/list", "tools", "tools", "name"),
    ListOf(Kind.RESOURCE, "resources/list", "resources", "resources", "uri"),
    ListOf(
        Kind.TEMPLATE,
        "resources/templates/list",
        "resources",
        "resourceTemplates",
        "uriTemplate",
    ),
    ListOf(Kind.PROMPT, "prompts/list", "prompts", "prompts", "name"),
)


def announced(capabilities: object) -> frozenset[Kind]:
    """The kinds of which a server has a list, by the `capabilities` that it announces."""
    if not isinstance(capabilities, Mapping):
        return frozenset()
    return frozenset(of.kind for of in LISTS if capabilities.get(of.capability) is not None)


@dataclass(slots=True)
class Found:
    """What has been read so far; kept when the reading fails, so that people see how far it went."""

    items: list[Item] = field(default_factory=list)
    names: set[tuple[Kind, str]] = field(default_factory=set)


class Cursors:
    """The way through the pages of one list: `current` names the page to read (None: the first) until `at_end`."""

    def __init__(self, limits: Limits) -> None:
        self._pages = limits.pages
        self._seen: set[str] = set()
        self.current: str | None = None
        self.at_end = False

    def follow(self, result: Mapping[str, Any]) -> None:
        """A page was read. Raises `ObservationFailed` where there are too many, or where it leads back."""
        self.current = cursor = _next_cursor(result)
        self.at_end = cursor is None
        if cursor is None:
            return
        if cursor in self._seen:
            raise ObservationFailed(Problem.ENDLESS_LIST, "A list of the server leads back to a page already read.")
        self._seen.add(cursor)
        if len(self._seen) >= self._pages:
            raise ObservationFailed(Problem.ENDLESS_LIST)


def _next_cursor(result: Mapping[str, Any]) -> str | None:
    """Where the list goes on; None: it ends here. Raises `ObservationFailed`."""
    cursor = result.get("nextCursor")
    if cursor is None or cursor == "":
        return None
    if not isinstance(cursor, str) or len(cursor) > _CURSOR_CHARACTERS:
        raise ObservationFailed(Problem.MALFORMED, "A list of the server names its next page in no acceptable way.")
    return cursor


def card_body(result: Mapping[str, Any], info: Any, url: str, *, size: int, limits: Limits) -> dict[str, Any]:
    """The server's own card, of its answer of `size` bytes to `server/discover` or `initialize`.

    `info` is what the answer says of who the server is. Raises `ObservationFailed`.
    """
    capabilities, instructions = result.get("capabilities"), result.get("instructions")
    if not isinstance(capabilities, dict) or not isinstance(instructions, str | None):
        raise ObservationFailed(Problem.MALFORMED, "The server's description of itself is malformed.")
    if size > limits.item_bytes:
        raise ObservationFailed(Problem.TOO_LARGE, "The server's description of itself is larger than we accept.")
    return {
        "instructions": instructions,
        "serverInfo": info if isinstance(info, dict) else {},
        "capabilities": capabilities,
        "endpoint": url,
        "authorization": None,
    }


def identity_of(result: Mapping[str, Any], *, modern: bool) -> Any:
    """What such an answer says of who the server is, in either era."""
    if not modern:
        return result.get("serverInfo")
    meta = result.get("_meta")
    return meta.get(_SERVER_INFO) if isinstance(meta, dict) else None


def absorb_page(result: Mapping[str, Any], of: ListOf, found: Found, limits: Limits, size: int) -> None:
    """Add one page of at most `size` bytes to `found`. Raises `ObservationFailed`."""
    bodies = result.get(of.field)
    if not isinstance(bodies, list):
        raise ObservationFailed(Problem.MALFORMED, f"The server's list of {of.field} is no list.")
    for body in bodies:
        name = _name(body, of, limits)
        if len(found.items) >= limits.items:
            raise ObservationFailed(Problem.TOO_MANY, f"The server lists more than {limits.items} definitions.")
        # An item is no larger than the answer around it, so most need not be measured.
        if size > limits.item_bytes and len(json.dumps(body, ensure_ascii=False).encode()) > limits.item_bytes:
            raise ObservationFailed(Problem.TOO_LARGE, "A definition of the server is larger than we accept.")
        if (of.kind, name) in found.names:
            raise ObservationFailed(Problem.DUPLICATE_NAME)
        found.names.add((of.kind, name))
        found.items.append(Item(of.kind, name, body))


def _name(body: Any, of: ListOf, limits: Limits) -> str:
    if not isinstance(body, dict):
        raise ObservationFailed(Problem.MALFORMED, f"The server's list of {of.field} holds something else.")
    name = body.get(of.name)
    if not isinstance(name, str) or not name or "\0" in name:
        raise ObservationFailed(Problem.MALFORMED, f"A definition in the list of {of.field} has no acceptable name.")
    if len(name.encode()) > limits.name_bytes:
        raise ObservationFailed(Problem.TOO_LARGE, f"A name in the list of {of.field} is longer than we accept.")
    return name
