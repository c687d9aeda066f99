"""A task's handle opens for whom it was given, at the same server, and says whose tool it was."""

from typing import Any

import pytest

from gateway.capabilities import TASKS
from gateway.errors import INVALID_PARAMS, MISSING_CAPABILITY, Refused
from gateway.handles import LONGEST, Handle, Handles, require_tasks
from gateway.jsonrpc import Request
from gateway.protocol import CLIENT_CAPABILITIES, NotCarried
from tests.gateway.admitting import seal

PLACE = ("1|", "files")


def handles(purpose: str = "task") -> Handles:
    """One process's."""
    return Handles(seal(purpose, longest=LONGEST))


def test_a_handle_says_which_task_and_which_tool_in_any_process() -> None:
    given = handles().give("task-1", "read", PLACE)
    assert handles().take(given, PLACE) == Handle("task-1", "read")
    assert "task-1" not in given


@pytest.mark.parametrize("place", [("2|", "files"), ("1|7", "files"), ("1|", "other"), ("1|",), ("1|files", "")])
def test_a_handle_is_nobody_elses_and_no_other_servers(place: tuple[str, ...]) -> None:
    given = handles().give("task-1", "read", PLACE)
    with pytest.raises(Refused) as foreign:
        handles().take(given, place)
    with pytest.raises(Refused) as unknown:
        handles().take("task-1", place)
    # Alike, so that nobody learns which handles there are.
    assert foreign.value.payload("1") == unknown.value.payload("1")
    assert foreign.value.code == INVALID_PARAMS


def test_what_was_sealed_for_something_else_is_no_handle() -> None:
    with pytest.raises(Refused):
        handles().take(handles("request state").give("task-1", "read", PLACE), PLACE)
    with pytest.raises(Refused):
        handles().take(seal("task").close(b'["three","things","here"]', *PLACE), PLACE)


@pytest.mark.parametrize("given", ["", "task-1", None, 1, {}, [], "A" * 10_000])
def test_rubbish_is_no_task(given: Any) -> None:
    with pytest.raises(Refused, match="no such task"):
        handles().take(given, PLACE)


@pytest.mark.parametrize("id_", ["x", "x" * 1024, "\U0001f600" * 1024, "é\n\x01"])
def test_every_handle_that_is_given_can_be_taken(id_: str) -> None:
    assert handles().take(handles().give(id_, "é" * 128, PLACE), PLACE).task_id == id_


@pytest.mark.parametrize("id_", [None, "", 1, {}, True, "x" * 1025])
def test_a_task_without_an_acceptable_id_is_not_carried(id_: Any) -> None:
    with pytest.raises(NotCarried):
        handles().give(id_, "read", PLACE)
    with pytest.raises(NotCarried):
        handles().replaced({"taskId": id_}, "read", PLACE)
    with pytest.raises(NotCarried):
        handles().replaced({}, "read", PLACE)


def test_a_task_leaves_with_its_handle_and_all_else_that_was_sent() -> None:
    task = {"taskId": "task-1", "status": "working", "pollInterval": 500}
    found = handles().replaced(task, "read", PLACE)
    assert {**found, "taskId": "task-1"} == task
    assert handles().take(found["taskId"], PLACE) == Handle("task-1", "read")


@pytest.mark.parametrize(
    "declared",
    [None, [], {}, {"extensions": {}}, {"extensions": [TASKS]}, {"tasks": {}}, {"extensions": {"tasks": {}}}],
)
def test_a_client_that_does_not_say_that_it_knows_tasks_is_told_what_to_say(declared: Any) -> None:
    meta = {} if declared is None else {CLIENT_CAPABILITIES: declared}
    with pytest.raises(Refused) as refused:
        require_tasks(Request(1, "tasks/get", {"_meta": meta}))
    assert refused.value.code == MISSING_CAPABILITY
    assert refused.value.payload("1")["data"]["requiredCapabilities"] == {"extensions": {TASKS: {}}}


def test_a_client_that_knows_tasks_is_let_through() -> None:
    require_tasks(Request(1, "tasks/get", {"_meta": {CLIENT_CAPABILITIES: {"extensions": {TASKS: {}}}}}))
