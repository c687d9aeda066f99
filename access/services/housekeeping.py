"""Clearing away what has ended and no longer says anything: audit records keep the history."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from access.models import (
    AccessToken,
    Agent,
    AgentState,
    AuthorizationCode,
    FailedDocument,
    FailedSignIn,
    Grant,
    RefreshToken,
    RequestCount,
)
from access.querysets import AgentQuerySet
from access.services.clients import FAILURE_KEPT
from access.services.counting import MINUTE
from access.services.sign_in import WINDOW
from audit.events import Event, RecordType
from audit.services import record
from core.actor import system_actor
from core.names import subject

KEPT = timedelta(days=1)  # after a token's end, for whoever looks into a call of yesterday
UNUSED = timedelta(days=1)  # that an agent which nobody registered may hold nothing before it is removed
NAMED = 100  # client ids that the record of a removal names
BATCH = 5000  # rows per statement, so that no lock is held for long


def clear_expired() -> int:
    """Delete access tokens that ended a day ago, counts of what is over, and unused agents of strangers.

    Answers how many tokens went.
    """
    now = timezone.now()
    FailedSignIn.objects.filter(window_started_at__lt=now - WINDOW).delete()
    RequestCount.objects.filter(window_started_at__lt=now - MINUTE).delete()
    FailedDocument.objects.filter(failed_at__lt=now - FAILURE_KEPT).delete()
    _remove_unused_agents()
    ended = AccessToken.objects.filter(expires__lt=now - KEPT, refresh_token__isnull=True)
    cleared = 0
    while batch := list(ended.values_list("pk", flat=True)[:BATCH]):
        AccessToken.objects.filter(pk__in=batch).delete()
        cleared += len(batch)
    return cleared


def _remove_unused_agents() -> None:
    """Remove agents that registered themselves and hold neither token nor code nor grant; suspended ones stay so."""
    with transaction.atomic():
        unused = _unused_agents().select_for_update(of=("self",), skip_locked=True)
        client_ids = dict(unused.values_list("pk", "client_id")[:BATCH])
        if not client_ids:
            return
        Agent.objects.filter(pk__in=client_ids).delete()
        record(
            type=RecordType.ADMIN,
            event=Event.AGENT_REMOVED,
            actor=system_actor("housekeeping"),
            subject=subject("agent", "unused"),
            after={"removed": len(client_ids), "client_ids": sorted(client_ids.values())[:NAMED]},
        )


def _unused_agents() -> AgentQuerySet:
    strangers = Agent.objects.filter(
        registration_source__in=(Agent.RegistrationSource.DCR, Agent.RegistrationSource.CIMD),
        state=AgentState.ACTIVE.value,
        updated__lt=timezone.now() - UNUSED,
    )
    held = (
        AccessToken.objects.filter(application=OuterRef("pk")),
        RefreshToken.objects.filter(application=OuterRef("pk")),
        AuthorizationCode.objects.filter(application=OuterRef("pk")),
        Grant.objects.filter(agent=OuterRef("pk")),
    )
    return strangers.filter(*(~Exists(rows) for rows in held))
