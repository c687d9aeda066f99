"""One request as telemetry sees it: metrics, spans by the conventions, and what goes on to the server."""

import asyncio
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from access.policy import Reason
from gateway.errors import Refused, refuse
from gateway.telemetry import Telemetry
from gateway.transport import UpstreamFailed
from tests.gateway.observed import PARENT, SERVERS, SPAN, TRACE, Observed, attributes, head, parent, told, value

CANARY = "hf_at_canary-5f1d"
ANOTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01"


def call(telemetry: Telemetry, meta: dict[str, Any] | None = None, **more: Any) -> tuple[dict[str, Any], str]:
    """One call that goes well: what went on in `_meta`, and the trace's id."""
    with telemetry.request("files", head()) as operation:
        operation.asked("tools/call", meta or {}, **more)
        operation.about("tool", "read")
        with operation.upstream("https://files.example/mcp", "2025-11-25") as leg:
            sent = leg.trace()
        operation.ended("ok")
    return sent, operation.trace_id


def outcomes(telemetry: Telemetry) -> dict[tuple[str, ...], float]:
    """Operations by method, outcome and error."""
    names = ("mcp_method_name", "outcome", "error_type")
    found = told(telemetry.metrics).get("mcp_server_operation_duration_seconds_count", {})
    return {tuple(dict(labels)[name] for name in names): count for labels, count in found.items()}


def test_a_call_is_a_server_span_with_a_client_span_inside():
    observed = Observed()
    call(observed.telemetry, call_id="0198", request_id=7, version="2026-07-28", session="ab12")
    client, server = observed.spans()
    assert (client.name, server.name) == ("tools/call read", "tools/call read")
    assert (client.kind, server.kind) == (SpanKind.CLIENT, SpanKind.SERVER)
    assert parent(client).span_id == server.context.span_id
    common = {
        "mcp.method.name": "tools/call",
        "gen_ai.tool.name": "read",
        "gen_ai.operation.name": "execute_tool",
        "holdfast.server": "files",
        "network.transport": "tcp",
        "network.protocol.name": "http",
    }
    assert attributes(server) == common | {
        "mcp.protocol.version": "2026-07-28",
        "mcp.session.id": "ab12",
        "jsonrpc.request.id": "7",
        "holdfast.call.id": "0198",
    }
    assert attributes(client) == common | {
        "mcp.protocol.version": "2025-11-25",
        "server.address": "files.example",
        "server.port": 443,
    }
    times = [server.start_time, client.start_time, client.end_time, server.end_time]
    assert times == sorted(times, key=lambda time: time or 0)
    assert (server.status.status_code, server.parent) == (StatusCode.UNSET, None)
    assert server.resource.attributes["service.name"] == "gateway"


def test_a_prompt_is_named_and_is_no_execution_of_a_tool():
    observed = Observed()
    with observed.telemetry.request("files", head()) as operation:
        operation.asked("prompts/get", {})
        operation.about("prompt", "greet")
        operation.about("resource", f"file:///{CANARY}")
    (span,) = observed.spans()
    assert (span.name, attributes(span)["gen_ai.prompt.name"]) == ("prompts/get greet", "greet")
    assert "gen_ai.operation.name" not in attributes(span)
    assert CANARY not in span.to_json()


def test_the_callers_trace_goes_on_under_our_span():
    observed = Observed()
    meta = {"traceparent": PARENT, "tracestate": "rojo=1", "baggage": "k=v"}
    sent, trace_id = call(observed.telemetry, meta)
    client, server = observed.spans()
    assert (trace_id, f"{parent(server).span_id:016x}", parent(server).is_remote) == (TRACE, SPAN, True)
    assert sent == meta | {"traceparent": f"00-{TRACE}-{client.context.span_id:016x}-01"}
    assert meta["traceparent"] == PARENT


def test_without_tracing_the_callers_trace_passes_unchanged():
    meta = {"traceparent": PARENT, "tracestate": "rojo=1", "baggage": "k=v"}
    assert call(Telemetry(), meta) == (meta, TRACE)
    assert call(Telemetry(), {"com.example/x": 1}) == ({}, "")


