"""Streams at the door of Django: a view says who may have one, and Django's part is over before the first event.

Django's handler keeps a thread, and with it a connection to the database, for as long as an answer lasts. So the view
answers at once and leaves its wish in the request's scope, and the stream is sent from here, with the answer's headers.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from controlplane.dispatch import Application
from controlplane.live.hub import Hub
from controlplane.live.viewer import Viewer, Wish

PATH: Final = "/live/"
WISH: Final = "holdfast.live"  # where the view leaves it in the scope
HEARTBEAT: Final = 15.0  # seconds without an event after which a comment shows that the stream lives
PATIENCE: Final = 10.0  # seconds that a browser may take to read what was sent
_OF_ANOTHER_BODY: Final = (b"content-type", b"content-length")
_COME_AGAIN: Final = b"retry: 3000\n\n"  # milliseconds

Send = Callable[[dict[str, Any]], Any]


class LiveStreams:
    """Hands everything on to Django, and sends the streams that its view allowed."""

    def __init__(self, django: Application, hub: Hub):
        self._django = django
        self._hub = hub

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Send) -> None:
        """ASGI 3."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._django(scope, receive, send)
            return
        held: list[dict[str, Any]] = []

        async def hold(message: dict[str, Any]) -> None:
            held.append(message)

        await self._django(scope, receive, hold)
        wish = scope.get(WISH)
        if not isinstance(wish, Wish):
            for message in held:
                await send(message)
            return
        headers = [(name, value) for name, value in held[0]["headers"] if name.lower() not in _OF_ANOTHER_BODY]
        refused = self._hub.refuses(wish)
        if refused:
            await _answer(refused, [*headers, (b"retry-after", b"30")], send)
        elif scope["method"] == "HEAD":  # whoever was refused asks why, for an EventSource does not say it
            await _answer(HTTPStatus.OK, headers, send)
        else:
            await self._open(wish, headers, receive, send)

    async def _open(
        self, wish: Wish, headers: list[tuple[bytes, bytes]], receive: Callable[..., Any], send: Send
    ) -> None:
        viewer = self._hub.admit(wish)
        gone = asyncio.ensure_future(_gone(receive))
        try:
            # Proxies that gather answers before they pass them on would pass nothing on.
            headers = [*headers, (b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._send_all(viewer, gone, send)
        except TimeoutError:
            return  # nobody reads; the server closes the connection
        finally:
            gone.cancel()
            self._hub.leave(viewer)

    async def _send_all(self, viewer: Viewer, gone: "asyncio.Future[None]", send: Send) -> None:
        body = _COME_AGAIN
        while not gone.done():
            if body:
                async with asyncio.timeout(PATIENCE):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            if viewer.ended:
                await send({"type": "http.response.body", "body": b""})
                return
            body = await _next(viewer, gone)


async def _answer(status: HTTPStatus, headers: list[tuple[bytes, bytes]], send: Send) -> None:
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _next(viewer: Viewer, gone: "asyncio.Future[None]") -> bytes:
    """What to send next: an event, or a comment where nothing happened for a while."""
    woken = asyncio.ensure_future(viewer.wake.wait())
    try:
        done, _ = await asyncio.wait((woken, gone), timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
    finally:
        woken.cancel()
    return viewer.take() if done else b": here\n\n"


async def _gone(receive: Callable[..., Any]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
