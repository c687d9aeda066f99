"""Heads that a server sends over and over: one that was parsed is not parsed again. No sockets here, and no time.

A connection remembers the head of its last answer that the parser read, cut where the digits of its length stand.
An answer that begins with the very same bytes, but for these digits, means the same but for its length. That is all
that is decided here: another head, and an answer that is not whole or has bytes too many, is the parser's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LENGTH_DIGITS: Final = 18  # at most
_LENGTH_LINE: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A head that the parser read: its bytes `before` and `after` the digits of its length, and what they say."""

    before: bytes
    after: bytes
    status: int
    headers: Mapping[str, str]
    header_bytes: int  # as they count against the limits, with as long a length as there can be
    header_count: int

    def body_of(self, data: bytes) -> bytes | None:
        """The body, where `data` is one whole answer with this head: the digits must be those of what follows it."""
        head, found, body = data.partition(self.after)
        return body if found and head == self.before + b"%d" % len(body) else None


def known_head(
    data: bytes, status: int, headers: Mapping[str, str], header_bytes: int, header_count: int
) -> KnownHead | None:
    """What to remember of `data`, in which the parser read one answer with a body, no interim one, and nothing else.

    None where the answer has no length.
    """
    end = data.find(b"\r\n\r\n") + 4
    found = _LENGTH_LINE.search(data, 0, end)
    # The digits must be those that the parser counted the body by.
    if found is None or found[1].decode("ascii") != headers.get("content-length") or len(data) - end != int(found[1]):
        return None
    longest = header_bytes + _LENGTH_DIGITS
    return KnownHead(data[: found.start(1)], data[found.end(1) : end], status, headers, longest, header_count)
