"""Placed records for tests of what reads them, made as the log makes them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from audit.drafts import Position, RecordDraft, columns
from audit.events import Event, RecordType
from audit.formats.placed import Placed, placed
from audit.proof.chain import leaf

TIME = datetime(2026, 11, 28, 23, 30, 0, 125000, tzinfo=UTC)
WRITER = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
INSTALLATION = "acme"


def an_id(number: int) -> UUID:
    """The same one for the same number."""
    return UUID(f"0190{number:04x}-0000-7000-8000-000000000000")


def a_placed(index: int = 0, *, writer: UUID | None = None, **said: Any) -> Placed:
    """A record that says this at this place."""
    facts = {
        "type": RecordType.ADMIN, "event": Event.TEAM_CREATED, "principal": "agent:robot", "time": TIME,
        "id": an_id(index), **said,
    }  # fmt: skip
    position = None if writer is None else Position(writer, index + 1)
    row = columns(RecordDraft(**facts), installation=INSTALLATION, shard=202611, position=position)
    chain = None if writer is None else bytes([index]) * 32
    return placed(
        index=index, shard=202611, hash=leaf(row["body"]), body=row["body"], writer=row["writer"],
        seq=row["seq"], chain=chain, mac=b"key!" + bytes(32),
    )  # fmt: skip


def a_call(index: int = 0, **said: Any) -> Placed:
    """What a gateway says of a call."""
    facts: dict[str, Any] = {
        "type": RecordType.INTENT, "event": Event.CALL_INTENDED, "call_id": an_id(999), "agent": "robot",
        "server": "files", "method": "tools/call", "kind": "tool", "tool": "read", "tool_hash": "ab" * 32,
        "decision": "allowed", "rule_ids": ("grant-1",), "client_ip": "203.0.113.7", "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }  # fmt: skip
    return a_placed(index, writer=WRITER, **(facts | said))


# What a name can hold: line ends of every kind, escape sequences, a turned direction, NUL, delimiters, formulas.
HOSTILE = (
    "two\nlines\r\nand\u2028more",
    "\x1b[31mred\x1b[0m \x9b2J",
    "user\u202etxt.exe\u2066\u200b",
    "nul\0inside",
    'CEF:0|a|b|c=d\\|e "quoted", \\n <14>1 - 30 x',
    "=HYPERLINK(\"http://example.com\")",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1",
    "'=1",
    "-1+2",
    "\uff1d1",
    "e\u0301 \U0001f916 ÿ 漢字",
)  # fmt: skip


def hostile_calls() -> list[Placed]:
    """A call for every hostile text, which stands in each field that somebody else fills; and one as long as can be."""
    fields = ("tool", "server", "agent", "reason", "intention", "error_class")
    calls = [a_call(index, **dict.fromkeys(fields, text)) for index, text in enumerate(HOSTILE)]
    long = a_call(
        len(calls), tool="n" * 600, reason="\u202e=|\n" * 700, intention="漢" * 2000, after={"x": "\x1b" * 350}
    )
    assert len(long.body) > 7000
    return [*calls, long]


def everyday() -> list[Placed]:
    """One of each kind that formats tell apart, for the golden files."""
    return [
        a_call(0),
        a_call(1, type=RecordType.OUTCOME, event=Event.CALL_COMPLETED, status="ok", latency_ms=12, bytes=345),
        a_call(2, type=RecordType.DENY, event=Event.CALL_DENIED, decision="denied", status="denied", reason="no_grant"),
        a_placed(3, event=Event.GRANT_GIVEN, subject="person:0190", actor="01890a5d-0000-7000-8000-000000000001",
                 reason="On call.", after={"role": "auditor"}),
        a_placed(4, type=RecordType.REVIEW, event=Event.TOOL_DRIFTED, subject="tool:files/read", server="files", tool="read",
                 kind="tool", before={"digest": "aa"}, after={"digest": "bb"}),
    ]  # fmt: skip
