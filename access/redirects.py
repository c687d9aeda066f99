"""Where an authorization answer may be sent: rules for redirect URIs. Pure module; a constraint says the same.

An address is https, or http on the person's own computer. Two are compared as text (RFC 9700, 4.1.3), because every
cleverer comparison has been a way to steal codes; only the port of http on loopback is free (RFC 8252, 7.3), because
programs take whichever the system gives them. So one spelling is taken and others are refused when they are
registered: lower-case scheme and host, ASCII, no user name, no fragment, no encoded NUL.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from core.addresses import is_plain_name, literal

URI_MAX: Final = 2048  # characters of one
URIS_MAX: Final = 10  # of one agent
_PORT_MAX: Final = 65_535
_LOOPBACK: Final = r"http://(localhost|127\.0\.0\.1|\[::1\])"
_REST: Final = r"(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
# In the dialect that Python and PostgreSQL share.
URI_PATTERN: Final = rf"(https://([a-z0-9.-]+|\[[0-9a-f:.]+\])|{_LOOPBACK})(:[1-9][0-9]{{0,4}})?{_REST}"
URIS_PATTERN: Final = rf"^({URI_PATTERN}( {URI_PATTERN})*)?$"  # as they stand in the table, spaces between them
_URI: Final = re.compile(URI_PATTERN)
_ON_LOOPBACK: Final = re.compile(rf"({_LOOPBACK})(?::[0-9]+)?(?=[/?]|\Z)")


def problem(uri: str) -> str | None:
    """Why `uri` can be nobody's redirect URI, as a sentence; None when it can."""
    if len(uri) > URI_MAX:
        return f"A redirect URI has at most {URI_MAX} characters."
    if _URI.fullmatch(uri) is None or "%00" in uri:
        return (
            "A redirect URI starts with https://, or with http://localhost, http://127.0.0.1 or http://[::1], in lower "
            "case, and holds no user name, fragment, blank or character beyond ASCII."
        )
    host, port = _host_and_port(uri)
    if not (is_plain_name(host) or literal(host)):
        return "The host of a redirect URI is a plain host name or an IP address."
    return None if port is None or int(port) <= _PORT_MAX else f"A port is at most {_PORT_MAX}."


def problem_of_all(uris: Iterable[str]) -> str | None:
    """Why these cannot be the redirect URIs of one agent, as a sentence; None when they can."""
    listed = list(uris)
    if len(listed) > URIS_MAX:
        return f"At most {URIS_MAX} redirect URIs."
    return next(filter(None, map(problem, listed)), None)


def usable(uris: Iterable[str]) -> list[str]:
    """Those that can be redirect URIs, once each, in their order (RFC 7591, 3.2.1 lets a server leave some out)."""
    return [uri for uri in dict.fromkeys(uris) if problem(uri) is None]


def is_loopback(uri: str) -> bool:
    """Whether the answer goes to a program on the person's own computer, which any other program could pose as."""
    return _ON_LOOPBACK.match(uri) is not None


def matches(asked: str, registered: Iterable[str]) -> bool:
    """Whether `asked` is one of `registered`: the same text, but for the port where both are http on loopback."""
    if problem(asked):
        return False
    portless = _without_loopback_port(asked)
    return any(portless == _without_loopback_port(uri) for uri in registered)


def shown_host(uri: str) -> str:
    """The host, with the port where there is one, as a person is shown it."""
    return urlsplit(uri).netloc


def _without_loopback_port(uri: str) -> str:
    return _ON_LOOPBACK.sub(r"\1", uri, count=1)


def _host_and_port(uri: str) -> tuple[str, str | None]:
    authority = urlsplit(uri).netloc
    if authority.startswith("["):
        host, _, port = authority.partition("]")
        return f"{host}]", port.removeprefix(":") or None
    host, _, port = authority.partition(":")
    return host, port or None
