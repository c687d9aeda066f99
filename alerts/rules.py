"""Which records raise or resolve which alerts. Pure module."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from audit.events import Event


class AlertKind(StrEnum):
    """What an alert is about."""

    CHANNEL_FAILING = "channel_failing"
    DRIFT = "drift"
    REVIEW_WAITING = "review_waiting"
    UNREACHABLE = "unreachable"


class AlertState(StrEnum):
    """`acknowledged`: somebody looks after it; `resolved` is final, what comes after is a new alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class ChannelState(StrEnum):
    """A disabled channel receives nothing until a person enables it."""

    ACTIVE = "active"
    DISABLED = "disabled"


class DeliveryState(StrEnum):
    """`failed` is final: every attempt was used up, or the channel was disabled."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


SEVERITY: Final = {
    AlertKind.CHANNEL_FAILING: "medium",
    AlertKind.DRIFT: "high",
    AlertKind.REVIEW_WAITING: "low",
    AlertKind.UNREACHABLE: "medium",
}
SEVERITIES: Final = ("low", "medium", "high")

RAISES: Final = {
    Event.TOOL_DRIFTED: AlertKind.DRIFT,
    Event.TOOL_APPEARED: AlertKind.REVIEW_WAITING,
    Event.SERVER_BECAME_UNREACHABLE: AlertKind.UNREACHABLE,
    Event.CHANNEL_DISABLED: AlertKind.CHANNEL_FAILING,
}
# A decision, the approved text coming back, or the definition going away: nothing drifts any more.
ENDS_DRIFT: Final = frozenset({Event.TOOL_RESTORED, Event.TOOL_VANISHED, Event.REVIEW_DECIDED})
ENDS_WAITING: Final = frozenset({Event.REVIEW_DECIDED, Event.REVIEW_SUPERSEDED, Event.TOOL_VANISHED})
ENDS_UNREACHABLE: Final = frozenset({Event.SERVER_BECAME_REACHABLE})
ENDS_CHANNEL_FAILING: Final = frozenset({Event.CHANNEL_ENABLED})
ENDS_ALL_OF_SERVER: Final = frozenset({Event.SERVER_RETIRED})
FOLLOWED: Final = frozenset(RAISES).union(
    ENDS_DRIFT, ENDS_WAITING, ENDS_UNREACHABLE, ENDS_CHANNEL_FAILING, ENDS_ALL_OF_SERVER
)


@dataclass(frozen=True, slots=True)
class Fact:
    """What a record says, as far as alerts care. `is_closing`: not the first of two approvals."""

    event: Event
    subject: str
    server: str
    digest: str
    by_system: bool
    is_closing: bool = True


def raised_kind(fact: Fact) -> AlertKind | None:
    """The kind of alert that `fact` raises, if any. Who disables a channel by hand needs no alert about it."""
    if fact.event is Event.CHANNEL_DISABLED and not fact.by_system:
        return None
    return RAISES.get(fact.event)


def alert_key(kind: AlertKind, fact: Fact) -> str:
    """One live alert per key: new definitions are gathered per server, the rest stands per subject."""
    return f"{kind}:{fact.server}" if kind is AlertKind.REVIEW_WAITING else f"{kind}:{fact.subject}"
