"""Answers are read strictly, the same in whatever pieces they come, and nothing is left for the next one."""

import itertools
from contextlib import suppress
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.outbound import OutboundError, Refusal
from core.wire_answer import AnswerReader
from core.wire_known import KnownHead


class Limits(TypedDict):
    """Of one reader."""

    header_bytes: int
    header_count: int


LIMITS: Limits = {"header_bytes": 4096, "header_count": 20}
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


def read(*pieces: bytes, method: str = "POST", closed: bool = False) -> tuple[AnswerReader, bytes]:
    reader = AnswerReader(method, **LIMITS)
    for piece in pieces:
        reader.feed(piece)
    if closed:
        reader.end()
    return reader, reader.take()


def singly(data: bytes) -> list[bytes]:
    return [data[number : number + 1] for number in range(len(data))]


# name: bytes, method, status, body, whether the connection may be used again
WHOLE = {
    "length": (HEAD + b"content-length: 2\r\n\r\nok", "POST", 200, b"ok", True),
    "no body": (HEAD + b"content-length: 0\r\n\r\n", "POST", 200, b"", True),
    "chunked": (CHUNKED + b"2\r\nok\r\n3;ext=1\r\nyes\r\n0\r\n\r\n", "POST", 200, b"okyes", True),
    "chunked in capitals": (
        HEAD + b"Transfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
        "POST",
        200,
        b"0123456789",
        True,
    ),
    "trailer": (CHUNKED + b"2\r\nok\r\n0\r\nx-late: 1\r\n\r\n", "POST", 200, b"ok", True),
    "chunked with space before": (
        HEAD + b"transfer-encoding: \t chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "POST",
        200,
        b"ok",
        True,
    ),
    "length with space before": (HEAD + b"content-length: \t 2\r\n\r\nok", "POST", 200, b"ok", True),
    "closing": (HEAD + b"connection: close\r\ncontent-length: 2\r\n\r\nok", "POST", 200, b"ok", False),
    "closing among others": (
        HEAD + b"connection: foo, Close\r\ncontent-length: 2\r\n\r\nok",
        "POST",
        200,
        b"ok",
        False,
    ),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", "POST", 200, b"ok", False),
    "HTTP/1.0 that would stay": (
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
        "POST",
        200,
        b"ok",
        False,
    ),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", "POST", 204, b"", True),
    "204 with a length of nothing": (b"HTTP/1.1 204 No\r\ncontent-length: 0\r\n\r\n", "POST", 204, b"", True),
    "204 with a length": (b"HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\n", "POST", 204, b"", False),
    "204 with chunks": (b"HTTP/1.1 204 No\r\ntransfer-encoding: chunked\r\n\r\n", "POST", 204, b"", False),
    "304": (b"HTTP/1.1 304 Not Modified\r\n\r\n", "GET", 304, b"", True),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", "GET", 304, b"", False),
    "HEAD with a length": (HEAD + b"content-length: 5\r\n\r\n", "HEAD", 200, b"", False),
    "HEAD without": (HEAD + b"\r\n", "HEAD", 200, b"", False),
    "DELETE": (HEAD + b"content-length: 0\r\n\r\n", "DELETE", 200, b"", True),
    "interim answers": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: </a>\r\n\r\n"
        + HEAD
        + b"content-length: 2\r\n\r\nok",
        "POST",
        200,
        b"ok",
        True,
    ),
    "no reason": (b"HTTP/1.1 202 \r\ncontent-length: 0\r\n\r\n", "POST", 202, b"", True),
    "identity": (HEAD + b"content-encoding: identity\r\ncontent-length: 2\r\n\r\nok", "POST", 200, b"ok", True),
}


@pytest.mark.parametrize(("data", "method", "status", "body", "reusable"), WHOLE.values(), ids=WHOLE.keys())
def test_a_whole_answer_is_read_the_same_at_once_and_byte_by_byte(
    data: bytes, method: str, status: int, body: bytes, *, reusable: bool
) -> None:
    for pieces in ([data], singly(data)):
        reader, found = read(*pieces, method=method)
        assert (reader.status, found, reader.complete, reader.reusable) == (status, body, True, reusable)


@given(st.sampled_from(sorted(WHOLE)), st.lists(st.integers(1, 200), max_size=8))
def test_where_the_pieces_are_cut_does_not_matter(name: str, cuts: list[int]) -> None:
    data, method, status, body, reusable = WHOLE[name]
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    reader, found = read(*(data[one:other] for one, other in itertools.pairwise(edges)), method=method)
    assert (reader.status, found, reader.complete, reader.reusable) == (status, body, True, reusable)


