"""The six roles that every installation has. Pure module."""

from dataclasses import dataclass
from typing import Final

from core.permissions import Permission

ADMINISTRATOR: Final = "administrator"
AUDITOR: Final = "auditor"
# Reading the audit log tells who did what; that is a role of its own. Reading payloads is that role's alone.
_AUDITS: Final = frozenset({Permission.AUDIT_EXPORT, Permission.AUDIT_READ, Permission.PAYLOAD_READ})
_EVERYTHING: Final = frozenset(Permission) - {Permission.PAYLOAD_READ}
_READS: Final = frozenset(name for name in Permission if name.endswith(":read")) - _AUDITS


@dataclass(frozen=True, slots=True)
class BuiltinRole:
    """One role as the product ships it."""

    name: str
    description: str
    permissions: frozenset[Permission]
    reach: str = "installation"


BUILTIN_ROLES: Final = (
    BuiltinRole(ADMINISTRATOR, "May do everything but read payloads.", _EVERYTHING),
    BuiltinRole(
        "reviewer",
        "Decides reviews, breaks the glass in an emergency, suspends and lifts, looks after alerts, and reads.",
        _READS
        | {
            Permission.ALERT_ACKNOWLEDGE,
            Permission.REVIEW_BREAK_GLASS,
            Permission.REVIEW_COMMENT,
            Permission.REVIEW_DECIDE,
            Permission.SUSPENSION_LIFT,
            Permission.SUSPENSION_SET,
        },
    ),
    BuiltinRole(
        "owner",
        "Registers, edits, polls and suspends the servers of their own teams, and comments on their reviews.",
        _READS
        | {
            Permission.REVIEW_COMMENT,
            Permission.SERVER_EDIT,
            Permission.SERVER_POLL,
            Permission.SERVER_REGISTER,
            Permission.SERVER_SUSPEND,
            Permission.SUSPENSION_SET,
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
            Permission.SUSPENSION_SET,
        },
    ),
    BuiltinRole(
        AUDITOR,
        "Reads everything, reads and exports the audit log; payload:read counts once two people have given this role.",
        _READS | _AUDITS,
    ),
    BuiltinRole("reader", "Reads everything but the audit log and payloads.", _READS),
)
