"""One call or refusal as people watch it, and who sees which. Rules only: no database."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from audit.drafts import search_text
from audit.events import RecordType
from audit.filters import Filters
from core.actor import Actor
from core.names import split_canonical
from core.permissions import Permission

# A call's end, or its refusal; its beginning is in the log, and says nothing that its end does not.
TYPES: Final = (RecordType.OUTCOME.value, RecordType.DENY.value)
FILTERS: Final = ("principal", "agent", "server", "tool", "decision", "reason")


@dataclass(frozen=True, slots=True)
class Row:
    """What is shown of a record. No argument and no result: reading those is an act of its own.

    `who` is the principal's name as people know it; `latency_ms` milliseconds, None where nothing was sent.
    """

    id: UUID
    time: datetime
    type: str
    event: str
    principal: str
    who: str
    agent: str
    server: str
    tool: str
    subject: str
    owner_team: str
    decision: str
    reason: str
    status: str
    error_class: str
    latency_ms: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters made ready to be asked of rows; `principals` are all that the wanted name can stand as in records."""

    filters: Filters = field(default_factory=Filters)
    principals: frozenset[str] = frozenset()

    def fits(self, row: Row) -> bool:
        """Whether every filter fits, as the same filters of the audit log would have it."""
        asked = self.filters
        return (
            (not asked.principal or row.principal in self.principals)
            and (not asked.agent or row.agent == search_text(asked.agent))
            and (not asked.server or row.server == search_text(asked.server))
            and (not asked.tool or _is_tool(row, asked.tool))
            and (not asked.decision or row.decision == asked.decision)
            and (not asked.reason or row.reason == search_text(asked.reason, long=True))
        )


def sees(actor: Actor, row: Row) -> bool:
    """`RecordQuerySet.visible_to` for one row that was read already."""
    if actor.may(Permission.AUDIT_READ):
        return True
    return actor.may_somewhere(Permission.AUDIT_READ) and row.owner_team in actor.team_slugs


def _is_tool(row: Row, name: str) -> bool:
    parts = split_canonical(name)
    canonical = parts is not None and (row.server, row.tool) == (parts[0], search_text(parts[1]))
    return canonical or row.tool == search_text(name)
