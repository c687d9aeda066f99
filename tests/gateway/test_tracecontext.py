"""The grammar and bounds of trace context, and whose word counts."""

import pytest

from gateway.tracecontext import NONE, TraceContext, read, valid_baggage, valid_parent, valid_state

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-00"


@pytest.mark.parametrize(
    "text",
    [
        *("", "00", PARENT.upper(), PARENT + "-01", PARENT + " ", PARENT + "\n", " " + PARENT, PARENT[:-1]),
        *(f"00-{'0' * 32}-00f067aa0ba902b7-01", f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}-00f067aa0ba902b7-01"),
        *(f"0g-{TRACE}-00f067aa0ba902b7-01", f"cc-{'0' * 32}-00f067aa0ba902b7-01", f"cc-{TRACE}-00f067aa0ba902b7-01x"),
        *(f"cc-{TRACE}-00f067aa0ba902b7-01-{'x' * 200}", None, 7, ["x"], {"a": 1}, b"x"),
    ],
)
def test_a_malformed_parent_is_dropped(text):
    assert valid_parent(text) == ""


def test_a_parent_is_passed_as_it_is_and_one_of_a_later_version_in_ours():
    assert valid_parent(PARENT) == PARENT
    assert valid_parent(f"cc-{TRACE}-00f067aa0ba902b7-0b-what-the-future-is-like") == PARENT


@pytest.mark.parametrize(
    "text",
    [
        *("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a=1", "a=1,,b=2", "a=1 ,\tb=2", "fw529a3039@dt=FfAAA", "0a=b c"),
        ",".join(f"k{n}=v" for n in range(32)),
    ],
)
def test_a_state_within_the_bounds_is_passed_as_it_is(text):
    assert valid_state(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", "a", "a=", "=b", "A=1", "a=1,a=2", "a=b=c", "a=\u00e9", "a=1\n", "a=\x00", "a@B=1", None, 3, {}),
        *(",".join(f"k{n}=v" for n in range(33)), "a=" + "x" * 511),
    ],
)
def test_a_state_that_is_malformed_or_too_long_is_dropped_whole(text):
    assert valid_state(text) == ""


@pytest.mark.parametrize(
    "text",
    ["userId=alice,serverNode=DF%2028,isProduction=false", "a=1;p;q=2", " a = 1 ; p = 2 , b = ", "a=" + "x" * 8190],
)
def test_baggage_within_the_bounds_is_passed_as_it_is(text):
    assert valid_baggage(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", "a", "a=1,", "=1", "a b=1", "a=\u00e9", 'a="x"', "a=x y", "a=1;;b", "a=1\r\nx: y", None, 1, []),
        *("a=" + "x" * 8191, ",".join(f"k{n}=v" for n in range(65))),
    ],
)
def test_baggage_that_is_malformed_or_too_long_is_dropped_whole(text):
    assert valid_baggage(text) == ""


def test_the_message_counts_before_the_hop_which_is_then_linked():
    meta = {"traceparent": PARENT, "tracestate": "a=1", "baggage": "k=v"}
    headers = {"traceparent": OTHER, "tracestate": "b=2", "baggage": "hop=secret"}
    assert read(meta, headers) == TraceContext(PARENT, "a=1", "k=v", linked=OTHER)


def test_the_hop_stands_in_for_a_message_that_says_nothing_or_nonsense_and_its_baggage_never_does():
    headers = {"traceparent": OTHER, "tracestate": "b=2", "baggage": "hop=secret"}
    assert read({}, headers) == TraceContext(OTHER, "b=2", "")
    assert read({"traceparent": "x", "tracestate": "a=1"}, headers) == TraceContext(OTHER, "b=2", "")


def test_a_state_without_a_parent_says_nothing():
    assert read({"tracestate": "a=1"}, {"tracestate": "b=2"}) is NONE
    assert read({"traceparent": "x", "tracestate": "a=1"}, {}).members() == {}


def test_what_is_handed_on_holds_only_what_is_there():
    assert read({"baggage": "k=v"}, {}).members() == {"baggage": "k=v"}
    assert read({"traceparent": PARENT, "tracestate": "?"}, {}).members() == {"traceparent": PARENT}
    assert read({"traceparent": PARENT}, {}).trace_id == TRACE
    assert (NONE.members(), NONE.trace_id) == ({}, "")
