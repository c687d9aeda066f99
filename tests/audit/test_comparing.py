"""The columns that a body has are those that `audit.drafts` made beside it, and any other value is told."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.comparing import DETAILS, differences
from audit.drafts import COLUMNS, Position, RecordDraft, columns
from tests.audit.test_rows import DRAFTS, a_draft

WRITER = UUID("01890000-0000-7000-8000-0000000000ab")


def row_of(draft: RecordDraft, position: Position | None = None) -> dict[str, Any]:
    """The row as it comes out of the database."""
    row = columns(draft, installation="acme", shard=202611, position=position)
    for name in DETAILS:
        row[name] = json.loads(json.dumps(row[name])) if row[name] is not None else None
    return row


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(DRAFTS, st.none() | st.integers(1, 2**62))
def test_the_columns_of_a_record_say_what_its_body_says(draft: RecordDraft, seq: int | None) -> None:
    row = row_of(draft, Position(WRITER, seq) if seq else None)

    assert differences(row["body"], row) == []


@pytest.mark.parametrize("name", sorted(set(COLUMNS) - {"shard", "body"}))
def test_any_other_value_is_told_by_its_column(name: str) -> None:
    filled = a_draft(
        call_id=uuid4(), parent_call_id=uuid4(), batch_id=uuid4(), args_commit=b"a", result_commit=b"b", latency_ms=5,
        bytes=7, rule_ids=("one",), scopes_used=("call",), before={"a": 1}, after={"a": 2}, tool="read",
    )  # fmt: skip
    row = row_of(filled, Position(WRITER, 3))
    value = row[name]
    other: Any = {
        UUID: uuid4, int: lambda: value + 1, bytes: lambda: b"x", str: lambda: f"{value}x",
        list: list, dict: lambda: {"a": 3}, type(row["time"]): lambda: value + timedelta(microseconds=1),
    }[type(value)]()  # fmt: skip

    found = differences(row["body"], row | {name: other})

    assert found == [(name, ascii(value)[:200], ascii(other)[:200])]
    if name not in ("time", "type", "event", "id", "principal", "tool"):
        emptied: Any = "" if isinstance(value, str) else [] if isinstance(value, list) else None
        told = [column for column, _, _ in differences(row["body"], row | {name: emptied})]
        assert told == ([] if emptied == value else [name])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"\xff", b'{"id":5}', b'{"time":"yesterday"}', b'{"args_commit":"z"}', b"[" * 99_999]
)
def test_a_body_that_is_none_is_told(body: bytes) -> None:
    assert differences(body, row_of(a_draft())) == [("body", "a record", "something else")]
