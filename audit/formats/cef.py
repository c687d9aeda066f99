"""ArcSight's Common Event Format, version 0: one line of text a record. Pure module.

Keys and the bytes that a value may take are the dictionary's (version 25). Characters that no line may hold are
written visibly, so a name with a line break or an escape sequence makes neither a second line nor a coloured one.
"""

from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from typing import Final

from audit.formats import PRODUCT, PRODUCT_VERSION
from audit.formats.placed import Placed
from audit.formats.severity import severity
from audit.formats.visible import visible, within

_BREAKS: Final = "\r\n"  # the two that have an escape
_SEVERITIES: Final = {"info": 3, "warning": 6, "alert": 8}
# Key, bytes, field of the body.
_FIELDS: Final = (
    ("externalId", 40, "id"),
    ("act", 63, "decision"),
    ("outcome", 63, "status"),
    ("reason", 1023, "reason"),
    ("cat", 1023, "type"),
    ("suid", 1023, "principal"),
    ("sourceServiceName", 1023, "agent"),
    ("destinationServiceName", 1023, "server"),
    ("requestMethod", 1023, "method"),
    ("msg", 1023, "intention"),
)
# The labelled ones: key, label, field.
_CUSTOM: Final = (
    ("cs1", "tool", "tool"),
    ("cs2", "callId", "call_id"),
    ("cs3", "toolHash", "tool_hash"),
    ("cs4", "subject", "subject"),
    ("cs5", "traceId", "trace_id"),
)


def line(record: Placed, *, installation: str) -> str:
    """The record without a line's end."""
    event = record.text("event")
    heads = ("0", PRODUCT, PRODUCT, PRODUCT_VERSION, event, event, str(_SEVERITIES[severity(record)]))
    extension = " ".join(f"{key}={_value(text)}" for key, text in _extension(record, installation))
    return f"CEF:{'|'.join(_head(part) for part in heads)}|{extension}"


def _extension(record: Placed, installation: str) -> Iterator[tuple[str, str]]:
    yield "rt", str(record.time_ns // 1_000_000)
    yield "dvchost", _bounded(installation, 100)
    for key, limit, field in _FIELDS:
        if record.text(field):
            yield key, _bounded(record.text(field), limit)
    yield from _source(record.text("client_ip"))
    for key, label, field in _CUSTOM:
        if record.text(field):
            yield f"{key}Label", label
            yield key, _bounded(record.text(field), 4000)
    yield from (("cs6Label", "leaf"), ("cs6", record.leaf), ("cn1Label", "index"), ("cn1", str(record.index)))


def _source(address: str) -> Iterator[tuple[str, str]]:
    if not address:
        return
    try:
        found = ip_address(address)
    except ValueError:
        return
    if isinstance(found, IPv6Address):
        yield from (("c6a2Label", "Source IPv6 Address"), ("c6a2", str(found)))
    else:
        yield "src", str(found)


def _head(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace("|", "\\|")


def _bounded(text: str, limit: int) -> str:
    return within(visible(text, but=_BREAKS), limit)


def _value(text: str) -> str:
    # Backslashes first: what follows adds some.
    return text.replace("\\", "\\\\").replace("=", "\\=").replace("\n", "\\n").replace("\r", "\\r")
