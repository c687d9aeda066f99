"""As much of HTTP/1.1 as a balancer and its clients need: heads, and bodies part by part as they come."""

import asyncio
from collections.abc import AsyncIterator

CONNECT_SECONDS = 30
ANSWER_SECONDS = 60


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """A head with its blank line; empty where the other side closed instead. Raises `ConnectionError` in the middle."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise ConnectionError("closed within a head") from error
        return b""


def field(head: bytes, name: bytes) -> bytes:
    """A header's value in lower case, empty where it is missing. `name` is lower-case."""
    return raw_field(head, name).lower()


def raw_field(head: bytes, name: bytes) -> bytes:
    """The same as it was written."""
    at = head.lower().find(b"\r\n%s:" % name)
    return head[at + len(name) + 3 :].partition(b"\r\n")[0].strip() if at >= 0 else b""


def status(head: bytes) -> int:
    """The status of an answer."""
    return int(head[9:12])


async def body(reader: asyncio.StreamReader, head: bytes) -> AsyncIterator[tuple[bytes, bytes]]:
    """Parts of a body, as they are on the wire and as they are meant. Raises `ConnectionError` when it ends early."""
    try:
        if b"chunked" in field(head, b"transfer-encoding"):
            size = -1
            while size:
                line = await reader.readuntil(b"\r\n")
                size = int(line, 16)
                data = await reader.readexactly(size + 2)
                yield line + data, data[:-2]
        elif length := int(field(head, b"content-length") or 0):
            data = await reader.readexactly(length)
            yield data, data
    except asyncio.IncompleteReadError as error:
        raise ConnectionError("closed within a body") from error
