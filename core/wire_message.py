"""What a request is on the wire: where its URL leads, and its bytes. What could be read in two ways is not written."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import httpx2

from core.outbound_failure import OutboundError, Refusal

_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")  # token of RFC 9110, 5.6.2, in lower case
_UNSENDABLE: Final = "The request has a header that cannot be sent."
_PATH: Final = re.compile(r"/[\x21-\x7e]*")
# They frame the message or lead elsewhere: this module alone writes them, or nobody does.
_OURS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)


class Origin(NamedTuple):
    """What connections are shared by. `host` is a name or an address without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheme == "https"


@dataclass(frozen=True, slots=True)
class Target:
    """Where one URL leads: its origin, the `host` header's value, and path and query as they are sent."""

    origin: Origin
    authority: str
    path: str


@functools.lru_cache(maxsize=512)
def target_of(url: str) -> Target:
    """Read an absolute http or https URL. Raises `OutboundError`, class `blocked`, for everything else."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise OutboundError(Refusal.BLOCKED, "The address is not a URL.") from error
    if parsed.scheme not in _PORTS or not parsed.raw_host or parsed.userinfo:
        raise OutboundError(Refusal.BLOCKED, "The address must be an http or https URL without a user name.")
    port = _PORTS[parsed.scheme] if parsed.port is None else parsed.port
    host, path = parsed.raw_host.decode("ascii"), parsed.raw_path.decode("ascii")
    if not 0 < port < 65536 or not _PATH.fullmatch(path):
        raise OutboundError(Refusal.BLOCKED, "The address is not a URL.")
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port == _PORTS[parsed.scheme] else f"{shown}:{port}"
    return Target(Origin(parsed.scheme, host, port), authority, path)


@dataclass(frozen=True, slots=True)
class Lines:
    """Headers that were judged once, to be sent with many requests; `lines_of` alone makes them."""

    text: str


def lines_of(headers: Mapping[str, str]) -> Lines:
    """The lines of `headers`. Raises `OutboundError`, class `blocked`, for those that we do not send."""
    return Lines(_written(headers))


def head_of(method: str, target: Target, headers: Mapping[str, str] | Lines, length: int) -> bytes:
    """Request line and headers (RFC 9112, 3 and 5) for a body of `length` bytes.

    Raises `OutboundError`, class `blocked`, for a method or header that we do not send: values must be printable
    ASCII, so none can end its line and begin another one.
    """
    start = _start(method, target.path, target.authority)
    lines = headers.text if isinstance(headers, Lines) else _written(headers)
    framing = f"content-length: {length}\r\n" if length or method in _WITH_BODY else ""
    return f"{start}{lines}{framing}\r\n".encode("ascii")


@functools.lru_cache(maxsize=512)
def _start(method: str, path: str, authority: str) -> str:
    if method not in _METHODS:
        raise OutboundError(Refusal.BLOCKED, "This HTTP method is not sent.")
    return f"{method} {path} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: holdfast\r\naccept-encoding: identity\r\n"


def _written(headers: Mapping[str, str]) -> str:
    values = tuple(headers.values())
    joined = "".join(values)
    if not (joined.isascii() and joined.isprintable()):
        raise OutboundError(Refusal.BLOCKED, _UNSENDABLE)
    return _form(tuple(headers)) % values


@functools.lru_cache(maxsize=256)
def _form(given: tuple[str, ...]) -> str:
    """The lines of headers with these names, and a gap for the value of each. Raises `OutboundError`."""
    names = [name.lower() for name in given]
    sound = all(_NAME.fullmatch(name) and name not in _OURS for name in names)
    if not (sound and "".join(given).isascii()) or len(set(names)) < len(names):
        raise OutboundError(Refusal.BLOCKED, _UNSENDABLE)
    return "".join(f"{name.replace('%', '%%')}: %s\r\n" for name in names)
