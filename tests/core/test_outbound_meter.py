"""A body is counted whole, a stream of events by its largest event, wherever its pieces are cut."""

import pytest

from core.outbound import OutboundError, Refusal
from core.outbound_meter import BodyMeter, is_event_stream


def test_a_body_may_be_as_large_as_its_limit() -> None:
    meter = BodyMeter(10, by_event=False)
    meter.count(b"12345")
    meter.count(b"67890")
    with pytest.raises(OutboundError) as caught:
        meter.count(b"1")
    assert caught.value.cls is Refusal.TOO_LARGE


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\n"])
@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1000])
def test_events_without_end_are_counted_one_by_one(end: bytes, cut: int) -> None:
    meter, stream = BodyMeter(30, by_event=True), (b"data: 1234567890" + end) * 50
    for start in range(0, len(stream), cut):
        meter.count(stream[start : start + cut])


def test_an_endless_event_ends() -> None:
    meter = BodyMeter(100, by_event=True)
    for _ in range(8):
        meter.count(b"data: 12345\n")
    with pytest.raises(OutboundError) as caught:
        meter.count(b"data: 12345\n")
    assert caught.value.cls is Refusal.TOO_LARGE


def test_which_content_types_are_streams() -> None:
    assert is_event_stream("Text/Event-Stream; charset=utf-8")
    assert not is_event_stream("application/json")
    assert not is_event_stream("")
