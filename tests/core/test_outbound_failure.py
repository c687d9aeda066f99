"""Every failure of an exchange has a class and a sentence of our own."""

import ssl

import httpcore2
import httpx2
import pytest

from core.outbound_failure import OutboundError, Refusal, classify


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "cls"),
    [
        (httpx2.ReadTimeout("slow"), Refusal.TIMEOUT),
        (httpcore2.ConnectTimeout("slow"), Refusal.TIMEOUT),
        (TimeoutError(), Refusal.TIMEOUT),
        (httpx2.ConnectError("no"), Refusal.REFUSED),
        (ConnectionRefusedError(), Refusal.REFUSED),
        (caused(httpcore2.ConnectError("no"), ssl.SSLCertVerificationError("bad")), Refusal.TLS),
        (caused(httpx2.ConnectError("no"), OutboundError(Refusal.BLOCKED)), Refusal.BLOCKED),
        (httpx2.InvalidURL("bad"), Refusal.BLOCKED),
        (httpx2.UnsupportedProtocol("ftp"), Refusal.BLOCKED),
        (httpx2.RemoteProtocolError("theirs"), Refusal.PROTOCOL_ERROR),
        (httpx2.ReadError("reset"), Refusal.PROTOCOL_ERROR),
        (ValueError("what"), Refusal.PROTOCOL_ERROR),
    ],
)
def test_failure_has_its_class_and_repeats_nothing(error: Exception, cls: Refusal) -> None:
    failure = classify(error)
    assert failure.cls is cls
    assert "theirs" not in failure.sentence
    assert failure.sentence.endswith(".")


def test_causes_that_go_in_circles_end() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert classify(first).cls is Refusal.PROTOCOL_ERROR
