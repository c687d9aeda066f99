"""How a process leaves without losing a call: not ready first, and the listener closes a while later.

Whoever routes to us has that while to notice. Until it is over every call is served as ever, on a connection that
ends with its answer, so that no client is left with one that we close just as it sends the next call.
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def notice_before_exit(leave: Callable[[], None], seconds: float) -> Iterator[None]:
    """On SIGTERM or SIGINT call `leave`, and so many seconds later the server's own handler; on a second one at once.

    The server (uvicorn) sets its handlers before the lifespan starts. Where we do not run in the main thread, somebody
    else handles signals and calls `leave`.
    """
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    told = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal told
        server = before[signal.Signals(number)]
        if not callable(server):
            leave()
        elif told:
            server(number, frame)
        else:
            told = True
            leave()
            loop.call_soon_threadsafe(loop.call_later, seconds, server, number, frame)

    try:
        for number in _SIGNALS:
            signal.signal(number, stop)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
