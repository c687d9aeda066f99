"""Which record raises what."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from alerts.rules import (
    COMES_AND_GOES,
    ENDS,
    FOLLOWED,
    ITSELF,
    OPENED_AGAIN_WITHIN,
    RAISES,
    SEVERITIES,
    SEVERITY,
    AlertKind,
    Ending,
    Fact,
    alert_key,
    ended_kinds,
    may_look_after,
    may_open_again,
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
        (Event.PIN_EXPIRED, AlertKind.REVIEW_WAITING),
        (Event.SUSPENSION_SET, AlertKind.SUSPENDED),
        (Event.CALL_UNKNOWN, AlertKind.CALL_UNKNOWN),
        (Event.AUDIT_INTERRUPTED, AlertKind.AUDIT_INTERRUPTED),
        (Event.CHECKPOINT_REFUSED, AlertKind.CHECKPOINT_REFUSED),
        (Event.LOG_CONTRADICTED, AlertKind.LOG_CONTRADICTED),
        (Event.POLICY_ALTERED, AlertKind.POLICY_ALTERED),
        (Event.SINK_STOPPED, AlertKind.SINK_STOPPED),
        (Event.PIN_SET, None),
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


def test_a_suspension_that_a_second_person_lifts_raises_nothing_and_one_that_the_host_lifts_does() -> None:
    assert raised_kind(fact(Event.SUSPENSION_LIFTED, actor="0f0f")) is None
    assert raised_kind(fact(Event.SUSPENSION_LIFTED, actor="system:host")) is AlertKind.SUSPENDED


def test_flapping_back_to_what_is_approved_is_no_drift() -> None:
    assert raised_kind(fact(Event.TOOL_FLAPPING, is_approved=True)) is None


def test_going_back_to_what_the_server_does_not_show_is_drift() -> None:
    assert raised_kind(fact(Event.PIN_SET, is_closing=False)) is AlertKind.DRIFT


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
        ({"event": Event.SERVER_ACTIVATED}, {AlertKind.INCOMPLETE, AlertKind.UNREACHABLE}),
        ({"event": Event.SERVER_BECAME_REACHABLE}, {AlertKind.UNREACHABLE}),
        ({"event": Event.GLASS_ENDED}, set()),
        (
            {"event": Event.SERVER_RETIRED},
            {
                AlertKind.DRIFT,
                AlertKind.INCOMPLETE,
                AlertKind.REVIEW_WAITING,
                AlertKind.SHOWN_DIFFERENTLY,
                AlertKind.UNREACHABLE,
            },
        ),
        ({"event": Event.CHECKPOINT_ADOPTED}, {AlertKind.CHECKPOINT_REFUSED}),
        ({"event": Event.SINK_CHANGED}, {AlertKind.SINK_STOPPED}),
        ({"event": Event.SUSPENSION_LIFTED, "actor": "0f0f"}, {AlertKind.SUSPENDED}),
        ({"event": Event.SUSPENSION_LIFTED, "actor": "system:host"}, set()),
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


NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
RESTORED = Ending(digest="sha256:aa", by=ITSELF, reason="tool.restored", time=NOON)


@pytest.mark.parametrize(
    ("kind", "ending", "expected"),
    [
        (AlertKind.DRIFT, RESTORED, True),
        (AlertKind.DRIFT, replace(RESTORED, digest="sha256:bb"), True),
        (AlertKind.DRIFT, replace(RESTORED, by="olga", reason="looked at it"), False),
        (AlertKind.DRIFT, replace(RESTORED, by="olga"), False),
        (AlertKind.DRIFT, replace(RESTORED, reason="review.decided"), False),
        (AlertKind.DRIFT, replace(RESTORED, reason="pin.set"), False),
        (AlertKind.DRIFT, replace(RESTORED, time=NOON - OPENED_AGAIN_WITHIN), False),
        (AlertKind.SHOWN_DIFFERENTLY, replace(RESTORED, reason="tool.shown_alike"), True),
        (AlertKind.SHOWN_DIFFERENTLY, replace(RESTORED, reason="tool.shown_alike", digest="sha256:bb"), False),
        (AlertKind.BREAK_GLASS, RESTORED, False),
        (AlertKind.UNREACHABLE, replace(RESTORED, reason="server.became_reachable"), True),
    ],
)
def test_only_what_ended_by_itself_just_before_is_opened_again(
    kind: AlertKind, ending: Ending, *, expected: bool
) -> None:
    assert may_open_again(kind, ending, digest="sha256:aa", time=NOON) is expected


def test_what_comes_and_goes_is_nobodys_decision() -> None:
    assert not COMES_AND_GOES & {Event.REVIEW_DECIDED, Event.PIN_SET, Event.CHANNEL_ENABLED, Event.SERVER_RETIRED}


def test_every_kind_has_a_known_severity_and_every_raising_event_is_followed() -> None:
    assert set(SEVERITY) == set(AlertKind)
    assert set(SEVERITY.values()) <= set(SEVERITIES)
    assert set(ENDS) == set(AlertKind) == set(RAISES.values())
    assert {event for event in Event if raised_kind(fact(event)) or ended_kinds(fact(event))} == FOLLOWED
