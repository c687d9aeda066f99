"""Roles against tools, as far as an actor sees both: what the roles' scopes say of each tool.

Said by `accepted_scopes`, which `decide` asks of every call. Whether a call is allowed takes more (grants, approval,
the token): "Who may call it" and toxic flows answer that.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Count, F
from django.utils import timezone

from access.models import Role
from access.policy import DefinitionFacts, PinState, accepted_scopes
from access.querysets import RoleQuerySet
from core.actor import Actor
from core.errors import NotFound
from core.permissions import Permission
from core.scopes import call_scope, definition_scope, scope_server
from core.spreadsheet import guarded, line
from servers.models import Server
from servers.surface import Kind
from tools.models import Definition
from tools.querysets import DefinitionQuerySet

NEEDED: Final = (Permission.ROLE_READ, Permission.SERVER_READ, Permission.TOOL_READ)
SERVERS_SHOWN, TOOLS_SHOWN, ROLES_SHOWN = 100, 50, 8


class Cell(StrEnum):
    """By which scope of its own a role reaches a tool. Stands in the API and in files; never renamed."""

    OWN = "own"
    WHOLE = "whole"
    BOTH = "both"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Column:
    """A role, with its scopes as `decide` takes them."""

    role: Role
    scopes: frozenset[str]

    def whole(self, slug: str) -> bool:
        """Whether it may call whatever tool of the server is not sensitive."""
        return call_scope(slug) in self.scopes


@dataclass(frozen=True, slots=True)
class Line:
    """A tool, with what each role's scopes say of it."""

    tool: Definition
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class ServerLine:
    """A server, with how many tools it has and how many roles name it."""

    server: Server
    tools: int
    roles: int


def cell_of(slug: str, name: str, scopes: Collection[str], *, sensitive: bool) -> Cell:
    """What `scopes` say of a tool."""
    held = accepted_scopes(slug, DefinitionFacts("tool", name, PinState.APPROVED, sensitive=sensitive)).intersection(
        scopes
    )
    own = definition_scope(slug, Kind.TOOL.value, name)
    if own in held:
        return Cell.BOTH if len(held) > 1 else Cell.OWN
    return Cell.WHOLE if held else Cell.NONE


def servers_of(actor: Actor, *, part: str, page: str | None) -> tuple[Page[Server], list[ServerLine]]:
    """A page of the servers whose slug has `part`, by slug."""
    found = Server.objects.visible_to(actor).current().filter(slug__icontains=part).order_by("slug")
    shown = Paginator(found, SERVERS_SHOWN).get_page(page)
    counted = tools_of(actor).filter(server__in=[server.pk for server in shown]).order_by().values_list("server_id")
    tools = dict(counted.annotate(count=Count("pk")))
    naming = Counter(slug for scopes in roles_of(actor).values_list("scopes", flat=True) for slug in _named(scopes))
    return shown, [ServerLine(server, tools.get(server.pk, 0), naming[server.slug]) for server in shown]


def server_named(actor: Actor, slug: str) -> Server:
    """A server that the actor sees. Raises `NotFound`."""
    return Server.objects.visible_to(actor).current().by_slug(slug)


def role_with(actor: Actor, role_id: UUID) -> Role:
    """A role that the actor sees. Raises `NotFound`."""
    role = roles_of(actor).filter(public_id=role_id).first()
    if role is None:
        raise NotFound("There is no such role.")
    return role


def roles_of(actor: Actor) -> RoleQuerySet:
    """Roles in the order of columns: those that change first."""
    return Role.objects.visible_to(actor).order_by("builtin", "name")


def columns(roles: Iterable[Role]) -> list[Column]:
    """Roles as columns."""
    return [Column(role, frozenset(role.scopes)) for role in roles]


def tools_of(actor: Actor) -> DefinitionQuerySet:
    """All tools that the actor sees."""
    return Definition.objects.visible_to(actor).filter(kind=Kind.TOOL.value)


def tools_at(actor: Actor, server: Server) -> DefinitionQuerySet:
    """The tools of one server with what they say and whether agents get them, by name."""
    return tools_of(actor).filter(server=server).with_served().order_by("name", "pk")


def lines(slug: str, tools: Iterable[Definition], held: Collection[Column]) -> list[Line]:
    """The cells of some tools of one server."""
    return [
        Line(tool, tuple([cell_of(slug, tool.name, each.scopes, sensitive=tool.sensitive) for each in held]))
        for tool in tools
    ]


def as_csv(actor: Actor, slug: str) -> Iterator[bytes]:
    """The matrix of one server, or of all (an empty slug), with every role that the actor sees, line by line."""
    held = columns(roles_of(actor))
    yield line(["server", "tool", "sensitive", "effect", *(guarded(each.role.name) for each in held)])
    near = tools_of(actor).filter(server__in=Server.objects.visible_to(actor).current())
    found = (near.filter(server__slug=slug) if slug else near).with_what_is_said(timezone.now())
    rows = found.annotate(effect=F("said")).order_by("server__slug", "name")
    said = rows.values_list("server__slug", "name", "sensitive", "effect").iterator(chunk_size=1000)
    for server, name, sensitive, effect in said:
        cells = (cell_of(server, name, each.scopes, sensitive=sensitive).value for each in held)
        yield line([server, guarded(name), "yes" if sensitive else "no", effect or "destroys", *cells])


def _named(scopes: Iterable[str]) -> set[str]:
    return {slug for scope in scopes if (slug := scope_server(scope)) is not None}
