"""How outbound traffic fails: a class, a sentence of our own, and nothing that the other side sent."""

import ssl
from enum import StrEnum
from typing import Final

import httpcore2
import httpx2


class Refusal(StrEnum):
    """Classes of failure, and all that a registrant learns about one."""

    DNS = "dns"
    REFUSED = "refused"
    TLS = "tls"
    TIMEOUT = "timeout"
    BLOCKED = "blocked"
    TOO_LARGE = "too_large"
    PROTOCOL_ERROR = "protocol_error"


_SENTENCES: Final = {
    Refusal.DNS: "The host name could not be resolved.",
    Refusal.REFUSED: "No connection could be made to the address.",
    Refusal.TLS: "The TLS connection failed; check the certificate and that it names this host.",
    Refusal.TIMEOUT: "The server did not answer in time.",
    Refusal.BLOCKED: "This address is not open to outbound traffic here.",
    Refusal.TOO_LARGE: "The server's answer is larger than we accept.",
    Refusal.PROTOCOL_ERROR: "The server's answer is not valid HTTP, or the connection broke off.",
}


class OutboundError(httpx2.TransportError):
    """Outbound traffic failed. `cls` and `sentence` may be shown; they hold nothing that the other side sent."""

    def __init__(self, cls: Refusal, sentence: str = "") -> None:
        self.cls = cls
        self.sentence = sentence or _SENTENCES[cls]
        super().__init__(self.sentence)


def classify(error: BaseException) -> OutboundError:
    """The failure of an HTTP exchange in our classes, told apart by the chain of causes."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    for each in chain:
        if isinstance(each, OutboundError):
            return each
    if any(isinstance(each, ssl.SSLError) for each in chain):
        return OutboundError(Refusal.TLS)
    return OutboundError(next((_CLASSES[kind] for kind in _CLASSES if isinstance(error, kind)), Refusal.PROTOCOL_ERROR))


_CLASSES: Final[dict[type[BaseException], Refusal]] = {
    httpcore2.TimeoutException: Refusal.TIMEOUT,
    httpx2.TimeoutException: Refusal.TIMEOUT,
    TimeoutError: Refusal.TIMEOUT,
    httpcore2.ConnectError: Refusal.REFUSED,
    httpx2.ConnectError: Refusal.REFUSED,
    ConnectionRefusedError: Refusal.REFUSED,
    httpx2.UnsupportedProtocol: Refusal.BLOCKED,
    httpx2.InvalidURL: Refusal.BLOCKED,
}


# What the pools raise for a failed exchange.
TRANSPORT_FAILURES: Final = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)
