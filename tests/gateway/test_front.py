"""The front door: hosts, origins, repeated headers, media types, agreement of headers with the body."""

from typing import Any

import pytest
from mcp.shared.inbound import InboundModernRoute, classify_inbound_request

from gateway.errors import Refused
from gateway.front import (
    Doors,
    Head,
    accepts,
    check_media,
    check_single,
    intention_of,
    read_head,
    wire_of,
    wire_of_header,
)
from gateway.jsonrpc import Request
from gateway.protocol import Wire

PUBLIC = Doors(("https://hold.example", "https://gw.example:8443/mcp"), loopback=False)
LOOPBACK = Doors(("http://127.0.0.1:8000", "http://127.0.0.1:8001/mcp"), loopback=True)
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
MODERN = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "read"}


def head(*lines: tuple[str, str], **headers: str) -> Head:
    """A POST with these headers; underscores in names stand for hyphens."""
    given = [*lines, *((name.replace("_", "-"), value) for name, value in headers.items())]
    return read_head("POST", "/mcp/files", b"", [(name.encode(), value.encode("latin-1")) for name, value in given])


def call(**params: Any) -> Request:
    """A call of `read`."""
    return Request(1, "tools/call", {"name": "read", "_meta": META, **params})


HOSTS = [
    (PUBLIC, "hold.example", True),
    (PUBLIC, "HOLD.example:443", True),
    (PUBLIC, "gw.example:8443", True),
    (PUBLIC, "gw.example", False),
    (PUBLIC, "127.0.0.1", False),
    (PUBLIC, "localhost:8000", False),
    (PUBLIC, "evil.example", False),
    (PUBLIC, "", False),
    (PUBLIC, "hold.example@evil.example", False),
    (PUBLIC, "hold.example/x", False),
    (PUBLIC, "hold.example?", False),
    (PUBLIC, "a/?hold.example", False),
    (PUBLIC, "hold.example.", False),
    (LOOPBACK, "127.0.0.1:9", True),
    (LOOPBACK, "localhost:65000", True),
    (LOOPBACK, "[::1]:80", True),
    (LOOPBACK, "127.0.0.1.evil.example", False),
    (LOOPBACK, "localhost.evil.example", False),
    (LOOPBACK, "rebound.example", False),
]


@pytest.mark.parametrize(("doors", "host", "ours"), HOSTS)
def test_only_our_own_host_names_are_answered(*, doors: Doors, host: str, ours: bool) -> None:
    if ours:
        doors.check(head(host=host))
        return
    with pytest.raises(Refused) as refused:
        doors.check(head(host=host))
    assert refused.value.status == 421


ORIGINS = [
    (PUBLIC, "https://hold.example", True),
    (PUBLIC, "https://hold.example:443", False),  # browsers never spell the default port out
    (PUBLIC, "http://hold.example", False),
    (PUBLIC, "https://evil.example", False),
    (PUBLIC, "null", False),
    (PUBLIC, "", False),
    (PUBLIC, "http://127.0.0.1:3000", False),
    (LOOPBACK, "http://localhost:3000", True),
    (LOOPBACK, "https://127.0.0.1", True),
    (LOOPBACK, "http://localhost.evil.example", False),
    (LOOPBACK, "chrome-extension://localhost", False),
    (LOOPBACK, "null", False),
]


@pytest.mark.parametrize(("doors", "origin", "ours"), ORIGINS)
def test_only_our_own_origins_are_answered(*, doors: Doors, origin: str, ours: bool) -> None:
    host = "127.0.0.1:8000" if doors.loopback else "hold.example"
    if ours:
        doors.check(head(host=host, origin=origin))
        return
    with pytest.raises(Refused) as refused:
        doors.check(head(host=host, origin=origin))
    assert refused.value.status == 403


@pytest.mark.parametrize("name", ["authorization", "host", "origin", "content-type", "mcp-method", "Mcp-Name"])
def test_a_header_that_decides_something_comes_once(name: str) -> None:
    with pytest.raises(Refused) as refused:
        check_single(head((name, "a"), (name, "a")))
    assert refused.value.status == 400
    assert refused.value.code == (-32020 if name.lower().startswith("mcp-") else -32600)


