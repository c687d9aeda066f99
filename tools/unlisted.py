"""What the server does not list to an agent although it lists it to the poller.

It is not listed to that agent, nor can it be called by it (`gateway.looking`), and nothing is withheld from others:
servers may show less to whom they trust less. People should see it all the same.
"""

from dataclasses import dataclass

from servers.models import Observation, Server
from servers.surface import Kind
from tools.models import Definition
from tools.rules import POLLER


@dataclass(frozen=True, slots=True)
class Unlisted:
    """The tools, by name, that one vantage was not listed in its last complete look."""

    vantage: str
    names: tuple[str, ...]


def unlisted_of(server: Server) -> list[Unlisted]:
    """One for each vantage of agents to which something is not listed."""
    tools = Definition.objects.filter(server=server, kind=Kind.TOOL.value, present=True)
    present = set(tools.values_list("name", flat=True))
    looks = Observation.objects.filter(server=server, complete=True).exclude(vantage=POLLER)
    newest = looks.order_by("vantage", "-time", "-id").distinct("vantage")
    found = [Unlisted(look.vantage, tuple(sorted(present - _listed(look)))) for look in newest]
    return [each for each in found if each.names]


def _listed(look: Observation) -> set[str]:
    return {name for kind, name, _ in look.items if kind == Kind.TOOL.value}
