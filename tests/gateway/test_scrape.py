"""Who may read the metrics."""

import pytest

from gateway import scrape
from gateway.front import Head, read_head

TOKEN = "a-token-of-this-installation"


def head(ip: str = "127.0.0.1", *lines: tuple[bytes, bytes]) -> Head:
    return read_head("GET", "/metrics", b"", lines, ip)


@pytest.mark.parametrize("value", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
def test_the_token_opens(value):
    assert scrape.presents(head("203.0.113.9", (b"authorization", value.encode())), TOKEN)


@pytest.mark.parametrize(
    "value",
    ["", TOKEN, "Bearer", "Bearer ", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}\xe9"],
)
def test_anything_else_does_not(value):
    assert not scrape.presents(head("127.0.0.1", (b"authorization", value.encode("latin-1"))), TOKEN)


def test_two_copies_of_the_header_do_not_open():
    line = (b"authorization", f"Bearer {TOKEN}".encode())
    assert not scrape.presents(head("127.0.0.1", line, line), TOKEN)


def test_where_there_is_no_token_none_opens():
    assert not scrape.presents(head("127.0.0.1", (b"authorization", b"Bearer ")), "")


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.8.9.1", "::1"])
def test_a_peer_on_loopback_is_near(ip):
    assert scrape.is_near(head(ip, (b"host", b"127.0.0.1:8000"), (b"accept", b"*/*")))


@pytest.mark.parametrize("ip", ["", "10.0.0.7", "203.0.113.9", "::ffff:10.0.0.7", "localhost", "127.0.0.1.example"])
def test_any_other_peer_is_not(ip):
    assert not scrape.is_near(head(ip))


@pytest.mark.parametrize(
    "name", ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "x-forwarded", "X-Real-IP", "CF-Connecting-IP"]
)
def test_a_proxy_on_loopback_is_not_near(name):
    assert not scrape.is_near(head("127.0.0.1", (name.encode(), b"")))
