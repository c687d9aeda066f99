"""Which record raises what."""

import pytest

from alerts.rules import FOLLOWED, SEVERITIES, SEVERITY, AlertKind, Fact, alert_key, raised_kind
from audit.events import Event


def fact(event: Event, *, by_system: bool = True) -> Fact:
    return Fact(event=event, subject="tool:files/read", server="files", digest="", by_system=by_system)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (Event.TOOL_DRIFTED, AlertKind.DRIFT),
        (Event.TOOL_APPEARED, AlertKind.REVIEW_WAITING),
        (Event.SERVER_BECAME_UNREACHABLE, AlertKind.UNREACHABLE),
        (Event.CHANNEL_DISABLED, AlertKind.CHANNEL_FAILING),
        (Event.TOOL_RESTORED, None),
        (Event.REVIEW_OPENED, None),
        (Event.PERSON_SIGNED_IN, None),
    ],
)
def test_what_an_event_raises(event: Event, kind: AlertKind | None) -> None:
    assert raised_kind(fact(event)) is kind


def test_a_channel_that_a_person_disables_raises_nothing() -> None:
    assert raised_kind(fact(Event.CHANNEL_DISABLED, by_system=False)) is None


def test_new_definitions_are_gathered_per_server_and_the_rest_stands_per_subject() -> None:
    assert alert_key(AlertKind.REVIEW_WAITING, fact(Event.TOOL_APPEARED)) == "review_waiting:files"
    assert alert_key(AlertKind.DRIFT, fact(Event.TOOL_DRIFTED)) == "drift:tool:files/read"


def test_every_kind_has_a_known_severity_and_every_raising_event_is_followed() -> None:
    assert set(SEVERITY) == set(AlertKind)
    assert set(SEVERITY.values()) <= set(SEVERITIES)
    assert {event for event in Event if raised_kind(fact(event))} <= FOLLOWED
