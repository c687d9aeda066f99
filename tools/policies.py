"""What a written rule may approve by itself, and whether it approves one change. Pure module.

A rule only ever says yes to what it was written for; anything it does not know is somebody's to decide. A change is
measured twice, from what is pinned and from what people last approved, so that many small steps never add up to a
large one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from core.names import is_slug
from servers.rules import Environment
from servers.surface import Kind
from tools.classify import RISKS, ChangeClass, Risk, risk_of
from tools.measure import ENOUGH, Measured

TEXT_CEILING: Final = ENOUGH  # characters; beyond that somebody has to read it
SERVERS_MAX: Final = 50

# What a rule may name, and why that cannot hurt. Everything else needs a person: hints that loosen say that less care
# is needed, hints that tighten that the tool does more than it said, pictures and `_meta` are not compared, and what
# is new, expired or withdrawn was never judged harmless by anybody.
GRANTABLE: Final[Mapping[ChangeClass, str]] = {
    ChangeClass.INPUT_SCHEMA_EQUIVALENT: "Proved to take the same arguments as before.",
    ChangeClass.INPUT_SCHEMA_NARROWED: "Proved to take fewer arguments than before, and to say nothing new.",
    ChangeClass.OUTPUT_SCHEMA_EQUIVALENT: "Proved to allow the same results as before.",
    ChangeClass.OUTPUT_SCHEMA_NARROWED: "Proved to allow fewer results than before, and to say nothing new.",
    ChangeClass.IDENTITY_VERSION: "Another version number of digits and dots; definitions are compared by themselves.",
    ChangeClass.CAPABILITIES_LOST: "The server offers less, and says nothing new.",
    ChangeClass.TITLE: "A few characters of a title, in development only.",
    ChangeClass.WORDING: "A few characters of wording, in development only.",
}
TEXTUAL: Final = frozenset({ChangeClass.TITLE, ChangeClass.WORDING})


class Reason(StrEnum):
    """Why a rule leaves a change to people."""

    CHANGE = "change"
    ELSEWHERE = "elsewhere"
    ENVIRONMENT_CHANGED = "environment_changed"
    EXPIRED = "expired"
    FINDING = "finding"
    NO_BASE = "no_base"
    REJECTED = "rejected"
    RESTLESS = "restless"
    RETURNED = "returned"
    SHOWN_DIFFERENTLY = "shown_differently"
    TEXT = "text"
    UNREAD = "unread"
    WITHDRAWN = "withdrawn"


SENTENCES: Final[Mapping[Reason, str]] = {
    Reason.CHANGE: "Something changed that the rule does not name.",
    Reason.ELSEWHERE: "Another server, environment or kind than the rule is for.",
    Reason.ENVIRONMENT_CHANGED: "The server came to another environment after people last approved it.",
    Reason.EXPIRED: "The approval that it would follow has run out.",
    Reason.FINDING: "The scanner found something that a person should look at.",
    Reason.NO_BASE: "People have approved nothing that it could be compared with.",
    Reason.REJECTED: "Somebody rejected this text, or another form of this definition.",
    Reason.RESTLESS: "It changes too often in a day.",
    Reason.RETURNED: "Somebody went back to an earlier version on purpose.",
    Reason.SHOWN_DIFFERENTLY: "Some principals were shown something else.",
    Reason.TEXT: "More characters of text differ than the rule allows.",
    Reason.UNREAD: "It could not be compared in the time there was.",
    Reason.WITHDRAWN: "Somebody withdrew an approval of this text.",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be approved, and where. No kinds: all of them; no servers: all of them.

    `text_max` is how many characters of text may differ from what people approved, inserted plus deleted.
    """

    classes: frozenset[ChangeClass]
    environments: frozenset[str]
    kinds: frozenset[str] = frozenset()
    servers: frozenset[str] = frozenset()
    text_max: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of a change that waits.

    `change` are the classes that stand in its review, `against` what speaks against any rule. `steps` is the change
    measured from what is pinned and from what people last approved; empty while the texts were not read.
    """

    kind: str
    server: str
    environment: str
    change: frozenset[ChangeClass]
    against: frozenset[Reason] = frozenset()
    steps: tuple[Measured, ...] = ()


@dataclass(frozen=True, slots=True)
class Approves:
    """The rule approves; `characters` of text differ from what people approved."""

    characters: int


@dataclass(frozen=True, slots=True)
class Declines:
    """The rule leaves it to people."""

    reason: Reason


def judge(rule: Rule, candidate: Candidate) -> Approves | Declines:
    """Whether `rule` approves `candidate`. Whatever was not measured twice is declined."""
    reason = objection(rule, candidate)
    if reason is None and len(candidate.steps) != 2:
        reason = Reason.UNREAD
    for step in candidate.steps:
        reason = reason or _objection_to(rule, candidate, step)
    if reason is not None:
        return Declines(reason)
    return Approves(max(step.characters for step in candidate.steps))


def objection(rule: Rule, candidate: Candidate) -> Reason | None:
    """What is against it before any text is read."""
    if not _reaches(rule, candidate):
        return Reason.ELSEWHERE
    if not candidate.change or not _names(rule, candidate.change):
        return Reason.CHANGE
    return min(candidate.against, default=None)


def _reaches(rule: Rule, candidate: Candidate) -> bool:
    return (
        candidate.environment in rule.environments
        and (not rule.kinds or candidate.kind in rule.kinds)
        and (not rule.servers or candidate.server in rule.servers)
    )


def _names(rule: Rule, classes: frozenset[ChangeClass]) -> bool:
    """Asked of the table again, not only when a rule is written: the table may come to hold less."""
    return classes <= rule.classes & GRANTABLE.keys() and all(RISKS[cls] is not Risk.HIGH for cls in classes)


def _objection_to(rule: Rule, candidate: Candidate, step: Measured) -> Reason | None:
    if not _names(rule, step.classes):
        return Reason.CHANGE
    allowed = min(rule.text_max, TEXT_CEILING) if candidate.environment == Environment.DEVELOPMENT.value else 0
    return Reason.TEXT if step.characters > allowed else None


def flaws(rule: Rule) -> dict[str, str]:
    """What keeps a rule from being written, by its field. Whether its servers exist is not asked here."""
    found: dict[str, str] = {}
    if not rule.classes or not rule.classes <= GRANTABLE.keys() or risk_of(rule.classes) is Risk.HIGH:
        found["classes"] = f"Name at least one of: {', '.join(sorted(GRANTABLE))}."
    if not rule.environments or not rule.environments <= {each.value for each in Environment}:
        found["environments"] = f"Name at least one of: {', '.join(Environment)}."
    elif (rule.classes & TEXTUAL or rule.text_max > 0) and rule.environments != {Environment.DEVELOPMENT.value}:
        found["environments"] = "A rule that lets text change is for development only."
    if not rule.kinds <= {kind.value for kind in Kind}:
        found["kinds"] = f"Must be of: {', '.join(Kind)}."
    if len(rule.servers) > SERVERS_MAX or not all(map(is_slug, rule.servers)):
        found["servers"] = f"At most {SERVERS_MAX} slugs of servers."
    if not 0 <= rule.text_max <= TEXT_CEILING:
        found["text_max"] = f"From 0 to {TEXT_CEILING} characters; beyond that somebody has to read it."
    elif rule.classes & TEXTUAL and not rule.text_max:
        found["text_max"] = "Say how many characters of text may differ."
    return found
