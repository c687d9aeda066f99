"""A relay that spreads requests over its targets, remembers what passed, and can play a server that forgot.

with relaying(a, b) as front:
    front.url       # each request goes to the next target
    front.passed    # what passed, and where to
"""

import asyncio
import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.passing import copied, dialled, listening, until_one_ends


@dataclass(frozen=True)
class Passed:
    """One request that passed a relay."""

    verb: str
    headers: Mapping[str, str]
    message: Mapping[str, Any]
    target: str

    @property
    def method(self) -> str:
        """Of its JSON-RPC message, or the HTTP verb of one without."""
        return str(self.message.get("method", "")) or ("answer" if self.message else self.verb)

    @property
    def session(self) -> str:
        """The session that it belongs to."""
        return self.headers.get("mcp-session-id", "")


class Relay:
    """Passes each request to the next of its targets as it is, on a connection of its own, and writes down what passed.

    What it is told to forget it answers as a server does that knows no such session.
    """

    def __init__(self, *targets: str) -> None:
        self._turn = itertools.cycle(targets)
        self._path = urlsplit(targets[0]).path
        self._forgotten: set[str] = set()
        self.passed: list[Passed] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Where to go instead of to the first target."""
        return f"http://127.0.0.1:{self.port}{self._path}"

    def methods(self) -> list[str]:
        """Of all that passed."""
        return [each.method for each in self.passed]

    def forget(self) -> None:
        """From now on every session that passed is unknown."""
        self._forgotten |= {each.session for each in self.passed if each.session}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which serves one request."""
        line, headers, body = await _read(reader)
        target = next(self._turn)
        passed = Passed(line.split()[0].decode(), headers, json.loads(body) if body else {}, target)
        self.passed.append(passed)
        if passed.session in self._forgotten:
            writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
            return
        async with dialled(target) as (answers, requests):
            lines = [f"{name}: {value}" for name, value in headers.items() if name != "connection"]
            head = "\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1")
            requests.write(line + b"\r\n" + head + body)
            await until_one_ends(reader.read(), copied(answers, writer))


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, dict[str, str], bytes]:
    line, *rest = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    pairs = (each.decode("latin-1").partition(":") for each in rest if each)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return line, headers, await reader.readexactly(int(headers.get("content-length", "0")))


@contextmanager
def relaying(*targets: str) -> Iterator[Relay]:
    """A relay that listens, in a thread."""
    relay = Relay(*targets)
    with listening(relay.serve) as relay.port:
        yield relay
