"""What is suspended, as plain frozen values, and what of it stops one call. Pure module.

Names are text, as grants name things (ADR 0001). `access.services.suspensions` writes the rows that this is made of;
what the switch is for: docs/operations/kill-switch.md.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from access.rules import Rule

Key = tuple[str, str]  # kind and name of a definition
_NONE: Final[frozenset[Key]] = frozenset()
_NOTHING: Final[Mapping[int, Rule]] = MappingProxyType({})


class SuspensionKind(StrEnum):
    """What can be suspended. A team: its people, its agents and its servers."""

    SERVER = "server"
    DEFINITION = "definition"
    AGENT = "agent"
    PERSON = "person"
    TEAM = "team"
    EVERYTHING = "everything"


class Stop(Struct, frozen=True):
    """What stops one caller at one server: the rule against each of them, and the server's suspended definitions."""

    caller: Rule | None = None
    server: Rule | None = None
    definitions: frozenset[Key] = _NONE

    def holds_back(self, kind: str, name: str, uri: str | None) -> bool:
        """Whether a definition is suspended, or the resource that is to be reached through a template."""
        return (kind, name) in self.definitions or (uri is not None and ("resource", uri) in self.definitions)


class Suspended(Struct, frozen=True):
    """All that is suspended now. Agents and people by key, each with the rule: themselves, or a team of theirs."""

    everything: bool = False
    agents: Mapping[int, Rule] = _NOTHING
    people: Mapping[int, Rule] = _NOTHING
    teams: frozenset[str] = frozenset()
    servers: frozenset[str] = frozenset()
    definitions: Mapping[str, frozenset[Key]] = MappingProxyType({})  # by the server's slug

    def stop(self, agent: int, person: int | None, slug: str, owner_team: str) -> Stop | None:
        """What stops this agent, for this person if there is one, at this server; None where nothing does."""
        caller, server = self._caller(agent, person), self._server(slug, owner_team)
        definitions = self.definitions.get(slug, _NONE)
        if caller is None and server is None and not definitions:
            return None
        return Stop(caller, server, definitions)

    def _caller(self, agent: int, person: int | None) -> Rule | None:
        if self.everything:
            return Rule.SUSPENDED_EVERYTHING
        return self.agents.get(agent) or (None if person is None else self.people.get(person))

    def _server(self, slug: str, owner_team: str) -> Rule | None:
        if slug in self.servers:
            return Rule.SUSPENDED_SERVER
        return Rule.SUSPENDED_TEAM if owner_team in self.teams else None


def split_definition(name: str) -> tuple[str, str, str] | None:
    """Kind, slug and own name of `tool:files/read`; None for what has another form."""
    kind, colon, rest = name.partition(":")
    slug, slash, own = rest.partition("/")
    return (kind, slug, own) if colon and slash and kind and slug and own else None
