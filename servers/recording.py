"""How a fact about a server stands in the audit log."""

from collections.abc import Mapping
from typing import Any

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
    """Record a fact about a server, in the current transaction."""
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
