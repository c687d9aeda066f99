"""A body is read whole, within bounds of bytes and time, or not at all."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest
from msgspec.structs import replace

from gateway import jsonrpc
from gateway.body import body_at_once, read_body
from gateway.errors import Refused
from tests.gateway.admitting import HEAD

MANY = jsonrpc.MAX_BODY


class Pieces:
    """A client that sends these pieces; bytes are pieces of the body."""

    def __init__(self, *pieces: bytes | str) -> None:
        self.left = list(pieces)

    async def receive(self) -> MutableMapping[str, Any]:
        piece = self.left.pop(0)
        if isinstance(piece, str):
            return {"type": piece}
        return {"type": "http.request", "body": piece, "more_body": bool(self.left)}


async def read(pieces: Pieces, length: str | None = None) -> bytes:
    """The body."""
    headers = {} if length is None else {"content-length": length}
    return await read_body(replace(HEAD, headers=headers), pieces.receive)


async def refusal(pieces: Pieces, length: str | None = None) -> Refused:
    """Why there is none."""
    with pytest.raises(Refused) as refused:
        await read(pieces, length)
    return refused.value


@pytest.mark.parametrize("pieces", [[b""], [b"abc"], [b"a", b"", b"bc"], [b"abc", b""]])
async def test_a_body_is_what_came_in_however_many_pieces(pieces: list[bytes]) -> None:
    assert await read(Pieces(*pieces)) == b"".join(pieces)


async def test_a_body_may_be_as_large_as_a_message_and_no_larger() -> None:
    half = b"x" * (MANY // 2)
    assert len(await read(Pieces(half, half))) == MANY
    endless = Pieces(half, half, b"x", half, half)
    assert (await refusal(endless)).status == 413
    assert len(endless.left) == 2, "the rest is not read"


@pytest.mark.parametrize("length", [str(MANY + 1), "9" * 5000])
async def test_a_body_that_says_that_it_is_too_large_is_not_read(length: str) -> None:
    pieces = Pieces(b"abc")
    assert (await refusal(pieces, length)).status == 413
    assert len(pieces.left) == 1


@pytest.mark.parametrize("length", [str(MANY), "", "x", "-1", "\u0663", "1e9", "0x10", "3"])
async def test_what_is_said_of_a_length_is_never_believed_otherwise(length: str) -> None:
    assert await read(Pieces(b"a", b"bc"), length) == b"abc"


async def test_a_request_that_breaks_off_is_no_request_and_nothing_to_record() -> None:
    refused = await refusal(Pieces(b"a", "http.disconnect"))
    assert refused.recorded_as is None


async def test_a_body_that_comes_too_slowly_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.body.BODY_SECONDS", 0.01)

    async def never() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(Refused) as refused:
        await read_body(HEAD, never)
    assert refused.value.status == 408


async def test_a_body_that_is_not_there_yet_is_waited_for_unless_it_says_that_it_is_too_large() -> None:
    pieces = Pieces(b"abc")
    assert body_at_once(HEAD, pieces.receive) is None
    with pytest.raises(Refused) as refused:
        body_at_once(replace(HEAD, headers={"content-length": str(MANY + 1)}), pieces.receive)
    assert refused.value.status == 413
    assert pieces.left == [b"abc"], "nothing was read"
