"""Events come out the same however the bytes are cut."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sse import Event, EventDecoder, EventTooLarge


def decode(stream: bytes, size: int) -> list[Event]:
    decoder = EventDecoder()
    found: list[Event] = []
    for start in range(0, len(stream), size):
        found += decoder.feed(stream[start : start + size])
    return found


STREAM = (
    b": comment\r\n\r\nevent: endpoint\ndata: /m\n\nid: 1\ndata\n\ndata:one\r\ndata: two\r\r"
    b"event: dropped\nid: 2\n\ndata:  spaced\nretry: 5\nunknown: x\n\ndata: never finished"
)
EVENTS = [
    Event("endpoint", b"/m"),
    Event("message", b"", "1"),
    Event("message", b"one\ntwo"),
    Event("message", b" spaced", retry=5),
]


def test_events_are_decoded_as_the_standard_says() -> None:
    assert decode(STREAM, len(STREAM)) == EVENTS


@given(st.integers(min_value=1, max_value=len(STREAM)))
def test_cuts_make_no_difference(size: int) -> None:
    assert decode(STREAM, size) == EVENTS


@given(st.lists(st.sampled_from([b"data: a", b"\r", b"\n", b"\r\n", b"event: e", b":", b"\xff"])), st.integers(1, 9))
def test_any_stream_decodes_the_same_in_pieces(parts: list[bytes], size: int) -> None:
    stream = b"".join(parts)
    assert decode(stream, size) == decode(stream, len(stream) or 1)


IDS: dict[str, tuple[bytes, list[tuple[str, int | None]]]] = {
    "an event's own": (b"id: a\ndata: x\n\n", [("a", None)]),
    "the last of two": (b"id: a\nid: b\ndata: x\n\n", [("b", None)]),
    "not that of the event before": (b"id: a\ndata: x\n\ndata: y\n\n", [("a", None), ("", None)]),
    "not that of an event without data": (b"id: a\nretry: 7\n\ndata: y\n\n", [("", None)]),
    "none with NUL in it": (b"id: a\0b\ndata: x\n\n", [("", None)]),
    "none that is endless": (b"id: " + b"a" * 1025 + b"\ndata: x\n\n", [("", None)]),
    "as long as one may be": (b"id: " + b"a" * 1024 + b"\ndata: x\n\n", [("a" * 1024, None)]),
    "in any alphabet": ("id: é\ndata: x\n\n".encode(), [("é", None)]),
    "with the pause to make": (b"id: a\nretry: 100\ndata:\n\n", [("a", 100)]),
    "a pause that is no number": (b"retry: -1\nretry: 1.5\nretry: x\nretry:\ndata: x\n\n", [("", None)]),
    "a pause of ages": (b"retry: 9999999999\ndata: x\n\n", [("", None)]),
}


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("size", [1, 1000])
def test_an_event_has_the_id_and_pause_that_it_names_itself(name: str, size: int) -> None:
    stream, expected = IDS[name]
    assert [(event.id, event.retry) for event in decode(stream, size)] == expected


def test_final_bare_carriage_return_ends_the_event() -> None:
    assert decode(b"data: x\r\r", 3) == [Event("message", b"x")]


def test_invalid_utf8_is_passed_on_for_the_parser_to_refuse() -> None:
    assert decode(b"data: \xff\n\n", 4) == [Event("message", b"\xff")]


def test_long_line_in_small_pieces_takes_linear_time() -> None:
    decoder, started = EventDecoder(), time.thread_time()
    for _ in range(20_000):
        assert list(decoder.feed(b"x" * 100)) == []
    assert time.thread_time() - started < 2


STREAMS = {
    "CRLF": (b"event: message\r\ndata: x\r\n\r\n", [b"x"]),
    "lone returns": (b"data: x\r\rdata: y\r\r", [b"x", b"y"]),
    "several data lines": (b"data: a\ndata: b\n\n", [b"a\nb"]),
    "comments, ids and retries": (b": ping\n\nid: 1\nretry: 5\ndata: x\n\n", [b"x"]),
    "a priming event without data": (b"id: 1\ndata:\n\ndata: x\n\n", [b"", b"x"]),
    "an event that never ends": (b"data: x\n", []),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_an_event_comes_out_with_the_byte_that_completes_it(name: str, size: int) -> None:
    stream, expected = STREAMS[name]
    assert [event.data for event in decode(stream, size)] == expected


@pytest.mark.parametrize("piece", [b"x" * 60, b"data: " + b"x" * 20 + b"\n"])
def test_an_event_beyond_the_limit_is_refused(piece: bytes) -> None:
    decoder = EventDecoder(limit=100)
    decoder.feed(piece)
    with pytest.raises(EventTooLarge):
        [decoder.feed(piece) for _ in range(10)]


def test_many_events_below_the_limit_are_no_large_one() -> None:
    decoder = EventDecoder(limit=100)
    assert [len(decoder.feed(b"data: " + b"x" * 50 + b"\n\n")) for _ in range(10)] == [1] * 10
