"""Which records raise or resolve which alerts. Pure module."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from audit.events import Event
from tools.look import UNREACHABLE
from tools.rules import POLLER


class AlertKind(StrEnum):
    """What an alert is about."""

    AUDIT_INTERRUPTED = "audit_interrupted"
    BREAK_GLASS = "break_glass"
    CALL_UNKNOWN = "call_unknown"
    CHANNEL_FAILING = "channel_failing"
    CHECKPOINT_REFUSED = "checkpoint_refused"
    DRIFT = "drift"
    INCOMPLETE = "incomplete"
    LOG_CONTRADICTED = "log_contradicted"
    POLICY_ALTERED = "policy_altered"
    REVIEW_WAITING = "review_waiting"
    SHOWN_DIFFERENTLY = "shown_differently"
    SINK_STOPPED = "sink_stopped"
    SUSPENDED = "suspended"
    UNREACHABLE = "unreachable"


class AlertState(StrEnum):
    """`acknowledged`: somebody looks after it; after `resolved` comes a new alert, unless `may_open_again` says so."""

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
    AlertKind.AUDIT_INTERRUPTED: "high",
    AlertKind.BREAK_GLASS: "high",
    AlertKind.CALL_UNKNOWN: "medium",
    AlertKind.CHANNEL_FAILING: "medium",
    AlertKind.CHECKPOINT_REFUSED: "high",
    AlertKind.DRIFT: "high",
    AlertKind.INCOMPLETE: "medium",
    AlertKind.LOG_CONTRADICTED: "high",
    AlertKind.POLICY_ALTERED: "high",
    AlertKind.REVIEW_WAITING: "low",
    AlertKind.SHOWN_DIFFERENTLY: "high",
    AlertKind.SINK_STOPPED: "medium",
    AlertKind.SUSPENDED: "high",
    AlertKind.UNREACHABLE: "medium",
}
SEVERITIES: Final = ("low", "medium", "high")

RAISES: Final = {
    Event.AUDIT_INTERRUPTED: AlertKind.AUDIT_INTERRUPTED,
    Event.CALL_UNKNOWN: AlertKind.CALL_UNKNOWN,
    Event.CHANNEL_DISABLED: AlertKind.CHANNEL_FAILING,
    Event.CHECKPOINT_REFUSED: AlertKind.CHECKPOINT_REFUSED,
    Event.GLASS_BROKEN: AlertKind.BREAK_GLASS,
    Event.LOG_CONTRADICTED: AlertKind.LOG_CONTRADICTED,
    Event.PIN_EXPIRED: AlertKind.REVIEW_WAITING,
    Event.PIN_SET: AlertKind.DRIFT,
    Event.POLICY_ALTERED: AlertKind.POLICY_ALTERED,
    Event.SERVER_BECAME_UNREACHABLE: AlertKind.UNREACHABLE,
    Event.SERVER_POLLED_INCOMPLETELY: AlertKind.INCOMPLETE,
    Event.SINK_STOPPED: AlertKind.SINK_STOPPED,
    Event.SUSPENSION_LIFTED: AlertKind.SUSPENDED,  # by the command line on the host, without a second person
    Event.SUSPENSION_SET: AlertKind.SUSPENDED,
    Event.TOOL_APPEARED: AlertKind.REVIEW_WAITING,
    Event.TOOL_DRIFTED: AlertKind.DRIFT,
    Event.TOOL_FLAPPING: AlertKind.DRIFT,
    Event.TOOL_FOUND_SUSPECT: AlertKind.DRIFT,  # it reads otherwise than when it was approved
    Event.TOOL_SHOWN_DIFFERENTLY: AlertKind.SHOWN_DIFFERENTLY,
}
# What puts an end to the live alerts of a kind. Nothing ends `break_glass`: another person has to look after it. Nor
# does anything end what is over when it is told, and stays for somebody to look into.
ENDS: Final[Mapping[AlertKind, frozenset[Event]]] = {
    AlertKind.AUDIT_INTERRUPTED: frozenset(),
    AlertKind.BREAK_GLASS: frozenset(),
    AlertKind.CALL_UNKNOWN: frozenset(),
    AlertKind.CHANNEL_FAILING: frozenset({Event.CHANNEL_ENABLED}),
    AlertKind.CHECKPOINT_REFUSED: frozenset({Event.CHECKPOINT_ADOPTED}),
    # A decision, the approved text coming back, or the definition going away: nothing drifts any more.
    AlertKind.DRIFT: frozenset({Event.PIN_SET, Event.REVIEW_DECIDED, Event.TOOL_RESTORED, Event.TOOL_VANISHED}),
    # An edited server starts over: what went wrong before is forgotten, and its first complete look activates it.
    AlertKind.INCOMPLETE: frozenset({Event.SERVER_ACTIVATED, Event.SERVER_POLLED_COMPLETELY}),
    AlertKind.LOG_CONTRADICTED: frozenset(),
    AlertKind.POLICY_ALTERED: frozenset(),
    AlertKind.REVIEW_WAITING: frozenset({
        Event.PIN_SET, Event.REVIEW_DECIDED, Event.REVIEW_SUPERSEDED, Event.TOOL_VANISHED,
    }),
    AlertKind.SHOWN_DIFFERENTLY: frozenset({Event.REVIEW_DECIDED, Event.TOOL_SHOWN_ALIKE}),
    AlertKind.SINK_STOPPED: frozenset({Event.SINK_CHANGED, Event.SINK_REMOVED}),
    AlertKind.SUSPENDED: frozenset({Event.SUSPENSION_LIFTED}),
    AlertKind.UNREACHABLE: frozenset({Event.SERVER_ACTIVATED, Event.SERVER_BECAME_REACHABLE}),
}  # fmt: skip
# What a server does without anybody's decision, and takes back as easily.
COMES_AND_GOES: Final = frozenset({
    Event.REVIEW_SUPERSEDED, Event.SERVER_BECAME_REACHABLE, Event.SERVER_POLLED_COMPLETELY, Event.TOOL_RESTORED,
    Event.TOOL_SHOWN_ALIKE, Event.TOOL_VANISHED,
})  # fmt: skip
OPENED_AGAIN_WITHIN: Final = timedelta(minutes=15)  # also: at most one message about opening again in this time
ITSELF: Final = "system:alerts"  # who resolves what is resolved by itself
OF_A_SERVER: Final = frozenset({AlertKind.INCOMPLETE, AlertKind.REVIEW_WAITING, AlertKind.UNREACHABLE})
GATHERED: Final = frozenset({AlertKind.CALL_UNKNOWN, AlertKind.REVIEW_WAITING})  # one for all of a server's
OUTLIVES_ITS_SERVER: Final = frozenset({
    AlertKind.AUDIT_INTERRUPTED, AlertKind.BREAK_GLASS, AlertKind.CALL_UNKNOWN, AlertKind.CHANNEL_FAILING,
    AlertKind.CHECKPOINT_REFUSED, AlertKind.LOG_CONTRADICTED, AlertKind.POLICY_ALTERED, AlertKind.SINK_STOPPED,
    AlertKind.SUSPENDED,
})  # fmt: skip
FOLLOWED: Final = frozenset(RAISES).union(*ENDS.values(), {Event.SERVER_RETIRED})


@dataclass(frozen=True, slots=True)
class Fact:
    """What a record says, as far as alerts care. `actor` stands as in records.

    `is_closing`: it left nothing to decide (not the first of two approvals). `vantage`: who was shown what a decision
    was about. `error_class`: what kept an observation from being complete. `is_approved`: the movement led to what is
    approved. `digest` is empty where the record names what was pinned, and not what the server shows.
    """

    event: Event
    subject: str
    server: str
    digest: str
    actor: str
    is_closing: bool = True
    vantage: str = POLLER
    error_class: str = ""
    is_approved: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """How the last alert of a key was resolved: by whom, by which event or for which reason, and when."""

    digest: str
    by: str
    reason: str
    time: datetime


def raised_kind(fact: Fact) -> AlertKind | None:
    """The kind of alert that `fact` raises, if any."""
    if fact.event is Event.CHANNEL_DISABLED and not fact.actor.startswith("system:"):
        return None  # who disables a channel by hand needs no alert about it
    if fact.event is Event.SUSPENSION_LIFTED and not fact.actor.startswith("system:"):
        return None
    if fact.event is Event.SERVER_POLLED_INCOMPLETELY and fact.error_class in UNREACHABLE:
        return None  # nobody answered, which is an alert of its own
    if fact.event is Event.TOOL_FLAPPING and fact.is_approved:
        return None  # it flapped back to what is served
    if fact.event is Event.PIN_SET and fact.is_closing:
        return None  # only going back to another version than the server shows leaves something to decide
    return RAISES.get(fact.event)


def ended_kinds(fact: Fact) -> list[AlertKind]:
    """The kinds of alert about this subject, or this server, that `fact` may put an end to."""
    if fact.event is Event.SERVER_RETIRED:
        return [kind for kind in AlertKind if kind not in OUTLIVES_ITS_SERVER]
    if fact.event is Event.SUSPENSION_LIFTED and fact.actor.startswith("system:"):
        return []  # somebody has to look after that
    ended = [kind for kind in AlertKind if fact.event in ENDS[kind]]
    if not fact.is_closing:
        ended = [kind for kind in ended if kind in OF_A_SERVER]
    if fact.event is Event.REVIEW_DECIDED and fact.vantage == POLLER:
        # What everybody is shown was decided; what some were shown besides is still unexplained.
        ended = [kind for kind in ended if kind is not AlertKind.SHOWN_DIFFERENTLY]
    return ended


def alert_key(kind: AlertKind, fact: Fact) -> str:
    """One live alert per key: new definitions are gathered per server, each broken glass stands alone."""
    if kind in GATHERED:
        return f"{kind}:{fact.server}"
    if kind is AlertKind.BREAK_GLASS:
        return f"{kind}:{fact.subject}:{fact.digest}:{fact.actor}"
    return f"{kind}:{fact.subject}"


def may_open_again(kind: AlertKind, ending: Ending, *, digest: str, time: datetime) -> bool:
    """Whether what happens at `time` opens the resolved alert again, instead of raising a new one.

    Only what came and went by itself is folded, so that a flapping server fills no list. What a person resolved, or
    decided about, stays as they left it; another text shown to some, and another emergency, stand alone.
    """
    if kind is AlertKind.BREAK_GLASS or ending.by != ITSELF or ending.reason not in COMES_AND_GOES:
        return False
    if kind is AlertKind.SHOWN_DIFFERENTLY and ending.digest != digest:
        return False
    return time - ending.time < OPENED_AGAIN_WITHIN


def may_look_after(kind: str, *, caused_by: str, who: str) -> bool:
    """Whether `who` may handle an alert that `caused_by` brought about: an emergency is for another person to check."""
    return kind != AlertKind.BREAK_GLASS.value or who != caused_by
