"""Who holds the roles of the matrix: how many grants count on a server, and how many of them only on conditions."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Q

from access.models import Grant, Role
from core.actor import Actor
from core.permissions import Permission
from servers.models import Server


@dataclass(frozen=True, slots=True)
class Held:
    """Of the grants of a role that are live and for the server's environment or all: how many, and on conditions."""

    grants: int = 0
    on_conditions: int = 0


def held_on(server: Server, roles: Iterable[Role], actor: Actor) -> list[Held | None]:
    """For each role, in the same order; None each for who may not read grants."""
    roles = list(roles)
    if not actor.may(Permission.GRANT_READ):
        return [None] * len(roles)
    here = Grant.objects.visible_to(actor).live().filter(role__in=roles, environment__in=("", server.environment))
    counted = (
        here.order_by().values_list("role_id").annotate(all=Count("pk"), bound=Count("pk", filter=~Q(conditions={})))
    )
    known = {role_id: Held(grants, bound) for role_id, grants, bound in counted}
    return [known.get(role.pk, Held()) for role in roles]
