"""The strict parser and the exact serialiser."""

import itertools
import json
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core import strictjson
from gateway.jsonrpc import (
    ExactFloat,
    Malformed,
    Notification,
    Request,
    Response,
    _any_message,
    call_bytes,
    dumps,
    error_bytes,
    exact_float,
    is_id,
    message,
    notification_bytes,
    parse,
    parse_value,
    result_bytes,
)

CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":{"n":1}}}'

REFUSED: dict[str, tuple[str | bytes, int]] = {
    "nothing": ("", -32700),
    "not JSON": ("{", -32700),
    "not UTF-8": (b'{"jsonrpc":"\xff"}', -32700),
    "a byte order mark": (b"\xef\xbb\xbf" + CALL.encode(), -32700),
    "a key twice": ('{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}', -32700),
    "a key twice deep inside": ('{"jsonrpc":"2.0","id":1,"method":"a","params":{"arguments":{"x":1,"x":2}}}', -32700),
    "a key twice by escape": ('{"jsonrpc":"2.0","id":1,"method":"a","\\u006dethod":"b"}', -32700),
    "NaN": ('{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":NaN}}', -32700),
    "Infinity": ('{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":-Infinity}}', -32700),
    "a number beyond floats": ('{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":1e999}}', -32700),
    "a number of 5,000 digits": ('{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":' + "9" * 5000 + "}}", -32700),
    "a lone surrogate": ('{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":"\\ud800"}}', -32700),
    "65 levels": ('{"jsonrpc":"2.0","id":1,"method":"a","params":' + '{"x":' * 64 + "1" + "}" * 64 + "}", -32700),
    "100,000 levels": ("[" * 100_000, -32700),
    "a batch": (f"[{CALL}]", -32600),
    "an empty batch": ("[]", -32600),
    "a string": ('"hello"', -32600),
    "another version": ('{"jsonrpc":"1.0","id":1,"method":"a"}', -32600),
    "no version": ('{"id":1,"method":"a"}', -32600),
    "Method beside method": ('{"jsonrpc":"2.0","id":1,"method":"a","Method":"b"}', -32600),
    "METHOD alone": ('{"jsonrpc":"2.0","id":1,"METHOD":"a"}', -32600),
    "Name beside name": ('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}', -32600),
    "name with a Kelvin sign": ('{"jsonrpc":"2.0","id":1,"method":"a","params":{"ta\u017f\u212a":1}}', -32600),
    "Arguments": ('{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":"a","Arguments":{}}}', -32600),
    "_META": ('{"jsonrpc":"2.0","id":1,"method":"a","params":{"_META":{}}}', -32600),
    "a variant of a protocol key": (
        '{"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"ProgressToken":1}}}',
        -32600,
    ),
    "a case variant of the key of intentions": (
        '{"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"Holdfast/Intention":"x"}}}',
        -32600,
    ),
    "a Unicode variant of the key of intentions": (
        '{"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"holdfa\u017ft/intention":"x"}}}',
        -32600,
    ),
    "an id that is null": ('{"jsonrpc":"2.0","id":null,"method":"a"}', -32600),
    "an id that is true": ('{"jsonrpc":"2.0","id":true,"method":"a"}', -32600),
    "an id with a fraction": ('{"jsonrpc":"2.0","id":1.5,"method":"a"}', -32600),
    "an id that is an object": ('{"jsonrpc":"2.0","id":{},"method":"a"}', -32600),
    "an endless id": ('{"jsonrpc":"2.0","id":"' + "x" * 2000 + '","method":"a"}', -32600),
    "a method that is a number": ('{"jsonrpc":"2.0","id":1,"method":1}', -32600),
    "an empty method": ('{"jsonrpc":"2.0","id":1,"method":""}', -32600),
    "an endless method": ('{"jsonrpc":"2.0","id":1,"method":"' + "x" * 2000 + '"}', -32600),
    "params as a list": ('{"jsonrpc":"2.0","id":1,"method":"a","params":[1]}', -32600),
    "_meta as a list": ('{"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":[]}}', -32600),
    "a call that is an answer": ('{"jsonrpc":"2.0","id":1,"method":"a","result":{}}', -32600),
    "neither call nor answer": ('{"jsonrpc":"2.0","id":1}', -32600),
    "result and error": ('{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}', -32600),
    "an error that is a string": ('{"jsonrpc":"2.0","id":1,"error":"no"}', -32600),
    "an error without a code": ('{"jsonrpc":"2.0","id":1,"error":{"message":"no"}}', -32600),
    "five megabytes": (" " * 5_000_000, -32600),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_two_parsers_could_read_differently_is_refused(name: str) -> None:
    body, code = REFUSED[name]
    with pytest.raises(Malformed) as refused:
        parse(body if isinstance(body, bytes) else body.encode())
    assert refused.value.code == code


def test_a_request_keeps_its_id_method_and_parameters() -> None:
    request = parse(CALL.encode())
    assert request == Request(1, "tools/call", {"name": "read", "arguments": {"n": 1}})


def test_sixty_four_levels_are_accepted() -> None:
    body = '{"jsonrpc":"2.0","id":1,"method":"a","params":' + '{"x":' * 62 + "1" + "}" * 62 + "}"
    assert isinstance(parse(body.encode()), Request)


def test_a_message_without_an_id_is_a_notification() -> None:
    assert parse(b'{"jsonrpc":"2.0","method":"notifications/initialized"}') == Notification(
        "notifications/initialized", {}
    )


def test_an_answer_to_a_request_of_ours_is_told_apart() -> None:
    assert parse(b'{"jsonrpc":"2.0","id":"a","result":{}}') == Response("a", result={})


def test_the_id_of_a_refused_request_is_known_where_it_was_readable() -> None:
    with pytest.raises(Malformed) as refused:
        parse(b'{"jsonrpc":"2.0","id":7,"method":"a","params":3}')
    assert refused.value.id == 7


DIGITS = [
    *("18446744073709551615", "18446744073709551616", "-9223372036854775808", "-9223372036854775809", "9" * 400),
    *("1.0", "1.10", "1E5", "1e5", "1e+05", "1e-7", "1e16", "0.1000000000000000055", "-0.0", "5e-324", "1e-400"),
]


@pytest.mark.parametrize("digits", DIGITS)
def test_numbers_leave_with_the_digits_that_they_came_with(digits: str) -> None:
    body = '{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":[' + digits + "]}}"
    request = parse(body.encode())
    assert isinstance(request, Request)
    assert dumps(request.params) == b'{"x":[' + digits.encode() + b"]}"


def test_text_survives_exact_serialisation() -> None:
    value = {"ключ": ['é\u2028"\\', True, None, exact_float("1.10")], "empty": {}, "list": []}
    assert json.loads(dumps(value)) == json.loads(json.dumps(value))


def test_a_result_is_put_into_its_answer_byte_for_byte() -> None:
    assert result_bytes("a", b'{ "x" : 1.10 }') == b'{"jsonrpc":"2.0","id":"a","result":{ "x" : 1.10 }}'


@given(st.integers() | st.sampled_from([2**63, -(2**70), 0]) | st.text(max_size=5))
def test_an_answer_names_its_request_as_it_named_itself(id_: int | str) -> None:
    assert result_bytes(id_, b"{}") == b'{"jsonrpc":"2.0","id":' + dumps(id_) + b',"result":{}}'


@given(st.lists(st.sampled_from(DIGITS), max_size=6), st.text(alphabet='aé\u2028"\\\0\x7f\U0001f600'))
def test_numbers_of_all_kinds_keep_their_digits_beside_each_other(digits: list[str], text: str) -> None:
    """64-bit integers take one encoder, longer ones another, and texts must come out of both."""
    numbers, key = ",".join(digits), json.dumps(text, ensure_ascii=False)
    raw = f'{{"a":[{numbers}],"b":{{{key}:[{numbers}]}}}}'
    value = strictjson.loads(raw.encode(), parse_float=exact_float)
    written = dumps(value)
    assert strictjson.loads(written, parse_float=exact_float) == value
    for each in set(digits):
        assert written.count(each.encode()) == raw.encode().count(each.encode())


def test_only_floats_that_would_change_are_kept_as_texts() -> None:
    assert type(exact_float("1.5")) is float
    assert type(exact_float("1.50")) is ExactFloat
    assert exact_float("1.50") == 1.5


def test_what_is_no_dictionary_is_written_like_one() -> None:
    assert dumps(MappingProxyType({"a": MappingProxyType({"b": [exact_float("1.0e5"), 2**70]})})) == (
        b'{"a":{"b":[1.0e5,1180591620717411303424]}}'
    )


@pytest.mark.parametrize("value", [object(), {"a": b"bytes"}, "\ud800", [2**70, "\ud800"]])
def test_what_json_cannot_hold_is_not_written(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        dumps(value)


def test_messages_on_the_wire_are_read_as_what_they_are() -> None:
    assert parse(call_bytes(7, "tools/call", {"a": 1})) == Request(7, "tools/call", {"a": 1})
    assert parse(call_bytes("x", "ping", {})) == Request("x", "ping", {})
    assert parse(notification_bytes("n/x")) == Notification("n/x", {})
    assert parse(notification_bytes("n/x", {"a": 1})) == Notification("n/x", {"a": 1})
    error = {"code": -32603, "message": "no"}
    assert parse(error_bytes("x", error)) == Response("x", error=error)
    assert parse(error_bytes(None, error)) == Response(None, error=error)
    assert parse_value(b'["a",1]') == ["a", 1]


@pytest.mark.parametrize(
    ("value", "fits"),
    [(0, True), (-1, True), (2**70, True), ("", True), ("x" * 1024, True), ("x" * 1025, False), (True, False),
     (1.0, False), (None, False), ([], False), ({}, False)],
)  # fmt: skip
def test_an_id_is_a_whole_number_or_a_short_text(value: Any, *, fits: bool) -> None:
    assert is_id(value) is fits


@pytest.mark.parametrize("params", [None, {}, {"_meta": None}])
def test_parameters_and_metadata_may_be_missing(params: Any) -> None:
    found = parse(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "a", "params": params}).encode())
    assert isinstance(found, Request)
    assert found.meta == {}


