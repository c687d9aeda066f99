"""Server-sent events, decoded in whatever pieces they come."""

import pytest

from gateway.sse import Decoder, EventTooLarge, frame

STREAMS = {
    "one event": (b'data: {"a":1}\n\n', [b'{"a":1}']),
    "CRLF": (b"event: message\r\ndata: x\r\n\r\n", [b"x"]),
    "lone returns": (b"data: x\r\rdata: y\r\r", [b"x", b"y"]),
    "several data lines": (b"data: a\ndata: b\n\n", [b"a\nb"]),
    "no space after the colon": (b"data:x\n\n", [b"x"]),
    "comments, ids and retries": (b": ping\n\nid: 1\nretry: 5\ndata: x\n\n", [b"x"]),
    "a priming event without data": (b"id: 1\ndata:\n\ndata: x\n\n", [b"x"]),
    "another kind of event": (b"event: endpoint\ndata: x\n\n", []),
    "an event that never ends": (b"data: x\n", []),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_events_are_found_in_pieces_of_any_size(name: str, size: int) -> None:
    stream, expected = STREAMS[name]
    decoder = Decoder()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [event for piece in pieces for event in decoder.feed(piece)] == expected


@pytest.mark.parametrize("piece", [b"x" * 60, b"data: " + b"x" * 20 + b"\n"])
def test_an_event_beyond_the_limit_is_refused(piece: bytes) -> None:
    decoder = Decoder(limit=100)
    decoder.feed(piece)
    with pytest.raises(EventTooLarge):
        [decoder.feed(piece) for _ in range(10)]


def test_what_is_framed_is_decoded_again() -> None:
    assert Decoder().feed(frame(b'{"a": "b"}')) == [b'{"a": "b"}']
    assert Decoder().feed(frame(b"a\r\nb")) == [b"a\nb"]
