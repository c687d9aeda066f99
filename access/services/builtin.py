"""The six roles that every installation has. Pure module."""

from dataclasses import dataclass
from typing import Final

from core.permissions import Permission

ADMINISTRATOR: Final = "administrator"
_EVERYTHING: Final = frozenset(Permission)
# Reading the audit log tells who did what; that is a role of its own.
_READS: Final = frozenset(name for name in Permission if name.endswith(":read")) - {Permission.AUDIT_READ}


@dataclass(frozen=True, slots=True)
class BuiltinRole:
    """One role as the product ships it."""

    name: str
    description: str
    permissions: frozenset[Permission]
    reach: str = "installation"


BUILTIN_ROLES: Final = (
    BuiltinRole(ADMINISTRATOR, "May do everything.", _EVERYTHING),
    BuiltinRole(
        "reviewer",
        "Decides reviews, breaks the glass in an emergency, looks after alerts, and reads.",
        _READS | {Permission.ALERT_ACKNOWLEDGE, Permission.REVIEW_BREAK_GLASS, Permission.REVIEW_DECIDE},
    ),
    BuiltinRole(
        "owner",
        "Registers, edits, polls and suspends the servers of their own teams.",
        _READS
        | {
            Permission.SERVER_EDIT,
            Permission.SERVER_POLL,
            Permission.SERVER_REGISTER,
            Permission.SERVER_SUSPEND,
        },
        reach="own_teams",
    ),
    BuiltinRole(
        "operator",
        "Keeps servers, agents, alerts and channels running.",
        _READS
        | {
            Permission.AGENT_MANAGE,
            Permission.ALERT_ACKNOWLEDGE,
            Permission.CHANNEL_MANAGE,
            Permission.SERVER_EDIT,
            Permission.SERVER_POLL,
            Permission.SERVER_SUSPEND,
        },
    ),
    BuiltinRole("auditor", "Reads everything, the audit log included.", _READS | {Permission.AUDIT_READ}),
    BuiltinRole("reader", "Reads everything but the audit log.", _READS),
)
