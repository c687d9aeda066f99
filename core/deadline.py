"""A bound on how long a piece of a coroutine may take, for the hot path."""

import asyncio
from types import TracebackType
from typing import Self


class Deadline:
    """`with Deadline(seconds):` raises `TimeoutError` around whatever still awaits then.

    What `asyncio.timeout` does, at a fifth of its price: a call goes through several. Elsewhere use that one. Good for
    one entering. Where somebody else cancels the task as well, their cancellation goes on.
    """

    __slots__ = ("_cancelling", "_expired", "_handle", "_seconds", "_task")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._expired = False

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None  # noqa: S101 -- a coroutine runs in a task
        self._task: asyncio.Task[object] = task
        self._cancelling = task.cancelling()
        self._handle = loop.call_later(self._seconds, self._expire)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.cancel()
        # As `asyncio.timeout` does: only when nobody else asked for it is the cancellation ours to turn around.
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()
