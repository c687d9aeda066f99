"""What may stand in telemetry."""

import pytest

from gateway import conventions
from gateway.conventions import OTHER, ErrorTypes


@pytest.mark.parametrize("name", ["tools/call", "server/discover", "initialize", "subscriptions/listen"])
def test_methods_of_the_protocol_are_told(name):
    assert conventions.method(name) == name


@pytest.mark.parametrize("name", ["", "tools/Call", "x" * 1000, "tools/call\n", "prompts"])
def test_any_other_method_is_another(name):
    assert conventions.method(name) == OTHER


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("", ""),
        ("timeout", "timeout"),
        ("jsonrpc -32602", "-32602"),
        ("-32602", "-32602"),
        ("jsonrpc 4711", OTHER),
        ("Something a server said", OTHER),
        ("a" * 41, OTHER),
        ("x\n", OTHER),
    ],
)
def test_a_class_of_error_is_a_known_code_or_a_word(given, told):
    assert ErrorTypes().bounded(given) == told


def test_words_have_an_end_and_those_that_were_there_first_stay():
    errors = ErrorTypes()
    told = {errors.bounded(f"word_{n}") for n in range(1000)}
    assert (len(told), OTHER in told) == (129, True)
    assert errors.bounded("word_0") == "word_0"
    assert errors.bounded("-32602") == "-32602"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (7, "7"),
        ("req-7", "req-7"),
        (0, "0"),
        (True, ""),
        (None, ""),
        (1.5, ""),
        ("two words", ""),
        ("x" * 65, ""),
        ("a\n", ""),
    ],
)
def test_a_request_id_is_told_where_it_is_plain(given, told):
    assert conventions.request_id(given) == told
