"""The strict parser and the exact serialiser."""

import json

import pytest

from gateway.jsonrpc import Malformed, Notification, Request, Response, dumps, exact_float, parse, result_bytes

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


@pytest.mark.parametrize(
    "digits", ["18446744073709551615", "-9223372036854775808", "1.0", "1.10", "1E5", "1e-7", "0.1000000000000000055"]
)
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