# --- the bytes of a result ----------------------------------------------------------------------------------------

# What looks like the ends of an answer, within results, keys and texts.
_HOSTILE = [
    '{"jsonrpc":"2.0","id":1,"result":',
    ',"jsonrpc":"2.0","id":1}',
    '"}',
    '},"jsonrpc":"2.0","id":1',
    "\\",
    '\\"',
    '{"result":',
    "}",
    "\r\n\ndata: x",
]
RESULTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(_HOSTILE) | st.sampled_from([1.5, 1e300]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.sampled_from([*_HOSTILE, "jsonrpc", "id", "result"]), inner, max_size=3)
    ),
    max_leaves=10,
)
SPACES = st.sampled_from(["", " ", "\n", "\r\n\t"])


def _answer(order: tuple[str, ...], members: dict[str, str], space: str) -> bytes:
    inner = f"{space},{space}".join(f'"{name}"{space}:{space}{members[name]}' for name in order)
    return f"{space}{{{space}{inner}{space}}}{space}".encode()


def _read(raw: bytes) -> Response:
    found = message(strictjson.loads(raw, max_depth=128, parse_float=exact_float), raw=raw)
    assert isinstance(found, Response)
    return found


@given(
    result=RESULTS,
    order=st.sampled_from(list(itertools.permutations(["jsonrpc", "id", "result"]))),
    space=SPACES,
    ascii_only=st.booleans(),
)
@example(result={"jsonrpc": "2.0", "id": 1}, order=("result", "jsonrpc", "id"), space="", ascii_only=True)
def test_raw_bytes_are_those_of_the_result_and_of_nothing_else(
    *, result: Any, order: tuple[str, ...], space: str, ascii_only: bool
) -> None:
    try:
        text = json.dumps(result, ensure_ascii=ascii_only, separators=(",", ":"))
        text.encode()
    except UnicodeEncodeError:
        return
    members = {"jsonrpc": '"2.0"', "id": "1", "result": text}
    try:
        found = _read(_answer(order, members, space))
    except strictjson.MalformedJSON:
        return  # half of a surrogate pair, escaped
    if found.raw:
        assert strictjson.loads(found.raw, max_depth=128, parse_float=exact_float) == found.result
        assert found.raw.strip() == text.encode()


