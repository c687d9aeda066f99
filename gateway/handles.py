"""Handles of tasks (SEP-2663, and the experiment of MCP 2025-11-25): a server's task id, sealed to whom it was given.

A handle is no authentication (R13). It opens for the principal whose call made the task, at the same server, and says
which tool it was, so that every later request about the task is decided as a call of that tool is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway import jsonrpc
from gateway.capabilities import TASKS, has_tasks
from gateway.errors import INVALID_PARAMS, MISSING_CAPABILITY, Refused
from gateway.exchange import invalid
from gateway.jsonrpc import Request
from gateway.protocol import CLIENT_CAPABILITIES, NotCarried
from gateway.sealing import Seal, Unsealed

LONGEST: Final = 8192  # characters of a sealed handle
_ID_MAX: Final = 1024  # characters of a server's id


@dataclass(frozen=True, slots=True)
class Handle:
    """A task: the server's id, and the tool whose call made it."""

    task_id: str
    tool: str


class Handles:
    """Seals and opens handles."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def give(self, task_id: Any, tool: str, place: tuple[str, ...]) -> str:
        """The handle of a task. Raises `NotCarried`."""
        if not isinstance(task_id, str) or not 0 < len(task_id) <= _ID_MAX:
            raise NotCarried("The server's task has no acceptable id.")
        return self._seal.close(jsonrpc.dumps([task_id, tool]), *place)

    def take(self, given: Any, place: tuple[str, ...]) -> Handle:
        """What a handle says. Raises `Refused`: alike for unknown and for somebody else's."""
        try:
            task_id, tool = jsonrpc.parse_value(self._seal.open(given if isinstance(given, str) else "", *place))
        except (Unsealed, ValueError) as error:
            raise invalid("There is no such task.", code=INVALID_PARAMS) from error
        return Handle(str(task_id), str(tool))

    def replaced(self, task: Mapping[str, Any], tool: str, place: tuple[str, ...]) -> dict[str, Any]:
        """A task as the client may have it: with its handle for the server's id. Raises `NotCarried`."""
        return {**task, "taskId": self.give(task.get("taskId"), tool, place)}


def require_tasks(request: Request) -> None:
    """Refuse a client of the modern era that does not say that it knows tasks. Raises `Refused`."""
    declared = request.meta.get(CLIENT_CAPABILITIES)
    if not (isinstance(declared, Mapping) and has_tasks(declared, modern=True)):
        data: dict[str, Any] = {"requiredCapabilities": {"extensions": {TASKS: {}}}}
        raise Refused("missing_capability", "Missing required client capability", code=MISSING_CAPABILITY, data=data)
