"""Who may do what: every route of the console and the API against every built-in role, as a document.

It is worked out from what the views declare and from the roles as they are shipped;
tests/controlplane/test_matrix.py makes a real request for each cell.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from access.services.builtin import BUILTIN_ROLES, BuiltinRole
from controlplane.routes import API, CONSOLE, OPEN, Route, routes
from core.permissions import Permission

# How the roles are called where people speak of them.
TITLES: Final = {
    "administrator": "administrator",
    "reviewer": "security reviewer",
    "owner": "server owner",
    "operator": "operator",
    "auditor": "auditor",
    "reader": "reader",
}
# What belongs to no team, so that a role that reaches what its teams own finds nothing, or everything, of it.
_OF_NO_TEAM: Final = {Permission.POLICY_READ}
_OF_EVERYBODY: Final = {Permission.ROLE_READ}


class Cell(StrEnum):
    """What a role gets of a route."""

    ALLOWED = "yes"
    OWN_TEAMS = "teams"
    OWN_THINGS = "own"
    NOT_FOUND = "404"
    REFUSED = "403"


def cell(role: BuiltinRole, route: Route) -> Cell:
    """What a person who holds this role alone is answered on this route."""
    assert route.needs is not None, f"{route} declares no needs"  # noqa: S101 -- a test says so first
    asked = set(route.needs.permissions)
    if not asked <= role.permissions:
        return Cell.OWN_THINGS if route.needs.or_own else Cell.REFUSED
    if role.reach == "installation" or asked <= _OF_EVERYBODY:
        return Cell.ALLOWED
    return Cell.NOT_FOUND if asked & _OF_NO_TEAM and "{" in route.path else Cell.OWN_TEAMS


_INTRODUCTION: Final = """\
# Who may do what

Generated from the views' declarations and the built-in roles by `./dev manage generate_docs`; do not edit. Every cell
is proved: `tests/controlplane/test_matrix.py` sends each request as a person who holds that role and nothing else.

A person may do what the roles hold that were granted to them or to their teams; nobody outranks that. An API token
does what its person may do, or less where it names its scopes. Agents hold scopes of the gateway and open no route
here.

| answer | means |
|---|---|
| yes | allowed, wherever the thing is |
| teams | allowed for what a team of theirs owns, and lists hold only that; anything else is not found (404) |
| own | allowed for what is the person's own (a token, a password); refused (403) or not found (404) for another's |
| 404 | not found: it belongs to no team |
| 403 | refused, and recorded as `action.denied`; what the person may not see anyway is not found (404) |

Whoever is not signed in is sent to sign in by the console, and answered 401 by the API. Registering a server
for a team that is not one's own is refused (403). Roles of your own hold any of these permissions; a built-in role does
not change.
"""
_PAYLOADS: Final = """
`payload:read` counts only for a person to whom two others gave the auditor's role, and for no team
([ADR 0020](../adr/0020-auditors.md)). Whoever erases payloads or prunes the log needs another person to agree.
"""


def document() -> str:
    """The document."""
    parts = [_INTRODUCTION, "## What the roles hold\n", _holdings(), _PAYLOADS]
    for door in (CONSOLE, API):
        parts += [f"\n## {door}\n", _table(route for route in routes() if route.door == door)]
    parts += ["\n## Open to everybody\n", _open()]
    return "\n".join(parts) + "\n"


def _holdings() -> str:
    rows = [[f"`{permission}`", *(_held(role, permission) for role in BUILTIN_ROLES)] for permission in Permission]
    return _rows(["permission", *TITLES.values()], rows)


def _held(role: BuiltinRole, permission: Permission) -> str:
    if permission not in role.permissions:
        return ""
    return "yes" if role.reach == "installation" else "teams"


def _table(found: Iterable[Route]) -> str:
    rows = [
        [f"`{route.method}`", f"`{route.path}`", _asked(route), *(cell(role, route).value for role in BUILTIN_ROLES)]
        for route in found
    ]
    return _rows(["", "route", "asks for", *TITLES.values()], rows)


def _asked(route: Route) -> str:
    permissions = route.needs.permissions if route.needs else ()
    return " and ".join(f"`{permission}`" for permission in permissions) or "signing in"


def _open() -> str:
    return _rows(["route", "why"], [[f"`{name}`", why] for name, why in sorted(OPEN.items())])


def _rows(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
