"""What is found out about a head is found out once; what may have changed meanwhile is asked each time."""

import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from access.services import suspend_agent
from core.wire_known import Cut
from gateway.door import SEEN, Seen
from gateway.entry import entry_of
from tests.fixtures_mcp.processes import HonestServer

if TYPE_CHECKING:
    from tests.gateway.world import World


def scope(**more: Any) -> dict[str, Any]:
    headers = [(b"host", b"h"), (b"authorization", b"Bearer abc"), (b"accept", b"*/*"), (b"content-length", b"2")]
    of = {"method": "POST", "path": "/mcp/a b", "raw_path": b"/mcp/a%20b?q", "query_string": b"q", "headers": headers}
    return {**of, "client": ("10.0.0.7", 5), **more}


def test_a_head_is_read_as_it_was_sent() -> None:
    entry = entry_of(scope())
    assert (entry.head.path, entry.head.client_ip, entry.streams, entry.slug) == ("/mcp/a%20b", "10.0.0.7", True, None)
    assert entry.bearer is not None
    assert entry.bearer.raw == "abc"
    assert entry_of(scope(raw_path=None, client=None)).head.path == "/mcp/a b"


def test_of_a_head_that_was_seen_the_entry_stays() -> None:
    seen = Seen(Cut(b"", b""), scope())
    first = entry_of(scope(**{SEEN: seen}))
    first.slug = "files"
    assert entry_of(scope(**{SEEN: seen})) is first
    assert entry_of(scope()).slug is None


# --- over one connection --------------------------------------------------------------------------------------


class Connection:
    """One connection of an agent, over which the same bytes are sent again and again."""

    def __init__(self, world: "World", token: str) -> None:
        self._host, self._port = world.url.removeprefix("http://").split(":")
        self._token = token
        self.socket = socket.create_connection((self._host, int(self._port)), timeout=30)
        self._file = self.socket.makefile("rb")

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self.socket.close()

    def ask(self, id_: int, *, host: str = "") -> tuple[int, bytes]:
        """Call a tool: the status and the body."""
        body = b'{"jsonrpc":"2.0","id":%d,"method":"tools/list","params":{"_meta":{%b}}}' % (id_, META)
        lines = [
            "POST /mcp/files HTTP/1.1",
            f"host: {host or f'{self._host}:{self._port}'}",
            f"authorization: Bearer {self._token}",
            "content-type: application/json",
            "accept: application/json, text/event-stream",
            "mcp-protocol-version: 2026-07-28",
            "mcp-method: tools/list",
            f"content-length: {len(body)}",
        ]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        status = int(self._file.readline().split()[1])
        length = 0
        while (line := self._file.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return status, self._file.read(length)


META = (
    b'"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},'
    b'"io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"}'
)


@pytest.mark.network
def test_a_head_that_was_let_in_is_let_in_only_as_long_as_its_token_is_good(
    world: "World", servers: dict[str, HonestServer]
) -> None:
    world.register(servers["modern"].url)
    world.approve()
    agent = world.agent("mcp:files:call")
    with closing(Connection(world, agent.token())) as connection:
        for id_ in (1, 9, 10, 100):
            status, body = connection.ask(id_)
            assert status == 200
            assert body.startswith(b'{"jsonrpc":"2.0","id":%d,"result":' % id_)
        suspend_agent(client_id=agent.agent.client_id, actor=world.admin, reason="A test.")
        world.settle()
        assert [connection.ask(id_)[0] for id_ in (1, 2)] == [401, 401]


@pytest.mark.network
def test_a_name_that_is_not_ours_is_refused_each_time(world: "World") -> None:
    with closing(Connection(world, "x")) as connection:
        assert [connection.ask(id_, host="evil.example")[0] for id_ in (1, 2, 3)] == [421, 421, 421]
        assert [connection.ask(id_)[0] for id_ in (1, 2)] == [401, 401]
        assert connection.ask(1, host="evil.example")[0] == 421
