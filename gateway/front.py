"""The front door: what is judged of a request's head before and beside its body. Pure module.

Host and Origin (DNS rebinding), repeated headers, media types, protocol era, and the agreement of headers with
the body (MCP 2026-07-28, transports: `MCP-Protocol-Version`, `Mcp-Method`, `Mcp-Name`). Policy decides on the
body; a header that says something else is refused, because something before us may have routed by it.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from access.intentions import BYTES_MAX, KEY, fits
from access.policy import Reason
from audit.secret_scan import without_secrets
from gateway.errors import HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, UNSUPPORTED_PROTOCOL_VERSION, Refused
from gateway.headers import NAME_BEARING, decode_value
from gateway.jsonrpc import Request
from gateway.protocol import (
    CLIENT_CAPABILITIES,
    DEFAULT_VERSION,
    HANDSHAKE_VERSIONS,
    MODERN_VERSIONS,
    PROTOCOL_VERSION,
    Wire,
)

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_HOST: Final = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_WIRES: Final[Mapping[str, Wire]] = {
    version: Wire(modern=modern, version=version)
    for modern, versions in ((False, HANDSHAKE_VERSIONS), (True, MODERN_VERSIONS))
    for version in versions
}
_REMEMBERED: Final = 256  # characters of an `Accept` header that is worth remembering
_NAME_MAX: Final = 64  # bytes of a header's name that is worth remembering
_NAMES_MAX: Final = 512
_LISTS: Final = frozenset({"accept"})  # may be repeated; the lines are one list (RFC 9110, 5.2)
_SINGLE: Final = frozenset(
    {
        "authorization",
        "content-length",
        "content-type",
        "host",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
        "origin",
    }
)


class Head(Struct, frozen=True):
    """One HTTP request without its body. Header names are lower-case; `repeated` names came more than once."""

    method: str
    path: str
    query: bytes
    headers: Mapping[str, str]
    repeated: frozenset[str]
    client_ip: str


@dataclass(frozen=True, slots=True)
class Doors:
    """The names under which we may be addressed. `loopback`: any loopback host and port is one of them."""

    urls: tuple[str, ...]
    loopback: bool
    _hosts: frozenset[str] = field(init=False)
    _origins: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        parts = [urlsplit(url) for url in self.urls]
        hosts = {_bare(each.netloc.lower(), each.scheme) for each in parts}
        # A client may spell the default port out.
        hosts |= {f"{host}:{_DEFAULT_PORTS[each.scheme]}" for each in parts for host in hosts if ":" not in host}
        object.__setattr__(self, "_hosts", frozenset(hosts))
        origins = {f"{each.scheme}://{_bare(each.netloc.lower(), each.scheme)}" for each in parts}
        object.__setattr__(self, "_origins", frozenset(origins))

    def check(self, head: Head) -> None:
        """Refuse a request that is not for us, or that a foreign web page sent. Raises `Refused`."""
        host = head.headers.get("host", "").lower()
        if host not in self._hosts and not (self.loopback and _is_loopback(host)):
            raise _bad_request("This host name is not ours.", status=421)
        origin = head.headers.get("origin")
        if origin is not None and not self._is_ours(origin.lower()):
            raise _bad_request("Requests of other web origins are refused.", status=403)

    def _is_ours(self, origin: str) -> bool:
        if origin in self._origins:
            return True
        scheme, separator, host = origin.partition("://")
        return bool(self.loopback and separator and scheme in _DEFAULT_PORTS and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    match = _HOST.fullmatch(host)
    return match is not None and match["name"] in _LOOPBACK


def _bare(netloc: str, scheme: str) -> str:
    return netloc.removesuffix(f":{_DEFAULT_PORTS[scheme]}")


class _Names(dict[bytes, str]):
    """Names of headers in small letters. Bounded, because callers make some of them up."""

    def __missing__(self, name: bytes) -> str:
        text = name.decode("latin-1").lower()
        if len(name) <= _NAME_MAX:
            if len(self) >= _NAMES_MAX:
                self.clear()
            self[name] = text
        return text


_NAMES: Final = _Names()
_NONE: Final[frozenset[str]] = frozenset()


def read_head(
    method: str, path: str, query: bytes, headers: Collection[tuple[bytes, bytes]], client_ip: str = ""
) -> Head:
    """Fold raw header lines; the last line of a name stands, and the name is noted as repeated."""
    # White space around a value is no part of it (RFC 9110, 5.5), and not every parser takes it away.
    found = {_NAMES[name]: value.decode("latin-1").strip(" \t") for name, value in headers}
    repeated = _NONE
    if len(found) < len(headers):
        lines = [(_NAMES[name], value.decode("latin-1").strip(" \t")) for name, value in headers]
        counts = Counter(name for name, _ in lines)
        repeated = frozenset(name for name, count in counts.items() if count > 1) - _LISTS
        found |= {each: ", ".join(value for name, value in lines if name == each) for each in _LISTS & found.keys()}
    return Head(method, path, query, found, repeated, client_ip)


def check_single(head: Head) -> None:
    """Refuse repeated headers that decide something: readers of the first and of the last copy would disagree."""
    twice = head.repeated & _SINGLE
    if twice:
        code = HEADER_MISMATCH if any(name.startswith("mcp-") for name in twice) else INVALID_REQUEST
        raise _bad_request(f"The header {min(twice)} came more than once.", code=code)


def check_media(head: Head) -> None:
    """JSON in, JSON out, events where the client takes them. Raises `Refused` with 415 or 406."""
    given = head.headers.get("content-type", "")
    if given != "application/json" and given.partition(";")[0].strip().lower() != "application/json":
        raise _bad_request("The content type must be application/json.", status=415)
    if not accepts(head, "application/json"):
        raise _bad_request("The client must accept application/json and text/event-stream.", status=406)


def accepts(head: Head, media_type: str) -> bool:
    """Whether the `Accept` header takes `media_type` (RFC 9110, 12.5.1, without weights)."""
    given = head.headers.get("accept", "")
    offered = _offered(given) if len(given) <= _REMEMBERED else _offered.__wrapped__(given)
    return media_type in offered or "*/*" in offered or f"{media_type.partition('/')[0]}/*" in offered


@lru_cache(maxsize=256)
def _offered(accept: str) -> frozenset[str]:
    return frozenset(part.partition(";")[0].strip().lower() for part in accept.split(","))


def wire_of_header(head: Head) -> Wire:
    """The era that the version header names, before any body was read. Raises `Refused` for an unknown version."""
    version = head.headers.get("mcp-protocol-version")
    wire = _WIRES[DEFAULT_VERSION] if version is None else _WIRES.get(version)
    if wire is None:
        raise _unsupported(str(version))
    return wire


def wire_of(head: Head, request: Request) -> Wire:
    """The request's era and version, header and body agreeing (R8). Raises `Refused`.

    The order is the specification's: envelope, agreement, version.
    """
    meta = request.meta
    header, claimed = head.headers.get("mcp-protocol-version"), meta.get(PROTOCOL_VERSION)
    if claimed is None and (header is None or header in HANDSHAKE_VERSIONS):
        return _WIRES[header or DEFAULT_VERSION]
    if PROTOCOL_VERSION not in meta or CLIENT_CAPABILITIES not in meta:
        missing = [key for key in (PROTOCOL_VERSION, CLIENT_CAPABILITIES) if key not in meta]
        raise _bad_request(f"params._meta lacks {', '.join(missing)}.", code=INVALID_PARAMS)
    if header is None or header != claimed:
        raise _mismatch("MCP-Protocol-Version", "protocol version")
    if head.headers.get("mcp-method") != request.method:
        raise _mismatch("Mcp-Method", "method")
    member = NAME_BEARING.get(request.method)
    named = request.params.get(member) if member else None
    if named is not None and decode_value(head.headers.get("mcp-name")) != named:
        raise _mismatch("Mcp-Name", str(member))
    if header not in MODERN_VERSIONS:
        raise _unsupported(header)
    return _WIRES[header]


def intention_of(request: Request) -> str:
    """Why the caller makes the request, without secrets; empty where it does not say.

    Raises `Refused` for anything but a text.
    """
    given = request.meta.get(KEY, "")
    if given == "":
        return ""
    if not fits(given):
        raise _bad_request(f"params._meta[{KEY!r}] must be a text of at most {BYTES_MAX} bytes.", code=INVALID_PARAMS)
    return without_secrets(str(given))  # it stands in a record, which nobody can take back


def _bad_request(message: str, *, code: int = INVALID_REQUEST, status: int = 400) -> Refused:
    return Refused(Reason.INVALID_REQUEST, message, code=code, status=status)


def _mismatch(header: str, member: str) -> Refused:
    return _bad_request(f"The header {header} does not agree with the body's {member}.", code=HEADER_MISMATCH)


def _unsupported(version: str) -> Refused:
    data: dict[str, Any] = {"supported": [*MODERN_VERSIONS, *HANDSHAKE_VERSIONS], "requested": version[:64]}
    message = "Unsupported protocol version"
    return Refused(Reason.INVALID_REQUEST, message, code=UNSUPPORTED_PROTOCOL_VERSION, status=400, data=data)
