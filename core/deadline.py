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


class Deadlines:
    """The same for one task that bounds one piece after the other, all with as many seconds: `with deadlines:`.

    A timer for each piece would cost as much as a short piece. Here one rings at the earliest end that there may be and
    is set anew for the piece that it finds then. Pieces lie beside each other, not in each other.
    """

    __slots__ = ("_cancelling", "_end", "_expired", "_handle", "_loop", "_seconds", "_task")

    def __init__(self, seconds: float) -> None:
        """Of the running task."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a coroutine runs in a task
        self._task: asyncio.Task[object] = task
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._end: float | None = None  # of the piece under way, by the loop's clock
        self._handle: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._expired = False
        self._cancelling = self._task.cancelling()
        self._end = end = self._loop.time() + self._seconds
        if self._handle is None:
            self._handle = self._loop.call_at(end, self._ring)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end = None
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def close(self) -> None:
        """Nothing rings any more."""
        if self._handle is not None:
            self._handle.cancel()

    def _ring(self) -> None:
        self._handle = None
        if self._end is None:
            return  # the next piece sets it
        if self._end <= self._loop.time() + 0.001:  # a timer may ring a little early
            self._expired = True
            self._task.cancel()
        else:
            self._handle = self._loop.call_at(self._end, self._ring)
