"""A head that was read before is known again by its very bytes, and by nothing less."""

import pytest

from core.wire_known import Cut, KnownHead, known_head

HEAD = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 4\r\nx-a: b\r\n\r\n"
HEADERS = {"server": "x", "content-length": "4", "x-a": "b"}


def known(data: bytes = HEAD + b"fine", headers: dict[str, str] = HEADERS) -> KnownHead | None:
    return known_head(data, 200, headers, 40, 3)


def test_a_head_is_kept_in_two_parts_around_the_digits_of_its_length() -> None:
    found = Cut(b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: ", b"\r\nx-a: b\r\n\r\n")
    assert known() == KnownHead(found, 200, HEADERS, 58, 3)  # its length may come to have 18 digits


@pytest.mark.parametrize(
    ("length", "body"), [(b"4", b"more"), (b"0", b""), (b"11", b"HTTP/1.1 20"), (b"61", HEAD + b"fine")]
)
def test_a_whole_answer_with_the_same_head_is_known_whatever_its_length(length: bytes, body: bytes) -> None:
    found = known()
    assert found is not None
    answer = HEAD.replace(b": 4\r\n", b": %s\r\n" % length) + body
    assert found.cut.body_of(answer) == body


OTHERS = {
    "nothing": b"",
    "a piece of the head": HEAD[:30],
    "a head without its body": HEAD,
    "a piece of the body": HEAD + b"fin",
    "bytes too many": HEAD + b"fine!",
    "another answer after it": (HEAD + b"fine") * 2,
    "another status": HEAD.replace(b"200", b"201") + b"fine",
    "another value before the length": HEAD.replace(b"Server: x", b"Server: y") + b"fine",
    "another value after the length": HEAD.replace(b"x-a: b", b"x-a: c") + b"fine",
    "another name": HEAD.replace(b"x-a", b"x-b") + b"fine",
    "a header more": HEAD.replace(b"x-a: b", b"x-a: b\r\nc: d") + b"fine",
    "a header less": HEAD.replace(b"x-a: b\r\n", b"") + b"fine",
    "a header between": HEAD.replace(b": 4\r\n", b": 4\r\nc: d\r\n") + b"fine",
    "no digits": HEAD.replace(b": 4\r\n", b": \r\n") + b"fine",
    "a sign": HEAD.replace(b": 4\r\n", b": +4\r\n") + b"fine",
    "an underscore": HEAD.replace(b": 4\r\n", b": 1_0\r\n") + b"0123456789",
    "a space before": HEAD.replace(b": 4\r\n", b":  4\r\n") + b"fine",
    "a space after": HEAD.replace(b": 4\r\n", b": 4 \r\n") + b"fine",
    "digits that are none in ASCII": HEAD.replace(b": 4\r\n", b": \xb2\r\n") + b"fi",
    "a length twice": HEAD.replace(b": 4\r\n", b": 4\r\nContent-Length: 4\r\n") + b"fine",
    "zeros before the digits": HEAD.replace(b": 4\r\n", b": 04\r\n") + b"fine",
    "nothing after the digits": HEAD[: HEAD.index(b": 4\r\n")] + b": 0",
    "too many digits": HEAD.replace(b": 4\r\n", b": %s4\r\n" % (b"0" * 18)) + b"fine",
}


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS.keys())
def test_whatever_else_comes_is_not_known(data: bytes) -> None:
    found = known()
    assert found is not None
    assert found.cut.body_of(data) is None


def test_a_head_is_not_kept_where_the_bytes_are_not_one_answer_of_the_length_that_was_read() -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"
    assert known(chunked, {"transfer-encoding": "chunked"}) is None
    assert known(HEAD + b"fine", {**HEADERS, "content-length": "5"}) is None
    assert known(HEAD + b"fine!") is None
    assert known(b"HTTP/1.1 103 Early\r\n\r\n" + HEAD + b"fine") is None
    assert known(b"") is None