def test_repeated_accept_lines_are_one_list() -> None:
    both = head(("accept", "application/json"), ("Accept", "text/event-stream;q=0.5"))
    check_single(both)
    assert accepts(both, "application/json")
    assert accepts(both, "text/event-stream")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "application/json; charset=utf-8", "accept": "application/json"}, None),
        ({"content_type": "application/json", "accept": "*/*"}, None),
        ({"content_type": "application/json", "accept": "application/*, text/*"}, None),
        ({"content_type": "application/json", "accept": "text/event-stream"}, 406),
        ({"content_type": "application/json"}, 406),
        ({"content_type": "application/jsonp", "accept": "*/*"}, 415),
        ({"content_type": "text/plain", "accept": "*/*"}, 415),
        ({"accept": "*/*"}, 415),
    ],
)
def test_media_types_are_negotiated(headers: dict[str, str], status: int | None) -> None:
    if status is None:
        check_media(head(**headers))
        return
    with pytest.raises(Refused) as refused:
        check_media(head(**headers))
    assert refused.value.status == status


def test_a_request_without_a_version_speaks_the_handshake_era() -> None:
    plain = Request(1, "tools/list", {})
    assert wire_of(head(), plain) == wire_of_header(head()) == Wire(modern=False, version="2025-03-26")
    assert wire_of(head(mcp_protocol_version="2025-11-25"), plain) == Wire(modern=False, version="2025-11-25")


DISAGREEING: dict[str, tuple[dict[str, str | None], Request, int | None]] = {
    "all agree": ({}, call(), None),
    "an encoded name": ({"mcp-name": "=?base64?cmVhZA==?="}, call(), None),
    "another name": ({"mcp-name": "write"}, call(), -32020),
    "no name": ({"mcp-name": None}, call(), -32020),
    "a broken name": ({"mcp-name": "=?base64?!?="}, call(), -32020),
    "another method": ({"mcp-method": "tools/list"}, call(), -32020),
    "the method in other letters": ({"mcp-method": "Tools/Call"}, call(), -32020),
    "no method": ({"mcp-method": None}, call(), -32020),
    "no version header": ({"mcp-protocol-version": None}, call(), -32020),
    "a version header of the other era": ({"mcp-protocol-version": "2025-11-25"}, call(), -32020),
    "a version in the header only": ({}, call(_meta={}), -32602),
    "no capabilities": ({}, call(_meta={"io.modelcontextprotocol/protocolVersion": "2026-07-28"}), -32602),
    "no _meta": ({}, Request(1, "tools/call", {"name": "read"}), -32602),
    "an unknown version": (
        {"mcp-protocol-version": "2099-01-01"},
        call(_meta={**META, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}),
        -32022,
    ),
    "a version that is no text": (
        {},
        call(_meta={**META, "io.modelcontextprotocol/protocolVersion": 2026}),
        -32020,
    ),
}


@pytest.mark.parametrize("name", DISAGREEING)
def test_header_and_body_must_agree_as_the_reference_implementation_says(name: str) -> None:
    change, request, code = DISAGREEING[name]
    headers = {key: value for key, value in {**MODERN, **change}.items() if value is not None}
    body = {"jsonrpc": "2.0", "id": 1, "method": request.method, "params": request.params}
    reference = classify_inbound_request(body, headers=headers)
    expected = None if isinstance(reference, InboundModernRoute) else reference.code
    if code is None:
        assert wire_of(head(*headers.items()), request) == Wire(modern=True, version="2026-07-28")
    else:
        with pytest.raises(Refused) as refused:
            wire_of(head(*headers.items()), request)
        assert refused.value.code == code
    assert expected == code


def test_an_unknown_version_is_told_what_is_supported() -> None:
    with pytest.raises(Refused) as refused:
        wire_of_header(head(mcp_protocol_version="2099-01-01"))
    assert refused.value.data["supported"][0] == "2026-07-28"
    assert refused.value.data["requested"] == "2099-01-01"


@pytest.mark.parametrize("text", ["To close the books.", "x" * 2000, "é\n\u202e", ""])
def test_why_a_request_is_made_is_the_text_of_its_metadata(text: str) -> None:
    assert intention_of(call(_meta={**META, "holdfast/intention": text})) == text


def test_no_secret_in_a_reason_gets_as_far_as_its_record() -> None:
    secret = "ghp_" + "a1B2" * 9
    meta = {**META, "holdfast/intention": f"Pushing é with {secret} now."}
    assert intention_of(call(_meta=meta)) == "Pushing é with [left out: GitHub token] now."


def test_who_does_not_say_why_says_nothing() -> None:
    assert intention_of(call()) == ""
    assert intention_of(Request(1, "ping")) == ""


@pytest.mark.parametrize("value", [None, 1, ["why"], {"why": "so"}, "x" * 2001, "é" * 1001])
def test_what_is_no_reason_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(Refused) as refused:
        intention_of(call(_meta={**META, "holdfast/intention": value}))
    assert refused.value.reason == "invalid_request"
    assert "holdfast/intention" in refused.value.message
    assert "2000 bytes" in refused.value.message
