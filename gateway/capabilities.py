"""Which capabilities each side is told of the other. Pure module.

Of a server: what its approved card names, as far as it is carried; a capability that nobody approved stays hidden.
Of a client: what it declared, as far as the server may make use of it through us.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

TASKS: Final = "io.modelcontextprotocol/tasks"  # extension of the modern era (SEP-2663)
_OF_KINDS: Final[Mapping[str, str]] = {
    "tool": "tools",
    "resource": "resources",
    "template": "resources",
    "prompt": "prompts",
}
_FLAGS: Final[Mapping[str, frozenset[str]]] = {
    "tools": frozenset({"listChanged"}),
    "resources": frozenset({"listChanged", "subscribe"}),
    "prompts": frozenset({"listChanged"}),
}
_ASKED_OF_CLIENTS: Final = ("elicitation", "roots", "sampling")
_ERA: Final[Mapping[str, bool]] = {"extensions": True, "tasks": False}  # capability to the era it belongs to, else both
# What a server must have for a method to be its: the capability, and the flag or extension of it.
_NEEDED: Final[Mapping[str, tuple[str, str]]] = {
    "completion/complete": ("completions", ""),
    "logging/setLevel": ("logging", ""),
    "prompts/get": ("prompts", ""),
    "prompts/list": ("prompts", ""),
    "resources/list": ("resources", ""),
    "resources/read": ("resources", ""),
    "resources/subscribe": ("resources", "subscribe"),
    "resources/templates/list": ("resources", ""),
    "resources/unsubscribe": ("resources", "subscribe"),
    "tools/call": ("tools", ""),
    "tools/list": ("tools", ""),
}


def presented(approved: Mapping[str, Any] | None, kinds: Iterable[str], *, modern: bool) -> dict[str, Any]:
    """A server's capabilities as its clients are told them; without an approved card, those of its `kinds`."""
    if approved is None:
        return {_OF_KINDS[kind]: {} for kind in sorted(set(kinds)) if kind in _OF_KINDS}
    found: dict[str, Any] = {}
    for name in ("completions", "extensions", "logging", "prompts", "resources", "tasks", "tools"):
        value = approved.get(name)
        if isinstance(value, Mapping) and _ERA.get(name, modern) == modern:
            flags = _FLAGS.get(name)
            found[name] = dict(value) if flags is None else {key: value[key] for key in value if key in flags}
    return found


def supports(capabilities: Mapping[str, Any], method: str, *, modern: bool) -> bool:
    """Whether a server presented so answers `method`; what the protocol itself asks for, everybody does."""
    if method.startswith("tasks/"):
        return has_tasks(capabilities, modern=modern)
    name, flag = _NEEDED.get(method, ("", ""))
    if not name:
        return True
    return name in capabilities and (not flag or capabilities[name].get(flag) is True)


def has_tasks(capabilities: Mapping[str, Any], *, modern: bool) -> bool:
    """Whether either side, with these capabilities, knows tasks."""
    extensions = capabilities.get("extensions")
    return isinstance(extensions, Mapping) and TASKS in extensions if modern else "tasks" in capabilities


def passed_on(declared: Any, server: Mapping[str, Any]) -> dict[str, Any]:
    """A client's capabilities as the server is told them: what it may ask for, and the extensions that both have."""
    if not declared or not isinstance(declared, Mapping):
        return {}
    found = {name: declared[name] for name in _ASKED_OF_CLIENTS if isinstance(declared.get(name), Mapping)}
    extensions, known = declared.get("extensions"), server.get("extensions")
    if isinstance(extensions, Mapping) and isinstance(known, Mapping):
        both = {name: extensions[name] for name in extensions if name in known}
        found |= {"extensions": both} if both else {}
    if "tasks" in server and isinstance(declared.get("tasks"), Mapping):
        found["tasks"] = declared["tasks"]
    return found


_ASKS: Final[Mapping[str, str]] = {
    "elicitation/create": "elicitation",
    "roots/list": "roots",
    "sampling/createMessage": "sampling",
}


def may_ask(method: str, capabilities: Mapping[str, Any]) -> bool:
    """Whether a client with these capabilities can be asked by a server's request `method`."""
    needed = _ASKS.get(method)
    return needed is not None and needed in capabilities