@pytest.mark.parametrize("order", [("jsonrpc", "id", "result"), ("result", "jsonrpc", "id")])
@pytest.mark.parametrize(
    "text", ['{ "a" : 1.10 }', "{}", '{"jsonrpc":"2.0","id":1}', '{"s":",\\"jsonrpc\\":\\"2.0\\",\\"id\\":1}"}']
)
def test_answers_as_servers_write_them_are_passed_on_as_they_are(order: tuple[str, ...], text: str) -> None:
    raw = _answer(order, {"jsonrpc": '"2.0"', "id": "1", "result": text}, "")
    assert _read(raw).raw == text.encode()
    assert _read(b" " + raw + b"\r\n").raw == text.encode()


ODD = {
    "another order": '{"id":1,"jsonrpc":"2.0","result":{}}',
    "another id": '{"jsonrpc":"2.0","id":1,"result":{},"x":1}',
    "a member more, before": '{"x":1,"jsonrpc":"2.0","id":1,"result":{}}',
    "a member more, after": '{"result":{},"x":1,"jsonrpc":"2.0","id":1}',
    "an id that is a text": '{"jsonrpc":"2.0","id":"1","result":{}}',
    "an id of another writing": '{"jsonrpc":"2.0","id":-0,"result":{}}',
    "white space": '{"jsonrpc": "2.0", "id": 1, "result": {}}',
    "escapes": '{"jsonrpc":"2.0","id":1,"\\u0072esult":{}}',
}


@pytest.mark.parametrize("name", ODD)
def test_where_the_bytes_are_not_known_for_sure_there_are_none(name: str) -> None:
    found = _read(ODD[name].encode())
    assert (found.raw, found.result) == (b"", {})


NAMES = st.sampled_from(["jsonrpc", "id", "result", "error", "method", "params", "Result", "ID", "JSONRPC", "x"])
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, 7, -1, 2**70, 1.5, "2.0", "1.0", "7", {}, {"a": 1}, [], "tools/call"]
)


@given(value=st.dictionaries(NAMES, VALUES, max_size=4), usual=st.booleans())
@example(value={"id": True}, usual=True)
@example(value={"id": 7.0}, usual=True)
def test_the_usual_answer_is_read_as_any_message_is(value: dict[str, Any], *, usual: bool) -> None:
    found = {"jsonrpc": "2.0", "id": 7, "result": {"a": 1}, **value} if usual else value
    raw = dumps(found) if found.get("id") != 2**70 else b""
    assert said(lambda: message(found, raw=raw)) == said(lambda: _any_message(found, raw))


def said(read: Callable[[], object]) -> object:
    """The message, or what is wrong with it."""
    try:
        return read()
    except Malformed as error:
        return error.code, error.message, error.id
