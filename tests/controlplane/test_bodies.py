"""Nobody makes the web process write an endless body to disk."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from controlplane.bodies import BoundedBodies

LIMIT = 10


def _status(chunks: list[bytes], headers: list[tuple[bytes, bytes]] | None = None) -> tuple[int, int]:
    """The status of the answer, and how many bytes the application was given."""
    statuses: list[int] = []
    taken: list[bytes] = []
    messages: Iterator[dict[str, Any]] = iter(
        {"type": "http.request", "body": chunk, "more_body": index < len(chunks) - 1}
        for index, chunk in enumerate(chunks)
    )

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            taken.append(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {"type": "http", "headers": headers or []}
    asyncio.run(BoundedBodies(application, limit=LIMIT)(scope, receive, send))
    (status,) = statuses
    return status, sum(map(len, taken))


@pytest.mark.parametrize(
    ("chunks", "headers", "expected"),
    [
        ([b"12345", b"67890"], [], (200, 10)),
        ([b"12345", b"67890", b"1"], [], (413, 0)),
        ([b"1"], [(b"content-length", b"11")], (413, 0)),
        ([b"1"], [(b"content-length", b"9" * 5000)], (413, 0)),
        ([b"12345", b"678901"], [(b"content-length", b"5")], (413, 0)),
        ([b"1"], [(b"content-length", b"-1")], (413, 0)),
    ],
)
def test_a_body_beyond_the_limit_is_answered_as_soon_as_that_is_known(
    chunks: list[bytes], headers: list[tuple[bytes, bytes]], expected: tuple[int, int]
) -> None:
    assert _status(chunks, headers) == expected


def test_a_body_in_chunks_gets_the_length_that_it_turned_out_to_have() -> None:
    seen: list[Any] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.extend([dict(scope["headers"]), await receive()])

    messages: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.request", "body": b"c"}]
    )

    async def receive() -> dict[str, Any]:
        return next(messages)

    scope = {"type": "http", "headers": [(b"transfer-encoding", b"chunked"), (b"x", b"y")]}
    asyncio.run(BoundedBodies(application)(scope, receive, None))  # type: ignore[arg-type]  # nothing is sent
    assert seen == [{b"x": b"y", b"content-length": b"3"}, {"type": "http.request", "body": b"abc", "more_body": False}]


def test_a_client_that_leaves_gets_nothing_done() -> None:
    asked: list[str] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        asked.append(scope["type"])

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    asyncio.run(BoundedBodies(application)({"type": "http", "headers": []}, receive, None))  # type: ignore[arg-type]
    assert asked == []


def test_a_lifespan_passes() -> None:
    asked: list[str] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        asked.append(scope["type"])

    asyncio.run(BoundedBodies(application)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]  # not called
    assert asked == ["lifespan"]