@pytest.mark.parametrize("observed", [None, Observed()], ids=["off", "on"])
def test_what_is_malformed_does_not_go_on(observed):
    meta = {"traceparent": "00-zz", "tracestate": "A=1", "baggage": 'k="v"'}
    sent, trace_id = call(observed.telemetry if observed else Telemetry(), meta)
    assert sent.pop("traceparent", "")[3:35] == trace_id
    assert sent == {}


def test_an_http_header_stands_in_and_is_linked_where_the_message_says_more():
    observed = Observed()
    for meta in ({}, {"traceparent": ANOTHER}):
        with observed.telemetry.request("files", head((b"traceparent", PARENT.encode()))) as operation:
            operation.asked("ping", meta)
    first, second = observed.spans()
    assert (f"{parent(first).trace_id:032x}", first.links) == (TRACE, ())
    assert (f"{parent(second).trace_id:032x}", f"{second.links[0].context.trace_id:032x}") == (ANOTHER[3:35], TRACE)


def test_a_header_that_comes_twice_is_nobodys():
    observed = Observed()
    line = (b"traceparent", PARENT.encode())
    with observed.telemetry.request("files", head(line, line)) as operation:
        operation.asked("ping", {})
    assert observed.spans()[0].parent is None


def test_a_trace_that_is_not_kept_is_passed_on_as_such():
    observed = Observed(ratio=0.0)
    sent, trace_id = call(observed.telemetry)
    assert (sent["traceparent"][3:35], int(sent["traceparent"][-2:], 16) & 1, observed.spans()) == (trace_id, 0, [])
    sent, _ = call(observed.telemetry, {"traceparent": PARENT})
    assert (sent["traceparent"][-2:], len(observed.spans())) == ("01", 2)


@pytest.mark.parametrize(
    ("status", "given", "error", "code"),
    [
        ("tool_error", "", "tool_error", None),
        ("error", "jsonrpc -32602", "-32602", "-32602"),
        ("error", "jsonrpc 4711", "_OTHER", "4711"),
        ("failed", "timeout", "timeout", None),
        ("cancelled", "", "cancelled", None),
        ("denied", "not_granted", "not_granted", None),
    ],
)
def test_what_did_not_go_well_has_its_class_and_no_words(status, given, error, code):
    observed = Observed()
    with observed.telemetry.request("files", head()) as operation:
        operation.asked("tools/call", {})
        operation.ended(status, given)
    (span,) = observed.spans()
    assert attributes(span)["error.type"] == error
    assert attributes(span).get("rpc.response.status_code") == code
    assert (span.status.status_code, span.status.description, span.events) == (StatusCode.ERROR, None, ())
    assert outcomes(observed.telemetry) == {("tools/call", status, error): 1}


@pytest.mark.parametrize(
    ("raised", "outcome", "error"),
    [
        (refuse(Reason.NOT_GRANTED), "denied", "not_granted"),
        (Refused("unknown", "No.", code=1, recorded_as="unknown_definition"), "denied", "unknown_definition"),
        (asyncio.CancelledError(), "cancelled", "cancelled"),
        (RuntimeError(CANARY), "failed", "internal"),
    ],
)
def test_an_operation_that_is_left_by_an_exception_is_told_by_it(raised, outcome, error):
    observed = Observed()

    def left() -> None:
        with observed.telemetry.request("files", head()) as operation:
            operation.asked("tools/call", {})
            raise raised

    with pytest.raises(type(raised)):
        left()
    assert outcomes(observed.telemetry) == {("tools/call", outcome, error): 1}
    assert CANARY not in observed.spans()[0].to_json()
    assert value(observed.telemetry.metrics, "holdfast_operations_in_flight") == 0


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (UpstreamFailed("needs_credentials", CANARY), "needs_credentials"),
        (TimeoutError(), "timeout"),
        (asyncio.CancelledError(), "cancelled"),
        (RuntimeError(CANARY), "internal"),
    ],
)
def test_an_exchange_that_fails_says_how(raised, error):
    observed = Observed()
    with observed.telemetry.request("files", head()) as operation:
        operation.asked("tools/call", {})
        with pytest.raises(type(raised)), operation.upstream("http://10.0.0.1:9/mcp"):
            raise raised
        operation.ended("failed", error)
    client, _ = observed.spans()
    assert (attributes(client)["error.type"], attributes(client)["server.port"]) == (error, 9)
    labels = {"server": "files", "mcp_method_name": "tools/call", "error_type": error}
    assert value(observed.telemetry.metrics, "mcp_client_operation_duration_seconds_count", **labels) == 1
    assert CANARY not in client.to_json()


