"""How much a record asks to be looked at, the same in every format. Pure module."""

from typing import Final, Literal

from audit.events import Event
from audit.formats.placed import Placed

Severity = Literal["info", "warning", "alert"]

# What asks for a person: in OCSF these are findings. Title and, in a sentence, what it says.
FINDINGS: Final = {
    Event.AUDIT_INTERRUPTED: ("Records were refused", "For a time the audit log could not be written."),
    Event.CALL_UNKNOWN: ("A call without an outcome", "A call was sent, and nobody knows how it ended."),
    Event.CHECKPOINT_REFUSED: ("A checkpoint was refused", "The log contradicts the last checkpoint that left it."),
    Event.GLASS_BROKEN: ("The glass was broken", "A definition is served without an ordinary approval."),
    Event.LOG_CONTRADICTED: ("The log contradicts itself", "A record is gone, or is not as it was written."),
    Event.POLICY_ALTERED: ("Policy changed without a record", "Rows that decide calls were changed from outside."),
    Event.SINK_STOPPED: ("An export has stopped", "A record could not be written in an export's format."),
    Event.TOOL_DRIFTED: ("A definition drifted", "A server shows another definition than the approved one."),
    Event.TOOL_FOUND_SUSPECT: ("What is approved is suspect", "Newer rules found something in an approved definition."),
    Event.TOOL_SHOWN_DIFFERENTLY: ("A definition is shown differently", "Agents are shown something else than we are."),
}  # fmt: skip
_NAMES: Final = {event.value: event for event in FINDINGS}


def finding(record: Placed) -> Event | None:
    """The event, where it is one of those that ask for a person."""
    return _NAMES.get(record.text("event"))


def severity(record: Placed) -> Severity:
    """An alert asks for a person; a warning is a refusal or a failure; the rest is information."""
    if finding(record) is not None:
        return "alert"
    if record.text("decision") == "denied" or record.text("status") in ("error", "failed", "unknown"):
        return "warning"
    return "info"
