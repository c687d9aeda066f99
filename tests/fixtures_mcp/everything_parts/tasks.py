"""The tasks extension (`io.modelcontextprotocol/tasks`, SEP-2663): tools that go on after their call was answered."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, RequestParams
from pydantic import Field

from tests.fixtures_mcp.everything_parts.asking import Call, elicit, text
from tests.fixtures_mcp.everything_parts.tools import Answer, tool

EXTENSION = "io.modelcontextprotocol/tasks"
_TTL_MS = 600_000
_POLL_MS = 100
_ENDED = ("completed", "failed", "cancelled")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Task:
    """One task, the work behind it, and what it waits for."""

    kept: ClassVar[dict[str, "Task"]] = {}

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "working"
    created: str = field(default_factory=_now)
    changed: str = field(default_factory=_now)
    ending: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    work: asyncio.Task[None] | None = None

    def plain(self) -> dict[str, Any]:
        """What every message about the task says."""
        return {
            "taskId": self.id,
            "status": self.status,
            "createdAt": self.created,
            "lastUpdatedAt": self.changed,
            "ttlMs": _TTL_MS,
            "pollIntervalMs": _POLL_MS,
        }

    def move(self, status: str, **ending: Any) -> None:
        """Change the status; an ended task stays as it is."""
        if self.status not in _ENDED:
            self.status, self.changed, self.ending = status, _now(), ending

    async def ask(self, *keys: str) -> dict[str, Any]:
        """Wait for the client to answer all of `keys` with `tasks/update`."""
        form = elicit("Sure?", {"confirm": {"type": "boolean"}})
        self.asked = {key: form.model_dump(by_alias=True, mode="json", exclude_none=True) for key in keys}
        self.move("input_required")
        await self.answered.wait()
        self.move("working")
        return self.answers

    def take(self, responses: Mapping[str, Any]) -> None:
        """Answers from the client; keys that nothing asked for are left alone."""
        for key in self.asked.keys() & responses.keys():
            self.answers[key] = responses[key]
            del self.asked[key]
        if not self.asked:
            self.answered.set()


Job = Callable[[Task, Call], Awaitable[Answer]]


async def _work(task: Task, job: Job, call: Call) -> None:
    try:
        answer = await job(task, call)
    except MCPError as error:
        task.move("failed", error={"code": error.error.code, "message": error.error.message})
    except asyncio.CancelledError:
        task.move("cancelled")
        raise
    else:
        result = (
            answer if isinstance(answer, dict) else answer.model_dump(by_alias=True, mode="json", exclude_none=True)
        )
        task.move("completed", result=result)


async def _begin(job: Job, call: Call) -> dict[str, Any]:
    """The result that names a new task."""
    task = Task()
    Task.kept[task.id] = task
    task.work = asyncio.create_task(_work(task, job, call))
    return {"resultType": "task", **task.plain()}


async def _as_task_or_now(job: Job, call: Call) -> Answer:
    return await _begin(job, call) if call.may(EXTENSION) else await job(Task(), call)


# --- the tools ---------------------------------------------------------------------------------------------------
@tool("Greets somebody.", {"name": {"type": "string"}})
async def greet(call: Call) -> Answer:
    return text(f"Hello, {call.arguments['name']}!")


@tool("Takes its time.", {"seconds": {"type": "number"}, "label": {"type": "string"}})
async def slow_compute(call: Call) -> Answer:
    async def job(_task: Task, call: Call) -> Answer:
        await asyncio.sleep(call.arguments["seconds"])
        return text(f"{call.arguments['label']} is done.")

    return await _as_task_or_now(job, call)


@tool("Fails after a while, for clients with tasks only.")
async def failing_job(call: Call) -> Answer:
    async def job(_task: Task, _call: Call) -> Answer:
        await asyncio.sleep(0.3)
        return text("The job failed.", is_error=True)

    call.require(EXTENSION)
    return await _begin(job, call)


@tool("Ends in a protocol error, for clients with tasks only.")
async def protocol_error_job(call: Call) -> Answer:
    async def job(_task: Task, _call: Call) -> Answer:
        raise MCPError(code=INTERNAL_ERROR, message="The job broke.")

    call.require(EXTENSION)
    return await _begin(job, call)


@tool("Asks before it deletes.", {"filename": {"type": "string"}})
async def confirm_delete(call: Call) -> Answer:
    async def job(task: Task, call: Call) -> Answer:
        answers = await task.ask("confirm")
        return text(f"{call.arguments['filename']}: {answers['confirm']['action']}")

    call.require(EXTENSION)
    return await _begin(job, call)


@tool("Asks two things at once.")
async def multi_input(call: Call) -> Answer:
    async def job(task: Task, _call: Call) -> Answer:
        return text(" ".join(sorted(await task.ask("first", "second"))))

    call.require(EXTENSION)
    return await _begin(job, call)


@tool("Asks for a name, then works as a task.")
async def test_tool_with_task(call: Call) -> Answer:
    asked = await call.ask({"user_name": elicit("What is your name?", {"name": {"type": "string"}})})

    async def job(_task: Task, _call: Call) -> Answer:
        return text(f"Worked for {(asked['user_name'].content or {}).get('name')}.")

    call.require(EXTENSION)
    return await _begin(job, call)


# --- the methods -------------------------------------------------------------------------------------------------
class TaskParams(RequestParams):
    """`tasks/get` and `tasks/cancel`."""

    task_id: str = Field(alias="taskId")


class UpdateParams(TaskParams):
    """`tasks/update`."""

    input_responses: dict[str, Any] = Field(alias="inputResponses")


Context = ServerRequestContext[Any, Any]


def _task(ctx: Context, params: TaskParams) -> Task:
    """The task that is meant; raises where the client lacks the extension or nothing has that id."""
    call = Call(ctx, {}, {}, None)
    if not call.modern or ctx.request is None:
        raise MCPError(code=METHOD_NOT_FOUND, message="Method not found")
    call.require(EXTENSION)
    # The package knows the header rule of its own methods only.
    if ctx.request.headers.get("mcp-name") != params.task_id:
        raise MCPError(code=HEADER_MISMATCH, message="Mcp-Name is not the task's id")
    found = Task.kept.get(params.task_id)
    if found is None:
        raise MCPError(code=INVALID_PARAMS, message="Unknown task", data={"taskId": params.task_id})
    return found


async def get(ctx: Context, params: TaskParams) -> dict[str, Any]:
    """`tasks/get`: the state, and what the state carries."""
    task = _task(ctx, params)
    asked = {"inputRequests": dict(task.asked)} if task.status == "input_required" else {}
    return {**task.plain(), **task.ending, **asked}


async def update(ctx: Context, params: UpdateParams) -> dict[str, Any]:
    """`tasks/update`: answers to what a task asked."""
    _task(ctx, params).take(params.input_responses)
    return {}


async def cancel(ctx: Context, params: TaskParams) -> dict[str, Any]:
    """`tasks/cancel`: also of a task that has ended."""
    task = _task(ctx, params)
    if task.work is not None:
        task.work.cancel()
    return {}
