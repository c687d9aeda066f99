"""Ports for servers that are told theirs before they listen.

Not those that the system itself gives away (`bind` to 0, every outgoing connection): another test, another worker or
a server under load would have taken such a one before ours listens on it.
"""

import secrets
import socket

_FIRST, _LAST = 10_240, 32_000  # systems give away 32768 and above


def free_ports(count: int = 1) -> int:
    """The first of `count` neighbouring ports that nobody listens on."""
    for _attempt in range(100):
        # Not `random`, whose state Hypothesis sets: workers would all come to the same number.
        first = _FIRST + secrets.randbelow(_LAST - _FIRST - count)
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
