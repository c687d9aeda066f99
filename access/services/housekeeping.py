"""Clearing away what has ended and no longer says anything: audit records keep the history."""

from datetime import timedelta
from typing import Final, TypeVar

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from access.models import (
    AccessToken,
    Agent,
    AgentState,
    AuthorizationCode,
    Consent,
    ConsoleSession,
    ConsumedCode,
    FailedDocument,
    Grant,
    RefreshToken,
    RequestCount,
)
from access.querysets import AgentQuerySet
from access.services.attempts import forget_old
from access.services.clients import FAILURE_KEPT
from access.services.codes import CODE_MEMORY
from access.services.counting import MINUTE
from access.services.refresh import REPEAT_WINDOW
from audit.events import Event, RecordType
from audit.services import record
from core.actor import system_actor
from core.names import subject

KEPT: Final = timedelta(days=1)  # after a token's end, for whoever looks into a call of yesterday
UNUSED: Final = timedelta(days=1)  # that an agent which nobody registered may hold nothing before it is removed
NAMED: Final = 100  # client ids that the record of a removal names
BATCH: Final = 5000  # rows per statement, so that no lock is held for long
M = TypeVar("M", bound=models.Model)


def clear_expired() -> int:
    """Delete tokens, codes and sessions that ended, counts of what is over, and unused agents of strangers.

    Answers how many tokens went. A refresh token that was exchanged is kept as long as its family can live: whoever
    brings it back must be noticed.
    """
    now = timezone.now()
    forget_old()
    _clear(ConsoleSession.objects.over())
    _clear(Session.objects.filter(expire_date__lt=now))  # Django's own table, where nothing new is written
    RequestCount.objects.filter(window_started_at__lt=now - MINUTE).delete()
    FailedDocument.objects.filter(failed_at__lt=now - FAILURE_KEPT).delete()
    _remove_unused_agents()
    ConsumedCode.objects.filter(consumed_at__lt=now - CODE_MEMORY).delete()
    AuthorizationCode.objects.filter(expires__lt=now - CODE_MEMORY).delete()
    RefreshToken.objects.filter(successor__isnull=False, superseded_at__lt=now - REPEAT_WINDOW).update(successor=None)
    oldest = now - timedelta(days=settings.REFRESH_TOKEN_DAYS) - KEPT
    refresh = _clear(RefreshToken.objects.filter(family_began_at__lt=oldest))
    # A refresh token that lives keeps its access token beside it: ending the family finds both.
    unneeded = Q(refresh_token__isnull=True) | Q(refresh_token__revoked__isnull=False)
    return refresh + _clear(AccessToken.objects.filter(unneeded, expires__lt=now - KEPT))


def _clear(ended: models.QuerySet[M]) -> int:
    cleared = 0
    while batch := list(ended.values_list("pk", flat=True)[:BATCH]):
        ended.model._default_manager.filter(pk__in=batch).delete()  # noqa: SLF001 -- Django's documented name
        cleared += len(batch)
    return cleared


def _remove_unused_agents() -> None:
    """Remove agents that registered themselves and hold nothing at all; suspended ones stay so."""
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
        Consent.objects.live().filter(agent=OuterRef("pk")),
        AccessToken.objects.filter(application=OuterRef("pk")),
        RefreshToken.objects.filter(application=OuterRef("pk")),
        AuthorizationCode.objects.filter(application=OuterRef("pk")),
        Grant.objects.filter(agent=OuterRef("pk")),
    )
    return strangers.filter(*(~Exists(rows) for rows in held))
