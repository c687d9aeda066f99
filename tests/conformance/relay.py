"""A relay that adds a bearer token to every request and changes nothing else; the official suite cannot send one.

It works on bytes: a request's head gets one more line, its body and the whole answer pass as they are and as they
come, so that streams, header spelling, white space, Host and Origin arrive untouched.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from tests.passing import PIECE, copied, dialled, listening, until_one_ends


@contextmanager
def relaying(url: str, token: str) -> Iterator[str]:
    """Another URL for `url`, on 127.0.0.1, through which every request carries `token`. Runs in a thread."""
    line = f"Authorization: Bearer {token}\r\n".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with dialled(url) as (answers, requests):
            await until_one_ends(_onward(reader, requests, line), copied(answers, writer))

    target = urlsplit(url)
    with listening(serve) as port:
        yield urlunsplit(("http", f"127.0.0.1:{port}", target.path, target.query, ""))


async def _onward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, added: bytes) -> None:
    """Requests of one connection, one after the other, each with the line that is added to its head."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        line, rest = head.split(b"\r\n", 1)
        writer.write(line + b"\r\n" + added + rest)
        async for piece in _body(reader, rest):
            writer.write(piece)
        await writer.drain()


async def _body(reader: asyncio.StreamReader, head: bytes) -> AsyncIterator[bytes]:
    """The body that a head announces (RFC 9112 section 6), as it stands on the wire."""
    fields = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n"))
    }
    left = int(fields.get(b"content-length", 0))
    while left:
        piece = await reader.readexactly(min(left, PIECE))
        left -= len(piece)
        yield piece
    size = 1 if fields.get(b"transfer-encoding", b"").endswith(b"chunked") else 0
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        yield line + await reader.readexactly(size + 2)
