"""What is written holds one request, whatever its URL and headers are; the rest is refused before it is sent."""

from collections.abc import Mapping

import pytest

from core.outbound import OutboundError, Refusal
from core.wire_message import Origin, Target, head_of, lines_of, target_of

TARGETS = {
    "https://a.example/mcp": (Origin("https", "a.example", 443), "a.example", "/mcp"),
    "http://a.example": (Origin("http", "a.example", 80), "a.example", "/"),
    "HTTPS://A.example:443/": (Origin("https", "a.example", 443), "a.example", "/"),
    "https://a.example:8443/a?b=c#d": (Origin("https", "a.example", 8443), "a.example:8443", "/a?b=c"),
    "http://[::1]:8080/": (Origin("http", "::1", 8080), "[::1]:8080", "/"),
    "https://\u00e4.example/\u00e4": (Origin("https", "xn--4ca.example", 443), "xn--4ca.example", "/%C3%A4"),
    "https://a.example/a b%0d%0a": (Origin("https", "a.example", 443), "a.example", "/a%20b%0d%0a"),
}


@pytest.mark.parametrize(("url", "expected"), TARGETS.items())
def test_where_a_url_leads(url: str, expected: tuple[Origin, str, str]) -> None:
    assert target_of(url) == Target(*expected)


BAD_URLS = [
    "",
    "a.example",
    "/mcp",
    "//a.example/",
    "ftp://a.example/",
    "file:///etc/passwd",
    "https:///a",
    "https://user@a.example/",
    "https://user:secret@a.example/",
    "https://a.example:0/",
    "https://a.example:65536/",
    "https://a.example:x/",
    "https://a.example/\r\nhost: b",
    "https://a.example/\nx",
    "https://a.example/\x00",
    "https://a.example/\x7f",
    "https://a.example\r\n/",
    " https://a.example/",
    "https://\uff11\uff12\uff17.0.0.1/",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_url_that_is_refused(url: str) -> None:
    with pytest.raises(OutboundError) as caught:
        target_of(url)
    assert caught.value.cls is Refusal.BLOCKED
    assert "secret" not in caught.value.sentence


TARGET = target_of("http://a.example:8080/mcp?x=1")


def test_the_bytes_of_a_request() -> None:
    head = head_of("POST", TARGET, {"Content-Type": "application/json", "x-a": ""}, 2)
    assert head == (
        b"POST /mcp?x=1 HTTP/1.1\r\nhost: a.example:8080\r\nuser-agent: holdfast\r\naccept-encoding: identity\r\n"
        b"content-type: application/json\r\nx-a: \r\ncontent-length: 2\r\n\r\n"
    )


@pytest.mark.parametrize("headers", [{}, {"X-A": "b", "x-%s": "%d"}])
@pytest.mark.parametrize("length", [0, 7])
def test_lines_that_were_written_once_are_sent_as_their_headers_are(headers: Mapping[str, str], length: int) -> None:
    for method in ("GET", "POST"):
        assert head_of(method, TARGET, lines_of(headers), length) == head_of(method, TARGET, headers, length)


def test_percent_signs_are_sent_as_they_are() -> None:
    head = head_of("GET", target_of("http://a.example/a%20b%s?%d"), {"x-%s": "%s%%"}, 0)
    assert head == (
        b"GET /a%20b%s?%d HTTP/1.1\r\nhost: a.example\r\nuser-agent: holdfast\r\naccept-encoding: identity\r\n"
        b"x-%s: %s%%\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "length", "expected"), [("GET", 0, 0), ("DELETE", 0, 0), ("DELETE", 2, 1), ("POST", 0, 1), ("PUT", 0, 1)]
)
def test_a_length_is_said_where_a_body_is_or_might_be_expected(method: str, length: int, expected: int) -> None:
    assert head_of(method, TARGET, {}, length).count(b"content-length: ") == expected


BAD_HEADERS: dict[str, Mapping[str, str]] = {
    "CRLF": {"x-a": "b\r\nx-evil: 1"},
    "CR": {"x-a": "b\rc"},
    "LF": {"x-a": "b\nc"},
    "LF at the end": {"x-a": "b\n"},
    "NUL": {"x-a": "b\x00c"},
    "tab": {"x-a": "b\tc"},
    "delete": {"x-a": "b\x7fc"},
    "next line": {"x-a": "b\x85c"},
    "letter that ends in LF when cut to a byte": {"x-a": "b\u010ac"},
    "line separator": {"x-a": "b\u2028c"},
    "not ASCII": {"x-a": "\u00e4"},
    "name with CRLF": {"x-a: b\r\nx-evil": "1"},
    "name with colon": {"x-a:": "1"},
    "name with space": {"x a": "1"},
    "name with LF at the end": {"x-a\n": "1"},
    "name that is not ASCII": {"x-\u00e4": "1"},
    "name that is ASCII in lower case only": {"\u212a": "1"},  # the Kelvin sign becomes k
    "empty name": {"": "1"},
    "twice": {"x-a": "1", "X-A": "2"},
    "host": {"Host": "b"},
    "length": {"content-length": "7"},
    "coding": {"Transfer-Encoding": "chunked"},
    "connection": {"connection": "close"},
    "upgrade": {"upgrade": "h2c"},
    "expect": {"expect": "100-continue"},
    "te": {"te": "trailers"},
    "compression": {"accept-encoding": "gzip"},
    "proxy": {"proxy-authorization": "Basic eA=="},
}


@pytest.mark.parametrize("headers", BAD_HEADERS.values(), ids=BAD_HEADERS.keys())
def test_a_header_that_is_refused(headers: Mapping[str, str]) -> None:
    for attempt in (lambda: head_of("POST", TARGET, headers, 0), lambda: lines_of(headers)):
        with pytest.raises(OutboundError) as caught:
            attempt()
        assert caught.value.cls is Refusal.BLOCKED


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "post", "POST ", "POST / HTTP/1.1\r\nx: y\r\n\r\nGET", ""])
def test_a_method_that_is_refused(method: str) -> None:
    with pytest.raises(OutboundError) as caught:
        head_of(method, TARGET, {}, 0)
    assert caught.value.cls is Refusal.BLOCKED
