"""Names of the choices in the OpenAPI document, from which people's programs make types.

Without one the generator makes a name out of the field's, and a number where two fields of one name differ. Values are
those that serializers list. What a model or a large module holds is written out, or named to be read when the document
is made: every process reads the settings, before there are models.
"""

from enum import StrEnum
from typing import Final

from access.intentions import IntentionNeeded
from access.suspended import SuspensionKind
from alerts.rules import AlertKind, AlertState, ChannelState, DeliveryState
from audit.events import Event, RecordType
from core.permissions import Permission
from servers.rules import Answers, DriftMode, Environment, ServerState
from servers.surface import Kind
from tools.rules import Because, DefinitionState, ReviewState, Verdict


def _values(enum: type[StrEnum]) -> list[str]:
    return [member.value for member in enum]


ENUM_NAMES: Final[dict[str, list[str] | str]] = {
    "AgentRegistration": ["manual", "document", "dynamic"],
    "AgentState": ["active", "suspended"],
    "AlertKind": _values(AlertKind),
    "AlertSeverity": ["low", "medium", "high"],
    "AlertState": _values(AlertState),
    "Answers": _values(Answers),
    "CallDecision": ["allowed", "denied"],
    "ChannelState": _values(ChannelState),
    "CommitmentState": ["holds", "broken", "unchecked", "none"],
    "DefinitionKind": _values(Kind),
    "DefinitionState": _values(DefinitionState),
    "DeliveryState": _values(DeliveryState),
    "DriftMode": _values(DriftMode),
    "Effect": ["reads", "writes", "destroys"],
    "Event": _values(Event),
    "FindingAge": ["new", "was_there"],
    "FoundKind": ["server", "definition", "review", "agent", "role", "person"],
    "GrantType": ["client_credentials", "authorization_code"],
    "HarmlessChange": "tools.policies.GRANTABLE",
    "IntentionNeeded": _values(IntentionNeeded),
    "KnownState": ["rejected", "approved", "withdrawn", "approved_once", "held"],
    "NameStyle": ["double_underscore", "slash", "dot"],
    "PayloadPart": ["arguments", "result"],
    "PayloadState": ["exact", "changed", "too_long", "commitment_only", "nothing", "gone", "broken"],
    "Permission": _values(Permission),
    "PrecedentGround": ["same_version", "same_definition", "same_endpoint"],
    "PrincipalKind": ["agent", "person"],
    "ReachedBy": ["own", "whole", "both", "none"],
    "RecordType": _values(RecordType),
    "RelativeKind": ["renamed", "copy", "clone", "rehomed"],
    "ReviewOutcome": [*_values(ReviewState), "approved_by_policy"],
    "ReviewState": _values(ReviewState),
    "ReviewVerdict": _values(Verdict),
    "RiskLevel": ["none", "low", "medium", "high", "critical"],
    "RoleReach": ["installation", "own_teams"],
    "ServedBecause": _values(Because),
    "ServerEnvironment": _values(Environment),
    "ServerState": _values(ServerState),
    "SinkFormat": ["cef", "csv", "jsonl", "ocsf", "otlp"],
    "SinkKind": ["otlp", "syslog_tls", "webhook"],
    "SinkState": ["active", "disabled", "stopped"],
    "SuspensionKind": _values(SuspensionKind),
    "TokenKind": ["access", "refresh", "api"],
    "TokenState": [
        "active",
        "agent_suspended",
        "endpoint_gone",
        "exchanged",
        "expired",
        "person_inactive",
        "revoked",
        "suspended",
        "unknown",
    ],
}
