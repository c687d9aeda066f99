"""The words, tones and icons that pages use for states, kinds and changes. One place, so that they agree.

Tones are those of `static/css/chip.css`; icons those of `static/img/icons.svg`.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy

from access.suspended import SuspensionKind
from alerts.rules import AlertKind
from servers.surface import Kind
from tools import classify
from tools.classify import ChangeClass, Risk
from tools.relatives import Ground, Relation
from tools.risk import INCOMPLETE
from tools.scanner.findings import Confidence, Severity
from tools.scanner.rules import RULES
from tools.scanner.servers import SERVERS
from tools.whys import Why

Text = Any  # a lazily translated text

TONES: Final[Mapping[str, str]] = {"debug": "info", "success": "ok", "warning": "warn", "error": "danger"}
TONE_ICONS: Final[Mapping[str, str]] = {
    "danger": "stop",
    "warn": "warning",
    "ok": "check",
    "info": "info",
    "quiet": "info",
}
ENVIRONMENTS: Final[Mapping[str, Text]] = {
    "development": gettext_lazy("Development"),
    "staging": gettext_lazy("Staging"),
    "production": gettext_lazy("Production"),
}
# What a tool says that it does; one that says nothing says the worst.
EFFECTS: Final[Mapping[str, tuple[Text, str, str]]] = {
    "": (gettext_lazy("may destroy"), "warn", "warning"),
    "destroys": (gettext_lazy("may destroy"), "warn", "warning"),
    "writes": (gettext_lazy("writes"), "info", "edit"),
    "reads": (gettext_lazy("only reads"), "quiet", "record"),
}
# By which scope of its own a role reaches a tool.
CELLS: Final[Mapping[str, tuple[Text, str, str]]] = {
    "own": (gettext_lazy("own scope"), "ok", "check"),
    "whole": (gettext_lazy("whole server"), "info", "server"),
    "both": (gettext_lazy("both"), "ok", "check"),
}
# One word, one tone, one icon for every state that a page shows.
STATES: Final[Mapping[str, tuple[Text, str, str]]] = {
    "acknowledged": (gettext_lazy("acknowledged"), "info", "check"),
    "active": (gettext_lazy("active"), "ok", "check"),
    "allowed": (gettext_lazy("allowed"), "ok", "check"),
    "approve": (gettext_lazy("approved"), "ok", "check"),
    "approved": (gettext_lazy("approved"), "ok", "check"),
    "approved_once": (gettext_lazy("approved at the time"), "quiet", "clock"),
    "approved_by_policy": (gettext_lazy("approved by a policy"), "ok", "check"),
    "break_glass": (gettext_lazy("served in an emergency"), "danger", "warning"),
    "changed": (gettext_lazy("in quarantine"), "warn", "hold"),
    "completed": (gettext_lazy("completed"), "ok", "check"),
    "contradicted": (gettext_lazy("shown differently elsewhere"), "danger", "stop"),
    "delivered": (gettext_lazy("delivered"), "ok", "check"),
    "denied": (gettext_lazy("denied"), "danger", "stop"),
    "disabled": (gettext_lazy("disabled"), "quiet", "pause"),
    "dismiss": (gettext_lazy("dismissed"), "quiet", "check"),
    "dismissed": (gettext_lazy("dismissed"), "quiet", "check"),
    "drift": (gettext_lazy("drift"), "warn", "hold"),
    "drift_mode": (gettext_lazy("in quarantine, approved text served on"), "warn", "hold"),
    "error": (gettext_lazy("error"), "danger", "warning"),
    "expired": (gettext_lazy("expired"), "quiet", "clock"),
    "failed": (gettext_lazy("failed"), "danger", "warning"),
    "gone": (gettext_lazy("no longer shown"), "quiet", "info"),
    "held": (gettext_lazy("in quarantine"), "warn", "hold"),
    "in_force": (gettext_lazy("in force"), "ok", "check"),
    "inactive": (gettext_lazy("inactive"), "quiet", "pause"),
    "incomplete": (gettext_lazy("not seen completely"), "warn", "warning"),
    "needs_credentials": (gettext_lazy("needs credentials"), "warn", "key"),
    "not_approved": (gettext_lazy("in quarantine"), "warn", "hold"),
    "off": (gettext_lazy("off"), "quiet", "pause"),
    "ok": (gettext_lazy("ok"), "ok", "check"),
    "open": (gettext_lazy("open"), "warn", "bell"),
    "pending": (gettext_lazy("pending"), "info", "clock"),
    "pin": (gettext_lazy("approved"), "ok", "check"),
    "registered": (gettext_lazy("registered"), "info", "clock"),
    "reject": (gettext_lazy("rejected"), "danger", "cross"),
    "rejected": (gettext_lazy("rejected"), "danger", "cross"),
    "resolved": (gettext_lazy("resolved"), "ok", "check"),
    "retired": (gettext_lazy("retired"), "quiet", "cross"),
    "revoked": (gettext_lazy("revoked"), "quiet", "cross"),
    "superseded": (gettext_lazy("superseded"), "quiet", "refresh"),
    "suspended": (gettext_lazy("suspended"), "danger", "pause"),
    "unreachable": (gettext_lazy("unreachable"), "danger", "warning"),
    "vanished": (gettext_lazy("no longer shown"), "quiet", "info"),
    "waiting": (gettext_lazy("waiting"), "warn", "clock"),
    "withdrawn": (gettext_lazy("approval withdrawn"), "warn", "cross"),
}


RECORD_TYPES: Final[Mapping[str, tuple[Text, str, str]]] = {
    "admin": (gettext_lazy("administration"), "quiet", "people"),
    "auth": (gettext_lazy("access"), "quiet", "key"),
    "checkpoint": (gettext_lazy("checkpoint"), "quiet", "record"),
    "config": (gettext_lazy("configuration"), "quiet", "server"),
    "intent": (gettext_lazy("intent"), "info", "send"),
    "review": (gettext_lazy("review"), "quiet", "inbox"),
}
RECORD_FACTS: Final[Mapping[str, Text]] = {
    "agent": gettext_lazy("Agent"),
    "server": gettext_lazy("Server"),
    "kind": gettext_lazy("Kind"),
    "tool": gettext_lazy("Name"),
    "tool_hash": gettext_lazy("Version"),
    "subject": gettext_lazy("Subject"),
    "method": gettext_lazy("Method"),
    "owner_team": gettext_lazy("Owner team"),
    "environment": gettext_lazy("Environment"),
    "decision": gettext_lazy("Decision"),
    "reason": gettext_lazy("Reason"),
    "rule_ids": gettext_lazy("Rules"),
    "scopes_used": gettext_lazy("Scopes used"),
    "intention": gettext_lazy("Intention"),
    "status": gettext_lazy("Status"),
    "error_class": gettext_lazy("Error"),
    "latency_ms": gettext_lazy("Milliseconds"),
    "bytes": gettext_lazy("Bytes"),
    "token_id": gettext_lazy("Token"),
    "args_commit": gettext_lazy("Arguments (commitment)"),
    "result_commit": gettext_lazy("Result (commitment)"),
    "client_ip": gettext_lazy("Client address"),
    "trace_id": gettext_lazy("Trace"),
    "call_id": gettext_lazy("Call"),
    "parent_call_id": gettext_lazy("Parent call"),
    "batch_id": gettext_lazy("Batch"),
    "writer": gettext_lazy("Writer"),
    "seq": gettext_lazy("Sequence"),
}
SCOPES_NEEDED: Final = "scopes_needed"  # what a denial says beside its columns
KINDS: Final[Mapping[str, Text]] = {
    Kind.TOOL: gettext_lazy("tool"),
    Kind.RESOURCE: gettext_lazy("resource"),
    Kind.TEMPLATE: gettext_lazy("resource template"),
    Kind.PROMPT: gettext_lazy("prompt"),
    Kind.CARD: gettext_lazy("server card"),
}
RISKS: Final[Mapping[str, Risk]] = {name.value: risk for name, risk in classify.RISKS.items()}
RULE_TITLES: Final[Mapping[str, Text]] = {
    INCOMPLETE: gettext_lazy("The scan did not finish"),
    **{rule.id: rule.title for rule in (*RULES, *SERVERS)},
}
RISK_TONES: Final[Mapping[str, tuple[Text, str, str]]] = {
    Risk.HIGH: (gettext_lazy("high risk"), "danger", "stop"),
    Risk.MEDIUM: (gettext_lazy("medium risk"), "warn", "warning"),
    Risk.LOW: (gettext_lazy("low risk"), "quiet", "info"),
}
RISK_TITLES: Final[Mapping[str, Text]] = {
    Risk.HIGH: gettext_lazy("read these first"),
    Risk.MEDIUM: gettext_lazy("can change what an agent does"),
    Risk.LOW: gettext_lazy("narrower or only written differently"),
}
SEVERITIES: Final[Mapping[str, tuple[Text, str, str]]] = {
    Severity.CRITICAL: (gettext_lazy("critical"), "danger", "stop"),
    Severity.HIGH: (gettext_lazy("high"), "danger", "warning"),
    Severity.MEDIUM: (gettext_lazy("medium"), "warn", "warning"),
    Severity.LOW: (gettext_lazy("low"), "quiet", "info"),
}
CONFIDENCES: Final[Mapping[str, Text]] = {
    Confidence.HIGH: gettext_lazy("high"),
    Confidence.MEDIUM: gettext_lazy("medium"),
    Confidence.LOW: gettext_lazy("low"),
}
STOPS: Final[Mapping[str, Text]] = {
    SuspensionKind.SERVER: gettext_lazy("server"),
    SuspensionKind.DEFINITION: gettext_lazy("definition"),
    SuspensionKind.AGENT: gettext_lazy("agent"),
    SuspensionKind.PERSON: gettext_lazy("person"),
    SuspensionKind.TEAM: gettext_lazy("team"),
}
SCAN_INCOMPLETE: Final = (gettext_lazy("scan incomplete"), "info", "hold")
SUPPRESSED: Final = (gettext_lazy("suppressed"), "quiet", "pause")
# What findings are counted as: threats by severity, and beside them what is none or does not count.
FINDINGS: Final[Mapping[str, tuple[Text, str, str]]] = {
    **SEVERITIES,
    "incomplete": SCAN_INCOMPLETE,
    "suppressed": SUPPRESSED,
}
RISK_LEVELS: Final[Mapping[str, tuple[Text, str, str]]] = {
    "critical": (gettext_lazy("critical risk"), "danger", "stop"),
    "high": (gettext_lazy("high risk"), "danger", "warning"),
    "medium": (gettext_lazy("medium risk"), "warn", "warning"),
    "low": (gettext_lazy("low risk"), "quiet", "info"),
    "none": (gettext_lazy("nothing found"), "quiet", "check"),
}
CHANGES: Final[Mapping[str, Text]] = {
    ChangeClass.ANNOTATIONS: gettext_lazy("annotations"),
    ChangeClass.ANNOTATIONS_LOOSENED: gettext_lazy("asks for less caution"),
    ChangeClass.ANNOTATIONS_TIGHTENED: gettext_lazy("asks for more caution"),
    ChangeClass.ARGUMENTS: gettext_lazy("arguments"),
    ChangeClass.AUTHORIZATION: gettext_lazy("authorization"),
    ChangeClass.CAPABILITIES_GAINED: gettext_lazy("new capabilities"),
    ChangeClass.CAPABILITIES_LOST: gettext_lazy("fewer capabilities"),
    ChangeClass.ENDPOINT: gettext_lazy("endpoint"),
    ChangeClass.EXECUTION: gettext_lazy("execution"),
    ChangeClass.EXPIRED: gettext_lazy("approval expired"),
    ChangeClass.ICONS: gettext_lazy("icons"),
    ChangeClass.IDENTITY: gettext_lazy("identity"),
    ChangeClass.IDENTITY_VERSION: gettext_lazy("version number"),
    ChangeClass.INPUT_SCHEMA_EQUIVALENT: gettext_lazy("input reworded"),
    ChangeClass.INPUT_SCHEMA_NARROWED: gettext_lazy("input narrowed"),
    ChangeClass.INPUT_SCHEMA_UNKNOWN: gettext_lazy("input changed"),
    ChangeClass.INPUT_SCHEMA_WIDENED: gettext_lazy("input widened"),
    ChangeClass.INSTRUCTIONS: gettext_lazy("instructions"),
    ChangeClass.META: gettext_lazy("metadata"),
    ChangeClass.MIME_TYPE: gettext_lazy("media type"),
    ChangeClass.NEW: gettext_lazy("new"),
    ChangeClass.OTHER: gettext_lazy("something else"),
    ChangeClass.OUTPUT_SCHEMA_EQUIVALENT: gettext_lazy("output reworded"),
    ChangeClass.OUTPUT_SCHEMA_NARROWED: gettext_lazy("output narrowed"),
    ChangeClass.OUTPUT_SCHEMA_UNKNOWN: gettext_lazy("output changed"),
    ChangeClass.OUTPUT_SCHEMA_WIDENED: gettext_lazy("output widened"),
    ChangeClass.SCHEMA_DEFAULT: gettext_lazy("default value"),
    ChangeClass.SHOWN_DIFFERENTLY: gettext_lazy("shown differently"),
    ChangeClass.TITLE: gettext_lazy("title"),
    ChangeClass.URI: gettext_lazy("URI"),
    ChangeClass.WITHDRAWN: gettext_lazy("approval withdrawn"),
    ChangeClass.WORDING: gettext_lazy("wording"),
}
# What only the scanner tells of a change, beside its classes.
WHYS: Final[Mapping[str, Text]] = {
    Why.HIDDEN: gettext_lazy("hidden characters"),
    Why.LOOKALIKE: gettext_lazy("look-alike"),
}
TEXT_MODES: Final[Mapping[str, Text]] = {
    "visible": gettext_lazy("Visible"),
    "raw": gettext_lazy("Raw"),
    "escaped": gettext_lazy("Escaped"),
}
RELATIONS: Final[Mapping[str, Text]] = {
    Relation.CLONE: gettext_lazy("clone of"),
    Relation.COPY: gettext_lazy("copy of"),
    Relation.REHOMED: gettext_lazy("re-homed from"),
    Relation.RENAMED: gettext_lazy("probably renamed from"),
}
MUCH_ALIKE: Final = 90  # percent; below it a relative is only said to be resembled
RESEMBLES: Final = gettext_lazy("resembles")
CARD_AS_AT: Final = gettext_lazy("as at")
GROUNDS: Final[Mapping[str, Text]] = {
    Ground.SAME_DEFINITION: gettext_lazy("an earlier version of this definition"),
    Ground.SAME_ENDPOINT: gettext_lazy("the same name at the same endpoint"),
    Ground.SAME_VERSION: gettext_lazy("exactly this version"),
}
ALERT_KINDS: Final[Mapping[str, Text]] = {
    AlertKind.AUDIT_INTERRUPTED: gettext_lazy("Calls could not be recorded"),
    AlertKind.BREAK_GLASS: gettext_lazy("Glass was broken"),
    AlertKind.CALL_UNKNOWN: gettext_lazy("Calls ended unknown"),
    AlertKind.CHANNEL_FAILING: gettext_lazy("Channel is failing"),
    AlertKind.CHECKPOINT_REFUSED: gettext_lazy("Checkpoint was refused"),
    AlertKind.DRIFT: gettext_lazy("Drift"),
    AlertKind.INCOMPLETE: gettext_lazy("Looks stay incomplete"),
    AlertKind.LOG_CONTRADICTED: gettext_lazy("Audit log contradicts itself"),
    AlertKind.POLICY_ALTERED: gettext_lazy("Policy was changed silently"),
    AlertKind.REVIEW_WAITING: gettext_lazy("Reviews wait"),
    AlertKind.SHOWN_DIFFERENTLY: gettext_lazy("Agents are shown another text"),
    AlertKind.SINK_STOPPED: gettext_lazy("Export stopped"),
    AlertKind.SUSPENDED: gettext_lazy("Kill switch"),
    AlertKind.UNREACHABLE: gettext_lazy("Server is unreachable"),
}

SECOND_FACTORS: Final[dict[str, Text]] = {
    "passkey": gettext_lazy("passkey"),
    "recovery_code": gettext_lazy("recovery code"),
    "totp": gettext_lazy("authenticator app"),
}
# What a browser's own description of itself holds; the first that fits, for each names those before it too.
_BROWSERS: Final = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
_SYSTEMS: Final = {
    "Windows": "Windows", "Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Mac OS X": "macOS",
    "CrOS": "ChromeOS", "Linux": "Linux",
}  # fmt: skip


def browser(described: str) -> str:
    """A browser by name and system, or what it says of itself where that is another one."""
    name = next((name for mark, name in _BROWSERS.items() if mark in described), "")
    system = next((system for mark, system in _SYSTEMS.items() if mark in described), "")
    return f"{name}, {system}" if name and system else described[:60]
