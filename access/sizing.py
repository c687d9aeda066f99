"""Whether a role is wider than what its holders use, and what would do instead. Pure module; docs/access.md.

It knows scopes and what was called, and reads no table: `tools.rightsizing` collects that.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from access.names import PERMISSIONS, SCOPE_LENGTH_MAX
from access.policy import DefinitionFacts, PinState, accepted_scopes
from core.scopes import CONNECT, call_scope, scope_server

WILDCARD_SERVERS: Final = 3  # a role that may call whatever so many servers have is named
NAMED_MAX: Final = 50  # a broad scope that more definitions than this were used through is not replaced by their own
SCOPES_TARGET: Final = 3  # average scopes per tool: below


@dataclass(frozen=True, slots=True)
class Through:
    """The definitions that were used through one broad scope and that it still reaches: how many, and own scopes.

    None where what was used is gone: then the scope was used all the same.
    """

    count: int
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoleUse:
    """What all holders of a role did with it. `named`: its own scopes of definitions that were used."""

    connected: bool = False
    named: frozenset[str] = frozenset()
    through: Mapping[str, Through] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wide:
    """A broad scope through which less was used than it reaches. `instead`: nothing where that is too much to name."""

    scope: str
    used: int
    offered: int
    instead: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a role holds too much. `narrower` are the scopes that would have done, or nothing where all are needed."""

    unused: tuple[str, ...]
    wide: tuple[Wide, ...]
    narrower: tuple[str, ...]


def sized(scopes: Collection[str], use: RoleUse, offered: Mapping[str, int]) -> Sizing:
    """Compare what a role holds with its use. `offered`: how many definitions a broad scope reaches.

    Permissions of console and API stay: what they are used for is not counted.
    """
    agents = [scope for scope in scopes if scope not in PERMISSIONS]
    unused = {scope for scope in agents if not _is_used(scope, use)}
    through = {scope: use.through[scope] for scope in sorted(agents) if scope in use.through}
    wide = tuple(
        _wide(scope, used, offered.get(scope, 0))
        for scope, used in through.items()
        if 0 < used.count < offered.get(scope, 0)
    )
    replaced = {each.scope: each.instead for each in wide if each.instead}
    kept = {scope for scope in scopes if scope not in unused and scope not in replaced}
    narrower = kept.union(*replaced.values())
    if narrower == set(scopes) or narrower <= PERMISSIONS:
        narrower = set()
    return Sizing(tuple(sorted(unused)), wide, tuple(sorted(narrower)))


def wildcard_servers(scopes: Iterable[str]) -> tuple[str, ...]:
    """The servers of which a role may call every tool that is not sensitive, if those are many."""
    servers = {(slug, scope) for scope in scopes if (slug := scope_server(scope)) is not None}
    found = tuple(sorted(slug for slug, scope in servers if scope == call_scope(slug)))
    return found if len(found) >= WILDCARD_SERVERS else ()


def scopes_that_reach(slug: str, tool: str, *, sensitive: bool, scopes: Collection[str]) -> int:
    """How many of `scopes` reach a tool: at most its own and its server's `:call`."""
    accepted = accepted_scopes(slug, DefinitionFacts("tool", tool, PinState.APPROVED, sensitive=sensitive))
    return sum(scope in scopes for scope in accepted)


def _is_used(scope: str, use: RoleUse) -> bool:
    if scope == CONNECT:
        return use.connected
    return scope in use.named or scope in use.through


def _wide(scope: str, through: Through, offered: int) -> Wide:
    can_be_named = through.count <= NAMED_MAX and all(len(each) <= SCOPE_LENGTH_MAX for each in through.scopes)
    instead = through.scopes if can_be_named else ()
    return Wide(scope, through.count, offered, instead)
