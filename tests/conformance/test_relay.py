"""The relay adds a token and changes nothing else."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tests.conformance.relay import relaying

pytestmark = pytest.mark.network

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
REQUEST = b"POST /mcp/x HTTP/1.1\r\nHost: evil.example.com\r\nORIGIN: http://evil.example.com\r\nMcp-Name:  a  \r\n"


@contextmanager
def listening() -> Iterator[tuple[str, socket.socket]]:
    """A server that does nothing by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp/x", listener


@contextmanager
def both_ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection through the relay, seen from the client and from the server."""
    with listening() as (url, listener), relaying(url, "secret") as relayed:
        assert urlsplit(relayed).path == "/mcp/x"
        with socket.create_connection(("127.0.0.1", urlsplit(relayed).port or 0), 10) as client:
            server, _ = listener.accept()
            with server:
                server.settimeout(60)
                yield client, server


def exactly(end: socket.socket, count: int) -> bytes:
    """This many bytes."""
    found = b""
    while len(found) < count:
        piece = end.recv(count - len(found))
        assert piece, found
        found += piece
    return found


def with_token(head: bytes) -> bytes:
    """The head as it must arrive."""
    line, rest = head.split(b"\r\n", 1)
    return line + b"\r\nAuthorization: Bearer secret\r\n" + rest


@pytest.mark.parametrize(
    ("field", "body"),
    [
        (b"Content-Length: 5\r\n\r\n", b"hello"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),
        (b"\r\n", b""),
    ],
)
def test_every_request_of_a_connection_gets_the_token_and_keeps_everything_else(field: bytes, body: bytes) -> None:
    with both_ends() as (client, server):
        for _ in range(2):
            client.sendall(REQUEST + field + body)
            wanted = with_token(REQUEST + field) + body
            assert exactly(server, len(wanted)) == wanted


def test_an_answer_comes_piece_by_piece() -> None:
    with both_ends() as (client, server):
        client.sendall(REQUEST + b"\r\n")
        for piece in (ANSWER, b"5\r\n: one\r\n", b"5\r\n: two\r\n"):
            server.sendall(piece)
            assert exactly(client, len(piece)) == piece


def test_who_goes_away_is_seen_to_go_away() -> None:
    with both_ends() as (client, server):
        client.sendall(REQUEST + b"\r\n")
        exactly(server, len(with_token(REQUEST + b"\r\n")))
        client.close()
        assert server.recv(1) == b""
    with both_ends() as (client, server):
        server.close()
        assert client.recv(1) == b""


def test_what_is_open_is_cut_when_the_relay_ends() -> None:
    before = threading.active_count()
    with listening() as (url, listener):
        with relaying(url, "secret") as relayed:
            client = socket.create_connection(("127.0.0.1", urlsplit(relayed).port or 0), 10)
            server, _ = listener.accept()
        with client, server:
            assert client.recv(1) == b""
    assert threading.active_count() == before
