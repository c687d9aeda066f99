"""The names of what is recorded."""

from audit.events import Event, RecordType


def test_events_are_in_order_and_named_by_their_values() -> None:
    names = [event.name for event in Event]
    assert names == sorted(names)
    assert all(event.value.replace(".", "_").upper() == event.name for event in Event)


def test_the_types_are_those_that_outside_tools_rely_on() -> None:
    types = {"intent", "outcome", "deny", "auth", "config", "review", "admin", "checkpoint"}
    assert {str(each) for each in RecordType} == types
