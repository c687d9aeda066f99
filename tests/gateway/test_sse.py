"""Server-sent events as we write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sse import Event, EventDecoder
from gateway.sse import PING, frame, priming


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b'{"a": "b"}', b'{"a": "b"}'),
        (b"a\r\nb", b"a\nb"),
        (b"a\rb", b"a\nb"),
        (b"", b""),
        (b"\n\n", b"\n\n"),
        ("{\"a\":\u2028\"\u0085\"}".encode(), "{\"a\":\u2028\"\u0085\"}".encode()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("id_", ["", "e-1"])
def test_what_is_framed_is_decoded_again(written: bytes, read: bytes, id_: str) -> None:
    assert EventDecoder().feed(frame(written, id_)) == [Event("message", read, id_)]


@given(st.text(alphabet='\r\n:{}" adeitv0'), st.sampled_from(["", "e-1"]))
def test_no_message_can_end_its_event_or_begin_another(text: str, id_: str) -> None:
    """A server's own bytes are passed on, line breaks between its tokens included."""
    found = EventDecoder().feed(frame(text.encode(), id_))
    assert found == [Event("message", text.replace("\r\n", "\n").replace("\r", "\n").encode(), id_)]


def test_json_over_several_lines_stays_the_same_json() -> None:
    raw = b'{\r\n  "data: x": "y\\n",\r  "event": [1,\n\n2]\n}'
    (event,) = EventDecoder().feed(frame(raw))
    assert json.loads(event.data) == json.loads(raw)


@pytest.mark.parametrize("retry", [None, 0, 1500])
def test_a_stream_is_primed_with_an_id_and_no_data(retry: int | None) -> None:
    assert EventDecoder().feed(priming("e-1", retry)) == [Event("message", b"", "e-1", retry)]


def test_a_ping_is_no_event() -> None:
    assert EventDecoder().feed(PING) == []
    assert EventDecoder().feed(PING + frame(b"{}")) == [Event("message", b"{}")]
