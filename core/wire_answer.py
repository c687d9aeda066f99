"""One answer of HTTP/1.1, from bytes in whatever pieces they come. No sockets here, and no time.

Syntax is llhttp's, without leniencies. On top of it stand the rules that keep two readers of one connection from
disagreeing about where an answer ends (RFC 9112, 6.3): what is framed in two ways is refused, and a connection on
which anything was unusual is not used again. One object reads one answer, so nothing of it is there for the next.
"""

import re
from typing import Final

import httptools

from core.outbound_failure import OutboundError, Refusal
from core.wire_known import KnownHead, known_head

_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
_BODILESS: Final = frozenset({204, 304})
_TOO_MANY_HEADERS: Final = "The server's answer has more headers than we accept."


class AnswerReader:
    """Takes bytes, gives status, headers and body.

    `headers` is None until the head is there. `complete`: the answer ended. `reusable`: it ended where we know that
    the next one begins. `known`: a head that the parser read on this connection; another answer that has it, and
    comes whole, needs no parser.
    """

    status = 0
    headers: dict[str, str] | None = None
    complete = False
    reusable = False
    buffered = 0  # bytes of body that nobody took yet
    _count = 0  # headers and trailers, those of interim answers too, and their bytes
    _size = 0
    _silent = 0  # bytes since the last one of body
    _until_closed = False
    _had_interim = False
    _refused: OutboundError | None = None
    _begun = False
    _pending: dict[str, str]  # what the parser read of a head so far
    _parser: httptools.HttpResponseParser | None = None  # from the first byte to the end of the answer

    def __init__(self, method: str, *, header_bytes: int, header_count: int, known: KnownHead | None = None) -> None:
        self.known = known
        self._method = method
        self._header_bytes = header_bytes
        self._header_count = header_count
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Read on. Raises `OutboundError`, classes `protocol_error` and `too_large`."""
        if self._begun:
            self._parse(data)
            return
        self._begun = True
        if self.known is None or not self._has_known_head(self.known, data):
            self._pending = {}
            self._parser = httptools.HttpResponseParser(self)
            self._parse(data)
            if self.complete and self.reusable:
                self._remember(data)

    def _has_known_head(self, known: KnownHead, data: bytes) -> bool:
        """Whether `data` is a whole answer with that head; then it is read."""
        if (
            known.header_bytes > self._header_bytes
            or known.header_count > self._header_count
            or self._method == "HEAD"
            or (body := known.cut.body_of(data)) is None
        ):
            return False
        length = len(body)
        self.status, self.headers = known.status, {**known.headers, "content-length": str(length)}
        self._pieces.append(body)
        self.buffered = length
        self.complete = self.reusable = True
        return True

    def _remember(self, data: bytes) -> None:
        """Keep the head of an answer that came whole, for the next one on this connection."""
        if not self._had_interim and self.status not in _BODILESS:
            found = known_head(data, self.status, self.headers or {}, self._size, self._count)
            self.known = found or self.known

    def _parse(self, data: bytes) -> None:
        parser, before = self._parser, self.buffered
        if parser is None:
            self.reusable = False  # something follows an answer that had ended
            return
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                raise self._refused or OutboundError(Refusal.PROTOCOL_ERROR) from error
            self.reusable = False
        if self.complete:
            self._parser = None  # it holds our callbacks: without this, each answer would wait for the collector
        # Trailers, chunk extensions and interim answers are not kept, but may not come without end either.
        self._silent = 0 if self.buffered > before else self._silent + len(data)
        if self._silent > self._header_bytes and not self.complete:
            raise OutboundError(Refusal.TOO_LARGE, _TOO_MANY_HEADERS)

    def end(self) -> None:
        """The server closed the connection in order. Raises `OutboundError` where that is not the answer's end."""
        self.reusable = False
        self._begun = True
        if self._until_closed:
            self.complete = True
        self._parser = None
        if not self.complete:
            raise OutboundError(Refusal.PROTOCOL_ERROR)

    def take(self) -> bytes:
        """What there is of the body since the last time."""
        pieces, self._pieces, self.buffered = self._pieces, [], 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    # --- called by the parser -------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Another answer begins; after the one that we asked for it is nobody's."""
        if self.complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header or trailer."""
        self._count += 1
        self._size += len(name) + len(value) + 4
        if self._count > self._header_count or self._size > self._header_bytes:
            self._refuse(Refusal.TOO_LARGE, _TOO_MANY_HEADERS)
        if self.headers is None:
            key = name.decode("latin-1").lower()
            # The parser does not take `chunked` with a space after it for chunked: what frames is judged as it came.
            text = (value if key in _FRAMING else value.strip(b" \t")).decode("latin-1")
            self._pending[key] = f"{self._pending[key]}, {text}" if key in self._pending else text

    def on_headers_complete(self) -> None:
        """The head is there: of an interim answer, which is dropped, or of ours."""
        if self.complete or self._parser is None:
            return
        status, version = self._parser.get_status_code(), self._parser.get_http_version()
        if version not in ("1.0", "1.1") or not 100 <= status <= 599 or status == 101:
            self._refuse(Refusal.PROTOCOL_ERROR)
        if status < 200:
            self._pending, self._had_interim = {}, True
            return
        self._judge(status, version, self._pending)
        self.status, self.headers = status, self._pending
        self.complete = self._method == "HEAD"

    def on_body(self, piece: bytes) -> None:
        """A piece of body."""
        if not self.complete:
            self._pieces.append(piece)
            self.buffered += len(piece)

    def on_message_complete(self) -> None:
        """The end of an answer, ours unless it was an interim one."""
        if self.headers is not None:
            self.complete = True

    def _judge(self, status: int, version: str, headers: dict[str, str]) -> None:
        """Where the body ends, and whether anything may come after it."""
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if coding is not None and (length is not None or version == "1.0" or coding.lower() != "chunked"):
            self._refuse(Refusal.PROTOCOL_ERROR)
        if length is not None and not _LENGTH.fullmatch(length):
            self._refuse(Refusal.PROTOCOL_ERROR)
        if headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
            # A small compressed body can be an endless one; we asked for none.
            self._refuse(Refusal.PROTOCOL_ERROR, "The server compressed its answer although we asked it not to.")
        bodiless = status in _BODILESS or self._method == "HEAD"
        framed = coding is not None or length is not None
        self._until_closed = not (bodiless or framed)
        # A length where no body may be is where others read one: such a connection ends here.
        sound = length in (None, "0") and coding is None if bodiless else framed
        lasting = version == "1.1" and "close" not in headers.get("connection", "").lower()
        self.reusable = sound and lasting and self._method != "HEAD"

    def _refuse(self, cls: Refusal, sentence: str = "") -> None:
        # The parser hides what its callbacks raise behind an error of its own.
        self._refused = OutboundError(cls, sentence)
        raise self._refused
