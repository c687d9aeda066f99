"""What becomes of a server's answer: held to what was approved, sealed where it must be, and else left as it is."""

import json
from typing import Any

import pytest

from access.policy import Reason
from core import strictjson
from gateway import jsonrpc
from gateway.capabilities import TASKS
from gateway.errors import NOT_CARRIED, UPSTREAM_FAILED
from gateway.exchange import Admitted
from gateway.handles import LONGEST as LONGEST_HANDLE
from gateway.handles import Handles
from gateway.jsonrpc import Response
from gateway.protocol import SERVER_INFO, Wire
from gateway.released import Release, Released
from gateway.rounds import LONGEST, Rounds
from gateway.validation import compile_schema
from tests.gateway.admitting import CARD, HANDSHAKE, MODERN, admitted, definition, seal

PLACE = ("1|", "files")
PLAIN = definition("read")
STRUCTURED = definition(
    "read", output=compile_schema({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}})
)
ABLE: dict[str, Any] = {"elicitation": {}, "extensions": {TASKS: {}}, "tasks": {}}
HANDLES = Handles(seal("task", longest=LONGEST_HANDLE))
ROUNDS = Rounds(seal("request state", longest=LONGEST))
IDENTITY = {SERVER_INFO: dict(CARD.identity)}


def asked(method: str = "tools/call", wire: Wire = HANDSHAKE, tool: Any = PLAIN, **params: Any) -> Admitted:
    """A request that a server answers."""
    return admitted(method, {"name": "read", **params}, wire=wire, definition=tool)


def answered(result: Any, *, order: bytes = b'{"jsonrpc":"2.0","id":1,"result":%s}') -> Response:
    """A server's answer as it is read from the wire."""
    raw = order % (result if isinstance(result, bytes) else json.dumps(result).encode())
    found = jsonrpc.message(strictjson.loads(raw, parse_float=jsonrpc.exact_float), raw=raw)
    assert isinstance(found, Response)
    return found


def judged(given: Admitted, result: Any, able: Any = None) -> Released:
    """What the client gets."""
    response = result if isinstance(result, Response) else answered(result)
    found = Release(ROUNDS, HANDLES).judge(given, response, ABLE if able is None else able)
    assert sum(each is not None for each in (found.result, found.error, found.failure)) == 1
    return found


def body(found: Released) -> Any:
    """The result as the client reads it."""
    assert found.result is not None, found
    return json.loads(found.result)


def failed(found: Released) -> tuple[str, str, int]:
    """How it failed."""
    assert found.failure is not None, found
    return found.status, found.error_class, found.failure.code


NOT_HANDED_ON = ("failed", "not_carried", NOT_CARRIED)
BROKEN = ("failed", "invalid_result", UPSTREAM_FAILED)


# --- results ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["tools/call", "resources/read", "prompts/get", "completion/complete"])
def test_a_result_that_needs_no_change_leaves_byte_for_byte(method: str) -> None:
    sent = b'{ "content":[] ,"x" : 1.10,"big":123456789012345678901234567890}'
    found = judged(asked(method), sent)
    assert (found.status, found.result) == ("ok", sent)
    odd = answered(sent, order=b'{"id":1,"result":%s,"jsonrpc":"2.0"}')
    assert body(judged(asked(method), odd)) == json.loads(sent)


def test_numbers_keep_their_digits_where_something_else_is_changed() -> None:
    found = judged(asked(wire=MODERN), b'{"content":[],"x":[1.10,1E5,123456789012345678901234567890]}')
    assert found.result is not None
    assert b"[1.10,1E5,123456789012345678901234567890]" in found.result


def test_a_result_says_what_its_clients_era_says_and_never_the_servers_own_name() -> None:
    evil = {"content": [], "resultType": "complete", "_meta": {SERVER_INFO: {"name": "evil"}, "a": 1}}
    assert body(judged(asked(wire=MODERN), evil))["_meta"] == {"a": 1, **IDENTITY}
    assert body(judged(asked(), evil)) == {"content": [], "_meta": {"a": 1}}


def test_only_what_may_be_cached_says_for_how_long() -> None:
    assert body(judged(asked("resources/read", MODERN), {"contents": []})) == {
        "contents": [], "resultType": "complete", "_meta": IDENTITY, "ttlMs": 0, "cacheScope": "private",
    }  # fmt: skip
    assert "ttlMs" not in body(judged(asked(wire=MODERN), {"content": []}))


@pytest.mark.parametrize("result", [None, [], "x", 1, True])
@pytest.mark.parametrize("wire", [HANDSHAKE, MODERN])
def test_a_result_that_is_no_object_is_not_carried(result: Any, wire: Wire) -> None:
    for method in ("tools/call", "resources/read", "tasks/get"):
        assert failed(judged(asked(method, wire), result)) == NOT_HANDED_ON


