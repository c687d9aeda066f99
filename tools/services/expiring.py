"""Putting to review what is withheld because its approval ran out, as soon as it does.

Nothing depends on it: the gateway compares the time at each call. But somebody should be asked, however long it is
until the server is looked at again.
"""

from typing import Final

from django.db import transaction
from django.utils import timezone

from core.actor import system_actor
from servers.models import Server
from servers.rules import ServerState
from tools.models import Definition, Pin
from tools.querysets import DefinitionQuerySet
from tools.services.settling import Known, Settlement, settle

_UPKEEP: Final = system_actor("upkeep")
_SERVERS: Final = 100  # in one go; the next tick takes the rest


def settle_expired() -> int:
    """Open the reviews that approvals leave when they run out; answers how many. One transaction for each server."""
    servers = _held_by_time().exclude(server__state=ServerState.RETIRED.value).order_by("server_id")
    return sum(_settled(pk) for pk in servers.values_list("server_id", flat=True).distinct()[:_SERVERS])


def _held_by_time() -> DefinitionQuerySet:
    now = timezone.now()
    expired = Pin.objects.live().filter(expires_at__lte=now).values("definition")
    return Definition.objects.filter(pk__in=expired).unsettled(now=now)


def _settled(server_id: int) -> int:
    with transaction.atomic():
        server = Server.objects.select_for_update(of=("self",)).select_related("owner_team").get(pk=server_id)
        rows = list(_held_by_time().filter(server=server).select_related("observed").defer("observed__text"))
        return len(settle(Settlement(server, _UPKEEP, timezone.now(), Known.of(rows)), rows))
