"""Which record raises what."""

from typing import Any

import pytest

from alerts.rules import (
    ENDS,
    FOLLOWED,
    RAISES,
    SEVERITIES,
    SEVERITY,
    AlertKind,
    Fact,
    alert_key,
    ended_kinds,
    may_look_after,
    raised_kind,
)
from audit.events import Event
from servers.surface import Problem
from tools.look import UNREACHABLE


def fact(event: Event, **values: Any) -> Fact:
    about = {"subject": "tool:files/read", "server": "files", "digest": "sha256:aa", "actor": "system:poller"}
    return Fact(event=event, **{**about, **values})


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (Event.TOOL_DRIFTED, AlertKind.DRIFT),
        (Event.TOOL_APPEARED, AlertKind.REVIEW_WAITING),
        (Event.SERVER_BECAME_UNREACHABLE, AlertKind.UNREACHABLE),
        (Event.CHANNEL_DISABLED, AlertKind.CHANNEL_FAILING),
        (Event.TOOL_FLAPPING, AlertKind.DRIFT),
        (Event.TOOL_SHOWN_DIFFERENTLY, AlertKind.SHOWN_DIFFERENTLY),
        (Event.GLASS_BROKEN, AlertKind.BREAK_GLASS),
        (Event.SERVER_POLLED_INCOMPLETELY, AlertKind.INCOMPLETE),
        (Event.GLASS_ENDED, None),
        (Event.TOOL_RESTORED, None),
        (Event.REVIEW_OPENED, None),
        (Event.PERSON_SIGNED_IN, None),
    ],
)
def test_what_an_event_raises(event: Event, kind: AlertKind | None) -> None:
    assert raised_kind(fact(event)) is kind


def test_a_channel_that_a_person_disables_raises_nothing() -> None:
    assert raised_kind(fact(Event.CHANNEL_DISABLED, actor="0f0f")) is None


def test_new_definitions_are_gathered_per_server_and_the_rest_stands_per_subject() -> None:
    assert alert_key(AlertKind.REVIEW_WAITING, fact(Event.TOOL_APPEARED)) == "review_waiting:files"
    assert alert_key(AlertKind.DRIFT, fact(Event.TOOL_DRIFTED)) == "drift:tool:files/read"


@pytest.mark.parametrize("problem", Problem)
def test_an_incomplete_look_is_an_alert_of_its_own_only_where_somebody_answered(problem: Problem) -> None:
    raised = raised_kind(fact(Event.SERVER_POLLED_INCOMPLETELY, subject="server:files", error_class=problem.value))
    assert raised is (None if problem in UNREACHABLE else AlertKind.INCOMPLETE)


def test_every_broken_glass_stands_alone() -> None:
    keys = {
        alert_key(AlertKind.BREAK_GLASS, fact(Event.GLASS_BROKEN, actor=actor, digest=digest))
        for actor in ("ann", "bob")
        for digest in ("sha256:aa", "sha256:bb")
    }
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("values", "ended"),
    [
        ({"event": Event.REVIEW_DECIDED}, {AlertKind.DRIFT, AlertKind.REVIEW_WAITING}),
        ({"event": Event.REVIEW_DECIDED, "is_closing": False}, {AlertKind.REVIEW_WAITING}),
        (
            {"event": Event.REVIEW_DECIDED, "vantage": "agents"},
            {AlertKind.DRIFT, AlertKind.REVIEW_WAITING, AlertKind.SHOWN_DIFFERENTLY},
        ),
        ({"event": Event.PIN_SET}, {AlertKind.DRIFT, AlertKind.REVIEW_WAITING}),
        ({"event": Event.PIN_SET, "is_closing": False}, {AlertKind.REVIEW_WAITING}),
        ({"event": Event.TOOL_SHOWN_ALIKE}, {AlertKind.SHOWN_DIFFERENTLY}),
        ({"event": Event.SERVER_POLLED_COMPLETELY}, {AlertKind.INCOMPLETE}),
        ({"event": Event.GLASS_ENDED}, set()),
        (
            {"event": Event.SERVER_RETIRED},
            set(AlertKind) - {AlertKind.BREAK_GLASS, AlertKind.CHANNEL_FAILING},
        ),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_what_an_event_ends(values: dict[str, Any], ended: set[AlertKind]) -> None:
    assert set(ended_kinds(fact(**values))) == ended


def test_nothing_that_happens_ends_the_alert_about_a_broken_glass() -> None:
    assert not [event for event in Event if AlertKind.BREAK_GLASS in ended_kinds(fact(event))]


def test_only_an_emergency_needs_another_person_to_look_after_it() -> None:
    for kind in AlertKind:
        assert may_look_after(kind, caused_by="ann", who="bob")
        assert may_look_after(kind, caused_by="ann", who="ann") is (kind is not AlertKind.BREAK_GLASS)


def test_every_kind_has_a_known_severity_and_every_raising_event_is_followed() -> None:
    assert set(SEVERITY) == set(AlertKind)
    assert set(SEVERITY.values()) <= set(SEVERITIES)
    assert set(ENDS) == set(AlertKind) == set(RAISES.values())
    assert {event for event in Event if raised_kind(fact(event)) or ended_kinds(fact(event))} == FOLLOWED
