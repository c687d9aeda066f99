"""What a record's body and columns hold, whatever the texts are."""

import hashlib
import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.drafts import (
    BODY_MAX,
    COLUMNS,
    Position,
    RecordDraft,
    columns,
    next_shard,
    search_text,
    shard_of,
)
from audit.events import Event, RecordType

TIME = datetime(2026, 11, 22, 9, 30, 1, 5, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=()), max_size=3000)


def draft(**given_fields: object) -> RecordDraft:
    fields: dict[str, object] = {
        "type": RecordType.ADMIN,
        "event": Event.SERVER_EDITED,
        "principal": "system:test",
        "time": TIME,
    }
    return RecordDraft(**(fields | given_fields))  # type: ignore[arg-type]


def test_body_is_canonical_and_leaves_out_what_was_not_said() -> None:
    record_id = uuid4()
    body = columns(draft(id=record_id, subject="server:files"), installation="acme", shard=202611)["body"]
    assert json.loads(body) == {
        "v": 1,
        "installation": "acme",
        "type": "admin",
        "event": "server.edited",
        "principal": "system:test",
        "time": "2026-11-22T09:30:01.000005Z",
        "id": str(record_id),
        "subject": "server:files",
    }
    assert body == json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()


def test_a_gateways_record_carries_its_position_in_the_body() -> None:
    writer = uuid4()
    row = columns(draft(), installation="acme", shard=202611, position=Position(writer, 7))
    assert (row["writer"], row["seq"]) == (writer, 7)
    assert json.loads(row["body"]).items() >= {"writer": str(writer), "seq": 7}.items()


def test_row_has_every_column() -> None:
    assert set(columns(draft(), installation="acme", shard=202611)) == set(COLUMNS)


def test_nul_stays_in_the_body_and_is_visible_in_columns() -> None:
    row = columns(draft(tool="a\0b", after={"k\0": ["\0"]}), installation="acme", shard=202611)
    assert row["tool"] == "a\u2400b"
    assert row["after"] == {"k\u2400": ["\u2400"]}
    assert json.loads(row["body"])["tool"] == "a\0b"


def test_lone_surrogate_does_not_break_a_record() -> None:
    row = columns(draft(tool="a\ud800", before={"x": "\udfff"}), installation="acme", shard=202611)
    assert "\ufffd" in row["tool"]
    row["body"].decode()


def test_values_that_json_lacks_are_written_in_words() -> None:
    after = {"when": TIME, "who": UUID(int=1), "set": {"b", "a"}, "nan": float("nan"), 3: b"\x01", "big": 2**70}
    row = columns(draft(after=after), installation="acme", shard=202611)
    assert row["after"] == {
        "when": "2026-11-22T09:30:01.000005Z",
        "who": str(UUID(int=1)),
        "set": ["a", "b"],
        "nan": "nan",
        "3": "01",
        "big": 2**70,
    }


def test_long_details_leave_their_hash() -> None:
    row = columns(draft(before={"text": "x" * 9000}, after={"small": 1}), installation="acme", shard=202611)
    whole = b'{"text":"' + b"x" * 9000 + b'"}'
    assert row["before"] == {"cut": True, "bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}
    assert row["after"] == {"small": 1}


def test_two_long_names_that_start_alike_stay_apart() -> None:
    one, other = search_text("n" * 600 + "a"), search_text("n" * 600 + "b")
    assert one != other
    assert len(one.encode()) <= 512


def test_a_filter_finds_a_shortened_name() -> None:
    name = "ü\0" * 900
    assert columns(draft(tool=name), installation="acme", shard=202611)["tool"] == search_text(name)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, st.lists(TEXTS, max_size=5), st.dictionaries(TEXTS, TEXTS | st.floats() | st.none(), max_size=3))
def test_any_text_fits_the_body_limit(text: str, texts: list[str], details: dict[str, object]) -> None:
    hostile = draft(
        tool=text,
        subject=text,
        reason=text,
        intention=text,
        method=text,
        status=text,
        trace_id=text,
        server=text,
        rule_ids=tuple(texts * 20),
        scopes_used=tuple(texts * 20),
        before=details,
        after=details,
    )
    row = columns(hostile, installation="acme", shard=202611)
    assert len(row["body"]) <= BODY_MAX
    assert all("\0" not in value and value.encode() is not None for value in row.values() if isinstance(value, str))


def test_the_worst_characters_in_every_field_fit_the_body_limit() -> None:
    bad = "\x01" * 5000
    texts = {name: bad for name in COLUMNS if isinstance(getattr(draft(), name, None), str)} | {"principal": bad}
    texts = {name: text for name, text in texts.items() if name not in ("type", "event")}
    row = columns(
        draft(**texts, rule_ids=(bad,) * 99, scopes_used=(bad,) * 99, before={"x": bad}), installation="a", shard=202611
    )
    assert len(row["body"]) <= BODY_MAX


@pytest.mark.parametrize(("shard", "following"), [(202611, 202612), (202612, 202701), (202601, 202602)])
def test_next_shard_is_the_next_month(shard: int, following: int) -> None:
    assert next_shard(shard) == following


def test_shard_is_the_month_in_utc() -> None:
    assert shard_of(datetime.fromisoformat("2026-12-01T00:30:00+02:00")) == 202611
