"""Syslog messages (RFC 5424) and their framing over TLS (RFC 5425). Pure module."""

import re
from typing import Final

from audit.formats.placed import Placed
from audit.formats.severity import severity

_FACILITY: Final = 13  # log audit
_LEVELS: Final = {"info": 6, "warning": 4, "alert": 1}
_APP: Final = "holdfast"
_NOT_IN_A_NAME: Final = re.compile(r"[^\x21-\x7e]")


def message(record: Placed, text: bytes, *, installation: str) -> bytes:
    """The record as a message that says `text`, which must hold no control characters.

    Without a byte order mark: the grammar lets the text be any octets then, and receivers of CEF look for its first
    letters.
    """
    priority = _FACILITY * 8 + _LEVELS[severity(record)]
    host, process, kind = (_name(part, limit) for part, limit in (
        (installation, 255), (record.text("server"), 128), (record.text("event"), 32),
    ))  # fmt: skip
    return f"<{priority}>1 {record.text('time')} {host} {_APP} {process} {kind} - ".encode() + text


def framed(message: bytes) -> bytes:
    """Octet counting: what is inside needs no escape, and no byte of it ends the message."""
    return b"%d %s" % (len(message), message)


def _name(text: str, limit: int) -> str:
    return _NOT_IN_A_NAME.sub("_", text)[:limit] or "-"
