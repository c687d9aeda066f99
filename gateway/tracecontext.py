"""W3C trace context of callers: read, held to its grammar and bounds, handed on. Pure module.

Sources: W3C Trace Context (Level 1 and 2), W3C Baggage, MCP 2026-07-28 basic `_meta` and SEP-414. What is malformed is
dropped, never repaired. A caller's `_meta` is meant for the server behind us, so its baggage travels on; the HTTP
header `baggage` is meant for us and ends here, as does every other header.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
BAGGAGE: Final = "baggage"

_PLAIN: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_PARENT: Final = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?:-.*)?"
)
_PARENT_MAX: Final = 128  # characters; a later version may be longer than the 55 of this one
_STATE_MAX: Final = 512  # characters
_STATE_MEMBERS: Final = 32
_STATE_KEY: Final = r"[a-z0-9][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}"
_STATE_MEMBER: Final = re.compile(
    rf"(?P<key>{_STATE_KEY})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_BAGGAGE_MAX: Final = 8192  # bytes; the text is ASCII
_BAGGAGE_MEMBERS: Final = 64
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 -- a grammar's token, no secret
_VALUE: Final = r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*"
_BAGGAGE_NAME: Final = re.compile(_TOKEN)
_BAGGAGE_VALUE: Final = re.compile(_VALUE)


@dataclass(frozen=True, slots=True)
class TraceContext:
    """What a caller said of its trace; each text is well-formed or empty. `linked`: the HTTP hop's own, if another."""

    traceparent: str = ""
    tracestate: str = ""
    baggage: str = ""
    linked: str = ""

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits, or nothing."""
        return self.traceparent[3:35]

    def members(self) -> dict[str, str]:
        """The keys of `_meta` that say this."""
        if self is NONE:
            return {}
        pairs = ((TRACEPARENT, self.traceparent), (TRACESTATE, self.tracestate), (BAGGAGE, self.baggage))
        return {key: text for key, text in pairs if text}


NONE: Final = TraceContext()


def read(meta: Mapping[str, Any], headers: Mapping[str, str]) -> TraceContext:
    """The caller's context: `_meta` counts before the HTTP headers, which name the hop and not the message."""
    if TRACEPARENT not in meta and TRACEPARENT not in headers and BAGGAGE not in meta:
        return NONE
    baggage = valid_baggage(meta.get(BAGGAGE))
    of_meta, of_hop = valid_parent(meta.get(TRACEPARENT)), valid_parent(headers.get(TRACEPARENT))
    if of_meta:
        return TraceContext(of_meta, valid_state(meta.get(TRACESTATE)), baggage, linked=of_hop)
    return TraceContext(of_hop, valid_state(headers.get(TRACESTATE)) if of_hop else "", baggage)


def valid_parent(text: Any) -> str:
    """`text` if it is a `traceparent`, else nothing. One of a later version is told in ours, as the standard asks."""
    if not isinstance(text, str) or len(text) > _PARENT_MAX:
        return ""
    if _PLAIN.fullmatch(text):
        return text
    match = _PARENT.fullmatch(text)
    if match is None or match["version"] in ("00", "ff"):
        return ""
    ours = f"00-{match['trace']}-{match['span']}-{int(match['flags'], 16) & 1:02x}"
    return ours if _PLAIN.fullmatch(ours) else ""


def valid_state(text: Any) -> str:
    """`text` if it is a `tracestate` within the bounds, else nothing."""
    if not isinstance(text, str) or len(text) > _STATE_MAX:
        return ""
    members = [member.strip(" \t") for member in text.split(",")]
    matches = [_STATE_MEMBER.fullmatch(member) for member in members if member]
    keys = {match["key"] for match in matches if match}
    # One malformed member spoils the list, and so does a key that comes twice.
    return text if 0 < len(keys) == len(matches) <= _STATE_MEMBERS else ""


def valid_baggage(text: Any) -> str:
    """`text` if it is a `baggage` within the bounds, else nothing."""
    if not isinstance(text, str) or not text or len(text) > _BAGGAGE_MAX:
        return ""
    members = text.split(",")
    return text if len(members) <= _BAGGAGE_MEMBERS and all(_is_member(member) for member in members) else ""


def _is_member(member: str) -> bool:
    first, *properties = member.split(";")
    return "=" in first and _is_pair(first) and all(_is_pair(each) for each in properties)


def _is_pair(text: str) -> bool:
    name, _, value = text.partition("=")
    return bool(_BAGGAGE_NAME.fullmatch(name.strip(" \t")) and _BAGGAGE_VALUE.fullmatch(value.strip(" \t")))
