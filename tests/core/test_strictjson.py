"""The parser accepts one reading of a text or none."""

import json
import re
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import strictjson

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b'{"a": 1, "a": 2}', "same key twice"),
        (b'{"a": {"b": 1, "b": 1}}', "same key twice"),
        (b"[NaN]", "not JSON"),
        (b"[-Infinity]", "not JSON"),
        (b"1e999", "too large"),
        (b"9" * 5000, "cannot be read"),
        (b"[" * 300 + b"]" * 300, "deeper than 64"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b"\xff", "UTF-8"),
        (b'{"a":', "not JSON"),
        (b"", "not JSON"),
        (b'{"a": 1, "\\u0061": 2}', "same key twice"),
        (b'[{"a": [{"b": 1, "b": 1}]}]', "same key twice"),
        (b"[Infinity]", "not JSON"),
        (b"[1.5, -1e999]", "too large"),
        (b"[" * 65 + b"]" * 65, "deeper than 64"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "deeper than 64"),
        (b"[" * 100_000, "deeper than 64"),
        (b'["\\udc00\\ud800"]', "surrogate"),
        (b'"\\ud83dx"', "surrogate"),
        (b'"\\ud83d\\u0041"', "surrogate"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"01", "not JSON"),
        (b"+1", "not JSON"),
        (b"[1,]", "not JSON"),
        (b"1 2", "not JSON"),
        (b"'a'", "not JSON"),
        (b'"\x00"', "not JSON"),
        (b'"a\nb"', "not JSON"),
        (b"\x0b1", "not JSON"),
        (b"[1] // why", "not JSON"),
    ],
)
def test_a_text_with_two_readings_or_none_is_refused_in_a_sentence(raw: bytes, complaint: str) -> None:
    with pytest.raises(strictjson.MalformedJSON, match=complaint):
        strictjson.loads(raw)


def test_integers_of_any_size_stay_exact() -> None:
    assert strictjson.loads(b"[18446744073709551615, -9007199254740993]") == [2**64 - 1, -(2**53) - 1]


def test_as_many_levels_as_are_allowed_are_read() -> None:
    assert strictjson.nesting(str(strictjson.loads(b"[" * 64 + b"]" * 64))) == 64
    deep = strictjson.loads(b'{"a":' * 128 + b"1" + b"}" * 128, max_depth=128)
    assert strictjson.nesting(str(deep)) == 128
    with pytest.raises(strictjson.MalformedJSON, match="deeper than 3"):
        strictjson.loads(b"[[[[]]]]", max_depth=3)


def test_a_refusal_says_where_it_was_not_json() -> None:
    with pytest.raises(strictjson.MalformedJSON, match=r"line 2, column 4"):
        strictjson.loads(b'{"a": 1,\n"b"}')


@pytest.mark.parametrize("digits", ["1.0", "1.10", "-0.0", "1e5", "1E+5", "1e-7", "0.1000000000000000055", "5e-324"])
@pytest.mark.parametrize("around", ["{}", "[{}]", '{{"a": {}}}', '[[1, {{"a": [{}]}}]]'])
def test_whoever_reads_floats_gets_their_very_digits(digits: str, around: str) -> None:
    seen: list[str] = []

    def keep(text: str) -> float:
        seen.append(text)
        return float(text)

    raw = around.format(digits)
    assert strictjson.loads(raw.encode(), parse_float=keep) == json.loads(raw)
    assert seen == [digits]


def test_a_number_is_refused_where_its_reader_refuses_it() -> None:
    assert strictjson.finite("1e308") == 1e308
    for text in ("1e309", "-1e309"):
        with pytest.raises(strictjson.MalformedJSON, match="too large"):
            strictjson.finite(text)


def test_a_proper_surrogate_pair_is_one_character() -> None:
    assert strictjson.loads(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_brackets_inside_strings_do_not_nest() -> None:
    assert strictjson.nesting('{"a": "[[[[{{{{", "b": "\\"[["}') == 1


def test_a_long_unterminated_string_is_read_once() -> None:
    assert strictjson.nesting('"' + '\\"' * 1_000_000) == 0


@given(st.text(alphabet='[]{}"\\a,\n'))
def test_nesting_is_that_of_the_brackets_that_are_left_without_strings(text: str) -> None:
    depth = deepest = 0
    for mark in re.sub(r'"([^"\\]|\\.)*"?', "", text, flags=re.DOTALL):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark, 0)
        deepest = max(deepest, depth)
    assert strictjson.nesting(text) == deepest


def test_nesting_is_found_without_a_copy_of_the_text() -> None:
    text = json.dumps(["a short text"] * 10_000)
    tracemalloc.start()
    try:
        assert strictjson.nesting(text) == 1
        assert tracemalloc.get_traced_memory()[1] < len(text) / 10
    finally:
        tracemalloc.stop()


def test_refusals_quote_nothing_of_the_text() -> None:
    with pytest.raises(strictjson.MalformedJSON) as refused:
        strictjson.loads(b'{"password": "hunter2"')
    assert "hunter2" not in str(refused.value)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON_VALUES)
def test_what_is_well_formed_reads_as_the_standard_library_reads_it(value: object) -> None:
    try:
        raw = json.dumps(value).encode()
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert strictjson.loads(raw) == json.loads(raw)


def test_values_are_counted_outside_of_strings() -> None:
    assert strictjson.values(b'{"a": [1, 2, {}], "b": ",,,[[[{{{\\",,"}') == 6
