"""Grammar and hierarchy of MCP scopes. Pure module.

`mcp:connect` · `mcp:<slug>:read` · `mcp:<slug>:call` · `mcp:<slug>:<kind>:<percent-encoded name>`.
A role's list may also hold permissions of `core.permissions`; both are checked by `problem()`.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final
from urllib.parse import quote, unquote

from core.names import is_slug
from core.permissions import Permission

CONNECT: Final = "mcp:connect"


class ScopeKind(StrEnum):
    """Kinds of definition that a scope can name."""

    TOOL = "tool"
    RESOURCE = "resource"
    TEMPLATE = "template"
    PROMPT = "prompt"


# Before Python 3.12 `in` an enum takes members only.
_PERMISSIONS: Final = frozenset(permission.value for permission in Permission)
_KINDS: Final = frozenset(kind.value for kind in ScopeKind)


def read_scope(slug: str) -> str:
    """Lists, resources and prompts of one server."""
    return f"mcp:{slug}:read"


def call_scope(slug: str) -> str:
    """Every tool of one server that is not marked sensitive."""
    return f"mcp:{slug}:call"


def definition_scope(slug: str, kind: str, name: str) -> str:
    """One definition of one server; the name is percent-encoded, so no scope holds a space or colon of it."""
    return f"mcp:{slug}:{kind}:{quote(name, safe='')}"


def baseline_scopes(slug: str) -> frozenset[str]:
    """What a client needs for ordinary use of one server; a token request without scopes asks for this."""
    return frozenset({CONNECT, read_scope(slug), call_scope(slug)})


def scope_server(scope: str) -> str | None:
    """The slug that a scope is about, or None for `mcp:connect` and permissions."""
    parts = scope.split(":")
    return parts[1] if parts[0] == "mcp" and len(parts) > 2 else None


def scope_tool(scope: str) -> str | None:
    """The name of the tool that a scope is about alone, or None."""
    parts = scope.split(":")
    return unquote(parts[3]) if len(parts) == 4 and parts[2] == ScopeKind.TOOL else None


def problem(scope: str) -> str | None:
    """Why `scope` is neither an MCP scope nor a permission, as a sentence; None when it is one."""
    if scope == CONNECT or scope in _PERMISSIONS:
        return None
    parts = scope.split(":")
    if parts[0] != "mcp":
        return f"'{scope}' is neither a permission nor an MCP scope"
    if len(parts) not in (3, 4) or not is_slug(parts[1]):
        return f"'{scope}' does not have the form mcp:<slug>:read, mcp:<slug>:call or mcp:<slug>:<kind>:<name>"
    if len(parts) == 3:
        return None if parts[2] in ("read", "call") else f"'{scope}' must end in read or call"
    if parts[2] not in _KINDS:
        return f"'{scope}' names no kind of definition (tool, resource, template, prompt)"
    well_encoded = parts[3] and quote(unquote(parts[3]), safe="") == parts[3]
    return None if well_encoded else f"'{scope}' must hold a percent-encoded name"


def connects(scopes: Iterable[str], slug: str) -> bool:
    """Whether any of `scopes` lets its holder connect to `slug`: any scope of that server implies connecting."""
    return any(scope == CONNECT or scope_server(scope) == slug for scope in scopes)
