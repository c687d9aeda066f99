"""Server-sent events as we write them."""

import pytest

from core.sse import Event, EventDecoder
from gateway.sse import PING, frame


@pytest.mark.parametrize(
    ("written", "read"), [(b'{"a": "b"}', b'{"a": "b"}'), (b"a\r\nb", b"a\nb"), (b"a\rb", b"a\nb")]
)
def test_what_is_framed_is_decoded_again(written: bytes, read: bytes) -> None:
    assert EventDecoder().feed(frame(written)) == [Event("message", read)]


def test_a_ping_is_no_event() -> None:
    assert EventDecoder().feed(PING) == []
