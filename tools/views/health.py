"""How long a server's calls took, by day."""

from core.actor import Actor
from core.permissions import Permission
from servers.days import Calls, calls_of
from servers.models import Server


def calls_by_day(server: Server, actor: Actor) -> list[Calls]:
    """The last 30 days, the oldest first; nothing where no call was answered, or for who may not read them."""
    if not actor.may(Permission.AUDIT_READ, team_id=server.owner_team_id):
        return []
    found = calls_of(server)
    return found if any(day.calls for day in found) else []
