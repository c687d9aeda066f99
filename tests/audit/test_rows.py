"""The fast rows of the gateway say what `columns` says, byte for byte."""

import json
import struct
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from audit import wire
from audit.chaining import Chain
from audit.drafts import FIELDS, Pattern, Position, RecordDraft, Repeat, columns
from audit.events import Event, RecordType
from audit.rows import Prepared, Rows
from core.ids import new_id

WRITER = UUID("01890000-0000-7000-8000-0000000000ab")
CHARS = st.sampled_from('az"\\/{},%\0\x01\x1f\x7f\u00fc\u2028\ud800\udfff\uffff\U0001f600')
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEXTS = st.sampled_from(["", "files", "read_file", "\0int:1", "x" * 512, "x" * 513, "\u00fc" * 257]) | st.text(
    CHARS, max_size=6
)
LISTS = st.lists(TEXTS, max_size=3).map(tuple) | st.just(("a",) * 65)
TIMES = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])).filter(
    lambda time: datetime(2, 1, 1, tzinfo=UTC) < time < datetime(9998, 1, 1, tzinfo=UTC)
)
FIELD_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(RecordType),
    "event": st.sampled_from(Event),
    "time": TIMES,
    "id": st.uuids(),
    **dict.fromkeys(("call_id", "parent_call_id", "batch_id"), st.none() | st.uuids()),
    **dict.fromkeys(("rule_ids", "scopes_used"), LISTS),
    **dict.fromkeys(("args_commit", "result_commit"), st.none() | st.binary(max_size=40)),
    "latency_ms": st.none() | st.integers(-(2**31), 2**31 - 1),
    "bytes": st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**53 - 1, 2**53]),
    **dict.fromkeys(("before", "after"), st.none() | st.dictionaries(TEXTS, TEXTS | st.floats(), max_size=2)),
}
DRAFTS = st.fixed_dictionaries(
    {name: FIELD_VALUES[name] for name in ("type", "event", "time", "id")} | {"principal": TEXTS},
    optional={
        name: FIELD_VALUES.get(name, TEXTS)
        for name in FIELDS
        if name not in ("type", "event", "time", "id", "principal")
    },
).map(lambda fields: RecordDraft(**fields))
# One for all examples, so that what it remembers of one draft meets the next.
MAKER = Rows("acme \u00fc")


def a_draft(**fields: Any) -> RecordDraft:
    given_fields = {"type": RecordType.INTENT, "event": Event.CALL_INTENDED, "principal": "agent:a", **fields}
    return RecordDraft(**{"time": NOON, **given_fields})


def chain_before(seq: int, writer: UUID = WRITER) -> Chain:
    chain = Chain("acme \u00fc", writer, 202611, bytes(32))
    chain.seq = seq - 1
    return chain


def placed(prepared: Prepared, seq: int) -> wire.Values:
    first, shared, last = MAKER.place(prepared, chain_before(seq))
    return *first, *shared, *last


def body_of(row: wire.Values) -> bytes:
    return row[wire.ORDER.index("body")][4:]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DRAFTS, st.integers(1, 2**53 - 1))  # no writer comes so far
def test_a_row_is_that_of_columns_byte_for_byte(draft: RecordDraft, seq: int) -> None:
    row = placed(MAKER.prepare(draft), seq)
    expected = columns(draft, installation="acme \u00fc", shard=202611, position=Position(WRITER, seq))
    assert body_of(row) == expected["body"]
    assert row == placed(Prepared(draft), seq)
    assert row == placed(MAKER.prepare(draft), seq)  # as it is remembered now


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DRAFTS, st.uuids(), TIMES, TEXTS)
def test_what_one_record_left_in_memory_does_not_show_in_the_next(
    draft: RecordDraft, identity: UUID, time: datetime, trace_id: str
) -> None:
    MAKER.prepare(draft)
    following = replace(draft, id=identity, time=time, trace_id=trace_id, call_id=identity, latency_ms=7)
    assert placed(MAKER.prepare(following), 1) == placed(Prepared(following), 1)


@given(DRAFTS)
def test_a_usual_row_is_placed_alike_by_itself_and_what_is_not_usual_leaves_the_chain_as_it_was(
    draft: RecordDraft,
) -> None:
    prepared, chain = MAKER.prepare(draft), chain_before(7)
    before = chain.seq, chain.link
    row = MAKER.place_usual(prepared, chain)
    if row is None:
        assert (chain.seq, chain.link) == before
    else:
        other = chain_before(7)
        assert row == MAKER.place(prepared, other)
        assert (chain.seq, chain.link) == (other.seq, other.link)


@pytest.mark.parametrize(("fields", "usual"), [({}, True), ({"tool": "\0"}, False), ({"reason": "r" * 9000}, False)])
def test_what_columns_has_to_judge_is_not_placed_as_usual(fields: dict[str, Any], *, usual: bool) -> None:
    assert (MAKER.place_usual(MAKER.prepare(a_draft(**fields)), chain_before(1)) is not None) is usual