REFUSED = {
    "length and chunks": HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": HEAD + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\nokk",
    "two equal lengths": HEAD + b"content-length: 2\r\ncontent-length: 2\r\n\r\nok",
    "list of lengths": HEAD + b"content-length: 2, 2\r\n\r\nok",
    "signed length": HEAD + b"content-length: +2\r\n\r\nok",
    "negative length": HEAD + b"content-length: -2\r\n\r\nok",
    "hexadecimal length": HEAD + b"content-length: 0x2\r\n\r\nok",
    "empty length": HEAD + b"content-length: \r\n\r\nok",
    "length beyond 64 bits": HEAD + b"content-length: 18446744073709551618\r\n\r\nok",
    "length with underscore": HEAD + b"content-length: 1_0\r\n\r\n0123456789",
    "other coding": HEAD + b"transfer-encoding: gzip\r\n\r\nok",
    "gzip, chunked": HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked, identity": HEAD + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "almost chunked": HEAD + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked with space after": HEAD + b"transfer-encoding: chunked \r\n\r\n0\r\n\r\n",
    "length with space after": HEAD + b"content-length: 2 \r\n\r\nok",
    "chunked with a vertical tab": HEAD + b"transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk without size": CHUNKED + b"\r\nok\r\n0\r\n\r\n",
    "chunk of a bad size": CHUNKED + b"xyz\r\nok\r\n0\r\n\r\n",
    "chunk of a signed size": CHUNKED + b"+2\r\nok\r\n0\r\n\r\n",
    "chunk of a 0x size": CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n",
    "chunk of a negative size": CHUNKED + b"-2\r\nok\r\n0\r\n\r\n",
    "chunk beyond 64 bits": CHUNKED + b"10000000000000002\r\nok\r\n0\r\n\r\n",
    "chunk longer than said": CHUNKED + b"2\r\nokay\r\n0\r\n\r\n",
    "chunk with a bare LF": CHUNKED + b"2\nok\r\n0\r\n\r\n",
    "chunk with spaces": CHUNKED + b"2  \r\nok\r\n0\r\n\r\n",
    "chunk extension with LF": CHUNKED + b"2;a\nb\r\nok\r\n0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
    "bare CR": HEAD + b"a: b\rcontent-length: 2\r\n\r\nok",
    "bare LF in a header": HEAD + b"a: b\ncontent-length: 2\r\n\r\nok",
    "space before the colon": HEAD + b"content-length : 2\r\n\r\nok",
    "space in the name": HEAD + b"content length: 2\r\n\r\nok",
    "no colon": HEAD + b"content-length\r\n\r\nok",
    "empty name": HEAD + b": 2\r\n\r\nok",
    "obs-fold": HEAD + b"content-length: 2\r\na: b\r\n c\r\n\r\nok",
    "obs-fold with tab": HEAD + b"content-length: 2\r\na: b\r\n\tc\r\n\r\nok",
    "fold at once": HEAD + b" a: b\r\ncontent-length: 2\r\n\r\nok",
    "NUL in a value": HEAD + b"a: b\x00c\r\ncontent-length: 2\r\n\r\nok",
    "NUL in a name": HEAD + b"a\x00b: c\r\ncontent-length: 2\r\n\r\nok",
    "control in a value": HEAD + b"a: b\x01c\r\ncontent-length: 2\r\n\r\nok",
    "compressed": HEAD + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\nok",
    "compressed somewhere": HEAD + b"content-encoding: identity, br\r\ncontent-length: 2\r\n\r\nok",
    "101": b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "101 without upgrade": b"HTTP/1.1 101 Switching\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "HTTP/11": b"HTTP/11.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "status 099": b"HTTP/1.1 099 No\r\ncontent-length: 2\r\n\r\nok",
    "status 600": b"HTTP/1.1 600 No\r\ncontent-length: 2\r\n\r\nok",
    "status of two digits": b"HTTP/1.1 20 No\r\ncontent-length: 2\r\n\r\nok",
    "status of four digits": b"HTTP/1.1 2000 No\r\ncontent-length: 2\r\n\r\nok",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a request": b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "rubbish first": b"garbage" + HEAD + b"content-length: 2\r\n\r\nok",
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_what_two_readers_could_understand_differently_is_refused(data: bytes) -> None:
    for pieces in ([data], singly(data)):
        with pytest.raises(OutboundError) as caught:
            read(*pieces)
        assert caught.value.cls is Refusal.PROTOCOL_ERROR


def test_a_body_of_unknown_length_ends_with_the_connection() -> None:
    reader, _ = read(HEAD + b"\r\nall of")
    assert not reader.complete
    reader.feed(b" it")
    reader.end()
    assert (reader.take(), reader.complete, reader.reusable) == (b" it", True, False)


TRUNCATED = {
    "nothing": b"",
    "head": HEAD + b"content-le",
    "length": HEAD + b"content-length: 5\r\n\r\nok",
    "chunk": CHUNKED + b"5\r\nok",
    "last chunk": CHUNKED + b"2\r\nok\r\n0\r\n",
    "interim answer only": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.mark.parametrize("data", TRUNCATED.values(), ids=TRUNCATED.keys())
def test_a_connection_that_ends_too_early_is_no_answer(data: bytes) -> None:
    with pytest.raises(OutboundError) as caught:
        read(data, closed=True)
    assert caught.value.cls is Refusal.PROTOCOL_ERROR


@pytest.mark.parametrize("extra", [b"x", b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", b"\x00", b"\r\n\r\nx"])
@pytest.mark.parametrize("name", [name for name, case in WHOLE.items() if case[4]])
def test_what_follows_an_answer_is_not_read_and_ends_the_connection(name: str, extra: bytes) -> None:
    data, method, status, body, _ = WHOLE[name]
    for pieces in ([data + extra], [data, extra], singly(data + extra)):
        reader, found = read(*pieces, method=method)
        assert (reader.status, found, reader.complete, reader.reusable) == (status, body, True, False)


def test_headers_are_lower_case_and_joined() -> None:
    reader, _ = read(HEAD + b"X-One: a\r\nx-one:  b \r\nSet-Cookie: \xe4\r\ncontent-length: 0\r\n\r\n")
    assert reader.headers == {"x-one": "a, b", "set-cookie": "\xe4", "content-length": "0"}


def test_neither_interim_answers_nor_trailers_add_headers() -> None:
    reader, _ = read(b"HTTP/1.1 103 Early\r\nx-early: 1\r\n\r\n" + CHUNKED + b"0\r\nmcp-session-id: evil\r\n\r\n")
    assert reader.headers == {"transfer-encoding": "chunked"}


FLOODS = {
    "header": (HEAD + b"a: ", b"x" * 100),
    "headers": (HEAD, b"x-a: 1\r\n"),
    "reason": (b"HTTP/1.1 200 ", b"O" * 100),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "interim headers": (b"", b"HTTP/1.1 103 Early\r\na: b\r\n\r\n"),
    "trailer": (CHUNKED + b"2\r\nok\r\n0\r\na: ", b"x" * 100),
    "trailers": (CHUNKED + b"2\r\nok\r\n0\r\n", b"x-a: 1\r\n"),
    "chunk extension": (CHUNKED + b"2;a=", b"x" * 100),
    "zeros of a chunk size": (CHUNKED, b"0" * 100),
    "empty lines": (b"", b"\r\n" * 50),
}


@pytest.mark.parametrize(("start", "more"), FLOODS.values(), ids=FLOODS.keys())
def test_what_is_no_body_ends_somewhere(start: bytes, more: bytes) -> None:
    reader = AnswerReader("POST", **LIMITS)
    reader.feed(start)
    enough = [more] * (LIMITS["header_bytes"] // len(more) + 1)
    with pytest.raises(OutboundError) as caught:
        feed_all(reader, enough)
    assert caught.value.cls in (Refusal.TOO_LARGE, Refusal.PROTOCOL_ERROR)


def feed_all(reader: AnswerReader, pieces: list[bytes]) -> None:
    for piece in pieces:
        reader.feed(piece)


def test_as_many_and_as_long_headers_as_the_limits_say() -> None:
    lines = [b"x-%02d: 1\r\n" % number for number in range(LIMITS["header_count"] - 1)]
    read(HEAD + b"".join(lines) + b"content-length: 0\r\n\r\n")
    with pytest.raises(OutboundError) as caught:
        read(HEAD + b"".join(lines) + b"a: b\r\ncontent-length: 0\r\n\r\n")
    assert caught.value.cls is Refusal.TOO_LARGE
    room = LIMITS["header_bytes"] - len("content-length0a") - 8
    read(HEAD + b"a: " + b"x" * room + b"\r\ncontent-length: 0\r\n\r\n")
    with pytest.raises(OutboundError) as caught:
        read(HEAD + b"a: " + b"x" * (room + 1) + b"\r\ncontent-length: 0\r\n\r\n")
    assert caught.value.cls is Refusal.TOO_LARGE


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_whatever_comes_fails_in_our_classes_only(pieces: list[bytes]) -> None:
    with suppress(OutboundError):
        read(CHUNKED, *pieces, closed=True)
    with suppress(OutboundError):
        read(*pieces, closed=True)


# --- heads that are known ---------------------------------------------------------------------------------------------

LENGTHS = st.sampled_from([b"0", b"2", b"5", b"45", b"002", b"", b"+2", b"2 ", b"2, 2", b"1" * 19])
LINES = st.sampled_from(
    [
        b"content-type: application/json", b"Content-Type:text/plain", b"date: Sun, 29 Nov 2026 12:00:00 GMT",
        b"date: Sun, 29 Nov 2026 12:00:01 GMT", b"connection: keep-alive", b"connection: close", b" folded",
        b"transfer-encoding: chunked", b"content-encoding: identity", b"content-length: 2", b"x-\xe4: \xe4", b"a: ",
    ]
)  # fmt: skip
STATUSES = st.sampled_from([b"200 OK", b"200 ", b"204 No Content", b"304 Not Modified", b"404 Not Found", b"103 Early"])


@st.composite
def answers(draw: st.DrawFn, statuses: st.SearchStrategy[bytes] = STATUSES) -> bytes:
    """An answer that is sound or nearly so."""
    lines = draw(st.lists(LINES, max_size=3))
    name = draw(st.sampled_from([b"content-length: ", b"Content-Length:\t ", b"CONTENT-LENGTH:"]))
    lines.insert(draw(st.integers(0, len(lines))), name + draw(LENGTHS))
    body = draw(
        st.sampled_from([b"", b"ok", b"okay!", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok12"])
    )
    return b"HTTP/1.1 " + draw(statuses) + b"\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + body


def told(data: bytes, known: KnownHead | None, method: str, limits: Limits) -> tuple[object, KnownHead | None]:
    """All that a reader says of `data`, and the head that it knows afterwards."""
    reader = AnswerReader(method, known=known, **limits)
    try:
        reader.feed(data)
    except OutboundError as error:
        return error.cls, known
    said = (reader.status, reader.headers, reader.buffered, reader.complete, reader.reusable, reader.take())
    return said, reader.known


@given(st.lists(answers(), min_size=2, max_size=6), st.data())
def test_with_a_known_head_every_answer_is_read_as_without(seen: list[bytes], data: st.DataObject) -> None:
    known = None
    for answer in [*seen, *seen]:
        method = data.draw(st.sampled_from(["POST", "POST", "GET", "HEAD"]))
        limits: Limits = {"header_bytes": data.draw(st.integers(20, 120)), "header_count": data.draw(st.integers(1, 4))}
        expected, _ = told(answer, None, method, limits)
        said, known = told(answer, known, method, limits)
        assert said == expected


def test_a_head_is_known_again_with_another_length_and_its_reader_needs_no_parser() -> None:
    first, _ = read(HEAD + b"a: b\r\ncontent-length: 2\r\n\r\nok")
    assert first.known is not None
    second = AnswerReader("POST", known=first.known, **LIMITS)
    second.feed(HEAD + b"a: b\r\ncontent-length: 5\r\n\r\nokay!")
    assert second._parser is None
    assert second._count == 0  # no header was read
    assert (second.status, second.headers, second.take()) == (200, {"a": "b", "content-length": "5"}, b"okay!")
    assert second.known is first.known
    assert first.headers == {"a": "b", "content-length": "2"}


@pytest.mark.parametrize("extra", [b"x", b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"])
def test_what_follows_an_answer_with_a_known_head_ends_the_connection_too(extra: bytes) -> None:
    answer = HEAD + b"content-length: 2\r\n\r\nok"
    for pieces in ([answer + extra], [answer, extra]):
        reader = AnswerReader("POST", known=read(answer)[0].known, **LIMITS)
        feed_all(reader, pieces)
        assert (reader.take(), reader.complete, reader.reusable) == (b"ok", True, False)


@pytest.mark.parametrize("name", [name for name, case in WHOLE.items() if not case[4] or case[2] in (204, 304)])
def test_the_head_of_an_answer_without_body_or_after_which_nothing_may_come_is_not_kept(name: str) -> None:
    assert read(WHOLE[name][0], method=WHOLE[name][1])[0].known is None


def test_a_length_in_an_interim_answer_that_fits_what_follows_is_not_taken_for_the_answers() -> None:
    final = HEAD + b"content-length: 2\r\n\r\nok"
    reader, _ = read(b"HTTP/1.1 103 Early\r\ncontent-length: %d\r\n\r\n" % len(final) + final)
    assert (reader.status, reader.complete, reader.known) == (200, True, None)
