"""What becomes of a server's answer: judged, sealed where it must be, and released as near to what was sent as it may.

Pure but for the seals. A result that needs no change leaves byte for byte.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from access.policy import Reason
from gateway import jsonrpc, protocol
from gateway.capabilities import has_tasks
from gateway.errors import (
    HEADER_MISMATCH,
    NOT_CARRIED,
    UNSUPPORTED_PROTOCOL_VERSION,
    UPSTREAM_FAILED,
    Refused,
    refuse,
)
from gateway.exchange import Admitted
from gateway.handles import Handles
from gateway.jsonrpc import Request, Response
from gateway.problems import Problem
from gateway.protocol import NotCarried
from gateway.rounds import Rounds, check_asked
from gateway.transport import body_of
from gateway.validation import result_problem

# About our own message to the server, which the client cannot mend.
_OURS: Final = frozenset({HEADER_MISMATCH, UNSUPPORTED_PROTOCOL_VERSION})
_CACHEABLE: Final = frozenset({"resources/read"})
_RELATED: Final = "io.modelcontextprotocol/related-task"  # in the `_meta` of what a task came to (MCP 2025-11-25)


class Released(Struct, frozen=True):
    """How a call ended: a result, an error of the server, or a failure of ours. Exactly one of the three is set.

    `read` is the result as values, of which `result` is the bytes.
    """

    status: str
    error_class: str = ""
    result: bytes | None = None
    error: Mapping[str, Any] | None = None
    failure: Refused | None = None
    read: Mapping[str, Any] | None = None

    @property
    def said(self) -> bytes | None:
        """What of the server's own reaches the client; None where nothing does."""
        return jsonrpc.dumps(self.error) if self.error is not None else self.result


class Release:
    """Judges answers."""

    def __init__(self, rounds: Rounds, handles: Handles) -> None:
        self._rounds = rounds
        self._handles = handles

    def judge(self, admitted: Admitted, response: Response, capabilities: Mapping[str, Any]) -> Released:
        """What the client gets for `response`. `capabilities`: what the server was told that it can ask."""
        if response.error is not None:
            return _error(response.error)
        try:
            return self._result(admitted, response, capabilities)
        except NotCarried as error:
            return _failed("not_carried", str(error), NOT_CARRIED)

    def _result(self, admitted: Admitted, response: Response, capabilities: Mapping[str, Any]) -> Released:
        kind, method = protocol.kind_of_result(response.result), admitted.request.method
        modern = admitted.wire.modern
        if kind == "input_required" and modern:
            return self._asks(admitted, response, capabilities)
        if method == "tools/call" and (kind == "task" if modern else _makes_task(admitted.request, response.result)):
            return self._task(admitted, response, capabilities)
        if kind != "complete":
            raise NotCarried("The server answered with a kind of result that is not carried.")
        if method == "tools/call":
            return self._of_tool(admitted, response)
        if method.startswith("tasks/"):
            return self._of_task(admitted, response, capabilities)
        return self._released(admitted, response, response.result, "ok")

    def _released(self, admitted: Admitted, response: Response, result: Mapping[str, Any], status: str) -> Released:
        cacheable = admitted.request.method in _CACHEABLE
        released = protocol.released_result(result, admitted.wire, admitted.card.identity, cacheable=cacheable)
        return Released(status, "", body_of(released, response), None, None, released)

    def _of_tool(self, admitted: Admitted, response: Response) -> Released:
        output = admitted.definition.checks.output if admitted.definition is not None else None
        problem = result_problem(output, response.result) if output is not None else None
        if problem is not None:
            return _broken("server's", problem)
        status = "tool_error" if response.result.get("isError") is True else "ok"
        return self._released(admitted, response, response.result, status)

    def _asks(self, admitted: Admitted, response: Response, capabilities: Mapping[str, Any]) -> Released:
        request = admitted.request
        sealed = self._rounds.sealed(response.result, request.method, request.params, admitted.place, capabilities)
        return self._released(admitted, response, sealed, "input_required")

    def _task(self, admitted: Admitted, response: Response, capabilities: Mapping[str, Any]) -> Released:
        if not has_tasks(capabilities, modern=admitted.wire.modern):
            raise NotCarried("The server made a task of a call whose client knows no tasks.")
        tool, result = admitted.definition.facts.name if admitted.definition else "", response.result
        if admitted.wire.modern:
            made = self._handles.replaced(result, tool, admitted.place)
        else:
            made = {**result, "task": self._handles.replaced(result["task"], tool, admitted.place)}
        return self._released(admitted, response, made, "task")

    def _of_task(self, admitted: Admitted, response: Response, capabilities: Mapping[str, Any]) -> Released:
        """A task's state, with its handle; the result that it has come to is held to the tool's schema."""
        result, definition, request = response.result, admitted.definition, admitted.request
        if "inputRequests" in result:
            check_asked(result["inputRequests"], capabilities)
        ended = result if request.method == "tasks/result" else result.get("result")
        if not isinstance(ended, dict | None):
            raise NotCarried("The server's task came to something that is no object.")
        problem = definition and ended is not None and result_problem(definition.output, ended)
        if problem:
            return _broken("task's", problem)
        return self._released(admitted, response, _renamed(result, request.method, request.params["taskId"]), "ok")


def _renamed(result: Mapping[str, Any], method: str, handle: str) -> Mapping[str, Any]:
    """What is said of a task, with the client's handle where the protocol names it."""
    if method == "tasks/result":
        meta = result.get("_meta")
        if not isinstance(meta, dict) or not isinstance(meta.get(_RELATED), dict):
            return result
        return {**result, "_meta": {**meta, _RELATED: {**meta[_RELATED], "taskId": handle}}}
    return {**result, "taskId": handle} if "taskId" in result else result


def _makes_task(request: Request, result: Mapping[str, Any]) -> bool:
    """In the handshake era, where a task has no kind of its own."""
    return "task" in request.params and isinstance(result.get("task"), dict)


def _error(error: Mapping[str, Any]) -> Released:
    if error["code"] in _OURS:
        return _failed("protocol_error", "The server did not accept our message.")
    kept = {member: error[member] for member in ("code", "message", "data") if member in error}
    return Released("error", error_class=f"jsonrpc {error['code']}", error=kept)


def _broken(whose: str, problem: Problem) -> Released:
    refused = refuse(Reason.INVALID_RESULT, f"The {whose} result breaks the approved schema: {problem.message}")
    return Released("failed", error_class=refused.reason, failure=refused)


def _failed(cls: str, sentence: str, code: int = UPSTREAM_FAILED) -> Released:
    return Released("failed", error_class=cls, failure=Refused(cls, sentence, code=code))