# Of what is said in words: anything, or what leaves nothing to `columns`.
SOUND = st.sampled_from(["", "files", "100 %b", 'quo"te\\', "\u00fc\u2028"])
CALLS = st.fixed_dictionaries(
    {"principal": SOUND, "tool": SOUND, "owner_team": SOUND, "status": SOUND, "scopes_used": st.lists(SOUND).map(tuple)}
).map(lambda words: a_draft(**words))
# Of what a record says besides words: an intent's, an outcome's, and any mixture.
COMMITMENTS = st.binary(min_size=32, max_size=32) | st.binary(max_size=40)
INT4S = st.integers(-1, 2**31) | st.sampled_from([0, 12, 2**31 - 1])
NUMBERS = INT4S | st.sampled_from([2**53 - 1, 2**53])
SAID = st.one_of(
    st.fixed_dictionaries({"args_commit": COMMITMENTS}),
    st.fixed_dictionaries({"result_commit": COMMITMENTS, "latency_ms": INT4S, "bytes": NUMBERS}),
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("args_commit", "result_commit"), COMMITMENTS),
            **dict.fromkeys(("latency_ms", "bytes"), NUMBERS),
        },
    ),
)
AN_OUTCOME = {"result_commit": bytes(range(32)), "latency_ms": 3, "bytes": 12}
UNIQUE = st.just("") | st.just("0af7651916cd43dd8448eb211c80319c") | TEXTS


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(a_draft(tool="100 %b"), WRITER, NOON, WRITER, {"args_commit": bytes(32)}, "0a" * 16, "100 %b")
@example(a_draft(tool="100 %b"), WRITER, NOON, WRITER, AN_OUTCOME, "", "")
@example(a_draft(), WRITER, NOON, WRITER, AN_OUTCOME | {"bytes": 2**53 - 1, "latency_ms": 2**31 - 1}, "", "")
@example(a_draft(), WRITER, NOON, WRITER, AN_OUTCOME | {"bytes": 2**53}, "", "")
@example(a_draft(), WRITER, NOON, WRITER, AN_OUTCOME | {"latency_ms": 2**31}, "", "")
@given(DRAFTS | CALLS, st.uuids(), TIMES, st.none() | st.uuids(), SAID, UNIQUE, UNIQUE)
def test_a_repeat_is_the_row_of_its_pattern_written_out(
    draft: RecordDraft,
    identity: UUID,
    time: datetime,
    call: UUID | None,
    said: dict[str, Any],
    trace_id: str,
    intention: str,
) -> None:
    pattern = Pattern(draft)
    first = Repeat(pattern, new_id(), time, call)
    again = Repeat(pattern, identity, time, call, trace_id=trace_id, intention=intention, **said)
    nothing = dict.fromkeys(("args_commit", "result_commit", "latency_ms", "bytes"))
    more = {"trace_id": trace_id, "intention": intention, **nothing, **said}
    written_out = replace(draft, id=identity, time=time, call_id=call, **more)
    MAKER.prepare(first)
    prepared = MAKER.prepare(again)
    try:
        expected = placed(Prepared(written_out), 7)
    except struct.error:
        with pytest.raises(struct.error):
            placed(prepared, 7)
    else:
        assert placed(prepared, 7) == expected


def test_a_usual_record_takes_the_fast_way() -> None:
    usual = a_draft(
        actor="agent:a",
        call_id=new_id(),
        tool="read_file",
        owner_team="Pr\u00fcfer",
        scopes_used=("mcp:connect", "mcp:files:call"),
        latency_ms=3,
        bytes=12,
        args_commit=b"\x00\xff",
    )
    assert MAKER.prepare(usual).own is not None
    assert MAKER.prepare(a_draft(tool="a\0b")).own is None
    for fields in ({}, {"reason": "not_granted"}):
        repeat = Repeat(Pattern(a_draft(**fields)), new_id(), datetime.now(UTC), new_id())
        assert MAKER.prepare(repeat).own is not None
    for more in (
        (3, 12, "a" * 32),
        (3, 12, "", b"\x00" * 32, b"\x01" * 32, "because"),
        (None, None, "a" * 32, b"\x00" * 32, None, "because"),
        (3, 12, "a" * 32, None, b"\x00" * 32),
    ):
        repeat = Repeat(Pattern(a_draft(tool="100 %b")), new_id(), datetime.now(UTC), new_id(), *more)
        prepared = MAKER.prepare(repeat)
        assert prepared.own is not None
        assert len(prepared.own) == len(wire.VARYING)


def test_a_body_that_is_too_long_is_bounded_as_ever() -> None:
    long = a_draft(rule_ids=("r" * 500,) * 20, scopes_used=("s" * 500,) * 20)
    assert MAKER.prepare(long).own is not None
    expected = columns(long, installation="acme \u00fc", shard=202611, position=Position(WRITER, 7))
    assert body_of(placed(MAKER.prepare(long), 7)) == expected["body"]


def test_a_change_of_writer_is_in_the_next_body() -> None:
    maker, other = Rows("acme"), uuid4()
    for writer in (WRITER, other, WRITER):
        assert json.loads(maker.place(maker.prepare(a_draft()), chain_before(1, writer))[0][1][4:])["writer"] == str(
            writer
        )


@pytest.mark.parametrize("field", [{"latency_ms": 2**31}, {"bytes": 2**63}])
def test_what_no_column_holds_is_refused(field: dict[str, int]) -> None:
    with pytest.raises(struct.error):
        placed(MAKER.prepare(a_draft(**field)), 1)


def test_memory_of_texts_is_bounded() -> None:
    maker = Rows("acme")
    for number in range(5000):
        maker.prepare(a_draft(tool=f"tool {number}", scopes_used=(f"scope {number}",)))
    maker.prepare(a_draft(tool="y" * 500))
    maker.prepare(a_draft(**dict.fromkeys(("tool", "subject", "server", "kind", "agent"), "z" * 500)))
    memories: list[dict[Any, Any]] = [maker._forms, *maker._memories.values()]
    assert all(len(memory) <= 512 for memory in memories)
    assert "y" * 500 not in maker._memories["tool"]
    assert not any("z" * 500 in words for words in maker._forms)