def test_an_exchange_can_end_badly_without_an_exception():
    observed = Observed()
    with observed.telemetry.request("files", head()) as operation:
        operation.asked("tools/call", {})
        with operation.upstream() as leg:
            leg.failed("tool_error")
        operation.ended("tool_error")
    assert [attributes(span)["error.type"] for span in observed.spans()] == ["tool_error", "tool_error"]


def test_an_operation_counts_once_and_its_own_time_leaves_the_servers_out(monkeypatch):
    clock = iter([0.0, 1.0, 4.0, 5.0])  # arrival, sending, answer, reply
    monkeypatch.setattr("gateway.operation._clock", lambda: next(clock))
    telemetry = Telemetry(is_server=SERVERS.__contains__)
    with telemetry.request("files", head()) as operation:
        operation.asked("tools/call", {})
        with operation.upstream():
            assert value(telemetry.metrics, "holdfast_operations_in_flight") == 1
        operation.ended("ok")
        operation.ended("failed")
    assert outcomes(telemetry) == {("tools/call", "ok", ""): 1}
    assert value(telemetry.metrics, "holdfast_operation_own_seconds_sum", mcp_method_name="tools/call") == 2


def test_strangers_start_no_spans_and_are_counted():
    observed = Observed()
    with pytest.raises(Refused), observed.telemetry.request("files", head((b"traceparent", PARENT.encode()))):
        raise refuse(Reason.INVALID_TOKEN)
    assert observed.spans() == []
    assert outcomes(observed.telemetry) == {("_OTHER", "denied", "invalid_token"): 1}


def test_hostile_names_make_no_series_and_no_names_of_spans():
    observed = Observed()
    before = None
    for n in range(300):
        with observed.telemetry.request(f"server-{n}", head()) as operation:
            operation.asked(f"evil/{n}", {}, request_id=f"an id {n}")
            with operation.upstream() as leg:
                leg.failed(f"jsonrpc {n}")
            operation.ended(f"status {n}", f"A text of the server {n}")
        before = before or {name: len(sets) for name, sets in told(observed.telemetry.metrics).items()}
    assert {name: len(sets) for name, sets in told(observed.telemetry.metrics).items()} == before
    assert {span.name for span in observed.spans()} == {"_OTHER"}
    assert not any("jsonrpc.request.id" in attributes(span) for span in observed.spans())


def test_a_long_name_is_bounded_on_spans():
    observed = Observed()
    with observed.telemetry.request("files", head()) as operation:
        operation.asked("tools/call", {})
        operation.about("tool", "x" * 5000)
    (span,) = observed.spans()
    assert (len(span.name), len(str(attributes(span)["gen_ai.tool.name"]))) == (211, 256)


def test_no_secret_gets_into_anything():
    observed = Observed()
    line = (b"authorization", f"Bearer {CANARY}".encode())
    meta = {"baggage": f"k={CANARY}", "tracestate": f"k={CANARY}", "traceparent": PARENT, "x": CANARY}
    with observed.telemetry.request("files", head(line)) as operation:
        operation.asked("tools/call", meta, request_id=f"{CANARY} x")
        with operation.upstream(f"http://user:{CANARY}@files.example/{CANARY}?k={CANARY}") as leg:
            assert leg.trace()["baggage"] == f"k={CANARY}", "which is for the server"
        operation.ended("error", f"jsonrpc {CANARY}")
    text = "".join(str(attributes(span)) + span.name for span in observed.spans())
    assert CANARY not in text
    assert CANARY.encode() not in observed.telemetry.metrics.exposition("")[1]
