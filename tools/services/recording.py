"""Audit records of this app, with the columns that every one of them fills."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from audit.events import Event, RecordType
from audit.services import record
from core.actor import Actor
from core.names import subject
from servers.models import Server


def note_server(
    event: Event,
    *,
    server: Server,
    actor: Actor,
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Record a fact about a server."""
    record(
        type=RecordType.CONFIG,
        event=event,
        actor=actor,
        subject=subject("server", server.slug),
        server=server.slug,
        reason=reason,
        owner_team=server.owner_team.slug if server.owner_team else "",
        environment=server.environment,
        before=before,
        after=after,
    )


def note_definition(  # noqa: PLR0913 -- columns of a record
    event: Event,
    *,
    server: Server,
    kind: str,
    name: str,
    actor: Actor,
    type: RecordType = RecordType.CONFIG,  # noqa: A002 -- the column's name
    digest: str = "",
    reason: str = "",
    batch_id: UUID | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Record a fact about a definition."""
    record(
        type=type,
        event=event,
        actor=actor,
        subject=subject(kind, server.slug, name),
        server=server.slug,
        tool=name,
        kind=kind,
        digest=digest,
        reason=reason,
        owner_team=server.owner_team.slug if server.owner_team else "",
        environment=server.environment,
        batch_id=batch_id,
        before=before,
        after=after,
    )
