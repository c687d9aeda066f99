"""Heads that are sent over and over: one that was parsed is not parsed again. No sockets here, and no time.

A connection remembers a head that the parser read, cut where the digits of its length stand: a client's that of the
last answer, the gateway's (`gateway.door`) those of some requests. A message that begins with the very same bytes, but
for these digits, means the same but for its length. That is all that is decided here: another head, and a message that
is not whole or has bytes too many, is the parser's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LENGTH_DIGITS: Final = 18  # at most
_LENGTH_LINE: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cut:
    """The bytes of a head `before` and `after` the digits of its length."""

    before: bytes
    after: bytes

    def body_of(self, data: bytes) -> bytes | None:
        """The body, where `data` is one whole message with this head: the digits must be those of what follows it."""
        head, found, body = data.partition(self.after)
        return body if found and head == self.before + b"%d" % len(body) else None


def cut(data: bytes, length: int) -> Cut | None:
    """The head of `data`, one message whose body the parser found to be `length` bytes; None where it does not say so.

    That a length is not said twice is for whoever reads the head: parsers refuse it.
    """
    end = data.find(b"\r\n\r\n") + 4
    found = _LENGTH_LINE.search(data, 0, end)
    if found is None or len(data) - end != length or int(found[1]) != length:
        return None
    return Cut(data[: found.start(1)], data[found.end(1) : end])


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A head that the parser read: its bytes, and what they say."""

    cut: Cut
    status: int
    headers: Mapping[str, str]
    header_bytes: int  # as they count against the limits, with as long a length as there can be
    header_count: int


def known_head(
    data: bytes, status: int, headers: Mapping[str, str], header_bytes: int, header_count: int
) -> KnownHead | None:
    """What to remember of `data`, in which the parser read one answer with a body, no interim one, and nothing else.

    None where the answer has no length.
    """
    length = headers.get("content-length", "")
    found = cut(data, int(length)) if length.isascii() and length.isdigit() else None
    return None if found is None else KnownHead(found, status, headers, header_bytes + _LENGTH_DIGITS, header_count)