@pytest.mark.parametrize("kind", ["input_required", "task", "COMPLETE", "", 1, None, ["complete"], {}])
def test_kinds_of_result_that_the_clients_era_does_not_know_are_not_carried(kind: Any) -> None:
    assert failed(judged(asked(), {"resultType": kind, "inputRequests": {}, "taskId": "t"})) == NOT_HANDED_ON
    if kind not in ("input_required", "task"):
        assert failed(judged(asked(wire=MODERN), {"resultType": kind})) == NOT_HANDED_ON


# --- tools --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({"content": []}, "ok"),
        ({"content": [], "isError": False}, "ok"),
        ({"content": [], "isError": True}, "tool_error"),
        ({"content": [], "isError": "true"}, "ok"),
    ],
)
def test_the_record_says_whether_the_tool_failed(result: dict[str, Any], status: str) -> None:
    assert judged(asked(), result).status == status
    assert judged(asked("prompts/get"), result).status == "ok"


OF_SCHEMA: list[tuple[dict[str, Any], bool]] = [
    ({"content": [], "structuredContent": {"n": 1}}, True),
    ({"content": [], "structuredContent": {"n": "1"}}, False),
    ({"content": [], "structuredContent": {}}, False),
    ({"content": [], "structuredContent": None}, False),
    ({"content": []}, False),
    ({"content": [], "isError": True}, True),
    ({"content": [], "isError": "true"}, False),
]


@pytest.mark.parametrize(("result", "fits"), OF_SCHEMA)
@pytest.mark.parametrize("wire", [HANDSHAKE, MODERN])
def test_a_tools_result_is_held_to_the_approved_schema(result: dict[str, Any], wire: Wire, *, fits: bool) -> None:
    found = judged(asked(wire=wire, tool=STRUCTURED), result)
    if fits:
        assert found.result is not None
    else:
        assert failed(found) == BROKEN


# --- questions of the modern era ----------------------------------------------------------------------------------

INPUT: dict[str, Any] = {
    "resultType": "input_required",
    "inputRequests": {"q": {"method": "elicitation/create", "params": {}}},
    "requestState": "secret",
}


def test_a_result_that_asks_leaves_with_a_sealed_state_that_comes_back() -> None:
    given = asked(wire=MODERN, arguments={"a": 1})
    found = judged(given, INPUT)
    result = body(found)
    assert (found.status, result["inputRequests"]) == ("input_required", INPUT["inputRequests"])
    params = {**given.request.params, "requestState": result["requestState"]}
    assert ROUNDS.opened("tools/call", params, PLACE) == {"requestState": "secret"}
    assert b"secret" not in (found.result or b"")


@pytest.mark.parametrize("able", [{}, {"sampling": {}}])
def test_a_client_that_cannot_be_asked_is_not_asked(able: dict[str, Any]) -> None:
    assert failed(judged(asked(wire=MODERN), INPUT, able)) == NOT_HANDED_ON


@pytest.mark.parametrize("method", ["completion/complete", "tasks/get"])
def test_nothing_is_asked_where_the_protocol_has_no_place_for_it(method: str) -> None:
    assert failed(judged(asked(method, MODERN), INPUT)) == NOT_HANDED_ON


# --- tasks --------------------------------------------------------------------------------------------------------

MADE: dict[str, tuple[Admitted, dict[str, Any]]] = {
    "modern": (asked(wire=MODERN), {"resultType": "task", "taskId": "task-1", "status": "working"}),
    "handshake": (asked(task={"ttl": 1}), {"task": {"taskId": "task-1", "status": "working"}}),
}


@pytest.mark.parametrize("era", MADE)
def test_a_task_leaves_with_a_handle_for_the_servers_id(era: str) -> None:
    given, result = MADE[era]
    found = judged(given, result)
    made = body(found).get("task", body(found))
    assert (found.status, made["status"]) == ("task", "working")
    assert HANDLES.take(made["taskId"], PLACE).task_id == "task-1"
    assert HANDLES.take(made["taskId"], PLACE).tool == "read"
    assert b"task-1" not in (found.result or b"")


@pytest.mark.parametrize("era", MADE)
def test_a_client_that_knows_no_tasks_gets_none(era: str) -> None:
    given, result = MADE[era]
    assert failed(judged(given, result, {})) == NOT_HANDED_ON


@pytest.mark.parametrize("era", MADE)
@pytest.mark.parametrize("id_", ["", None, 1, "x" * 2000])
def test_a_task_without_an_acceptable_id_is_not_carried(era: str, id_: Any) -> None:
    given, result = MADE[era]
    bad = {"task": {"taskId": id_}} if "task" in result else {**result, "taskId": id_}
    assert failed(judged(given, bad)) == NOT_HANDED_ON


def test_a_task_that_nobody_asked_for_is_a_result_of_the_tools_own() -> None:
    sent = {"content": [], "task": {"taskId": "task-1"}}
    assert body(judged(asked(), sent)) == sent
    assert failed(judged(asked(tool=STRUCTURED), sent)) == BROKEN


def about(method: str, wire: Wire, tool: Any = STRUCTURED) -> Admitted:
    """A request about a task."""
    return asked(method, wire, tool, taskId=HANDLES.give("task-1", "read", PLACE))


def test_a_tasks_state_names_it_as_the_client_does() -> None:
    for wire in (HANDSHAKE, MODERN):
        given = about("tasks/get", wire)
        result = body(judged(given, {"taskId": "task-1", "status": "working"}))
        assert (result["taskId"], result["status"]) == (given.request.params["taskId"], "working")


RELATED = "io.modelcontextprotocol/related-task"


def test_what_a_task_came_to_names_it_as_the_client_does() -> None:
    """MCP 2025-11-25, tasks: the result says in `_meta` whose it is."""
    given = about("tasks/result", HANDSHAKE, PLAIN)
    found = judged(given, {"content": [], "_meta": {RELATED: {"taskId": "task-1", "x": 1}, "kept": 1}})
    assert body(found) == {
        "content": [],
        "_meta": {RELATED: {"taskId": given.request.params["taskId"], "x": 1}, "kept": 1},
    }
    assert b"task-1" not in (found.result or b"")


@pytest.mark.parametrize("meta", [{}, {RELATED: None}, {RELATED: "task-1"}, {"kept": 1}, None, []])
def test_what_a_task_came_to_may_name_nothing(meta: Any) -> None:
    given = about("tasks/result", HANDSHAKE, PLAIN)
    assert body(judged(given, {"content": [], "_meta": meta}))["content"] == []


@pytest.mark.parametrize(("result", "fits"), OF_SCHEMA)
def test_what_a_task_came_to_is_held_to_the_approved_schema(result: dict[str, Any], *, fits: bool) -> None:
    given, state = about("tasks/get", MODERN), {"taskId": "task-1", "status": "completed", "result": result}
    for found in (judged(given, state), judged(about("tasks/result", HANDSHAKE), result)):
        if fits:
            assert found.result is not None
        else:
            assert failed(found) == BROKEN


def test_what_a_task_came_to_is_judged_as_a_whole_whatever_its_members_are_called() -> None:
    sent = {"content": [], "structuredContent": {"n": "1"}, "result": {"structuredContent": {"n": 1}}}
    assert failed(judged(about("tasks/result", HANDSHAKE), sent)) == BROKEN


@pytest.mark.parametrize("result", [[], "x", 1, True])
def test_what_a_task_came_to_is_an_object(result: Any) -> None:
    state = {"taskId": "task-1", "status": "completed", "result": result}
    assert failed(judged(about("tasks/get", MODERN), state)) == NOT_HANDED_ON


def test_a_task_asks_only_for_what_the_client_said_it_gives() -> None:
    state = {"taskId": "task-1", "status": "input_required", "inputRequests": INPUT["inputRequests"]}
    assert body(judged(about("tasks/get", MODERN), state))["inputRequests"] == INPUT["inputRequests"]
    assert failed(judged(about("tasks/get", MODERN), state, {"extensions": {TASKS: {}}})) == NOT_HANDED_ON


# --- errors -------------------------------------------------------------------------------------------------------


def test_an_error_of_the_server_is_handed_on_in_the_protocols_own_members() -> None:
    error = {"code": -32002, "message": "Not there", "data": {"uri": "memo://1"}, "stack": "Traceback"}
    found = judged(asked(), Response(1, error=error))
    assert (found.status, found.error_class) == ("error", "jsonrpc -32002")
    assert found.error == {"code": -32002, "message": "Not there", "data": {"uri": "memo://1"}}
    assert judged(asked(), Response(1, error={"code": 1, "message": ""})).error == {"code": 1, "message": ""}


@pytest.mark.parametrize("code", [-32020, -32022])
def test_an_error_about_our_own_message_is_ours(code: int) -> None:
    found = judged(asked(), Response(1, error={"code": code, "message": "Your header is wrong."}))
    assert failed(found) == ("failed", "protocol_error", UPSTREAM_FAILED)
    assert "header" not in str(found.failure)


def test_what_fails_here_is_no_reason_of_policy() -> None:
    found = judged(asked(), [])
    assert found.failure is not None
    assert found.failure.reason not in set(Reason)
