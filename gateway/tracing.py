"""Spans by the OpenTelemetry conventions for MCP, sent with OTLP over HTTP. Imported only where tracing is on.

The provider is our own and not the process-wide one, so nothing else that happens to be instrumented sends spans
through it. Spans wait in a bounded queue and leave in a thread of their own: a collector that is slow or away costs
spans, never a call. Attributes never hold arguments, results, tokens, resource URIs or a server's own words.
"""

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

from gateway.conventions import rpc_code
from gateway.tracecontext import TraceContext

QUEUE: Final = 2048  # spans that wait; a newer one pushes out the oldest
BATCH: Final = 256  # spans of one request; a larger one would hold the interpreter for longer
EXPORT_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 3.0
_PERIOD_MS: Final = 2000
_TEXT_MAX: Final = 256  # characters of one attribute
_PORTS: Final = {"http": 80, "https": 443}


class Tracing:
    """Starts and ends spans. `processor` takes them when they end; `ratio` of the traces that start here is kept."""

    def __init__(self, processor: SpanProcessor, *, ratio: float, service: str, installation: str) -> None:
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(ratio)),
            resource=Resource.create(
                {
                    "service.name": service,
                    "service.namespace": installation,
                    "service.instance.id": str(uuid4()),
                }
            ),
            span_limits=SpanLimits(max_span_attribute_length=_TEXT_MAX, max_links=1, max_events=0),
            shutdown_on_exit=False,  # it would wait for a collector that is away
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("holdfast.gateway")

    def server(self, name: str, caller: TraceContext, attributes: Mapping[str, str], *, ago: float) -> Span:
        """The span of a request that arrived `ago` seconds ago, a child of the caller's."""
        hop = _remote(caller.linked, "")
        return self._tracer.start_span(
            name,
            context=_context(_remote(caller.traceparent, caller.tracestate)),
            kind=SpanKind.SERVER,
            attributes=attributes,
            links=[Link(hop)] if hop else (),
            start_time=time.time_ns() - int(ago * 1e9),
        )

    def client(self, name: str, parent: Span, attributes: Mapping[str, str], url: str) -> Span:
        """The span of an exchange with the server at `url`, of which host and port are told."""
        parts = urlsplit(url)
        where: dict[str, str | int] = {"server.address": parts.hostname or ""}
        port = parts.port or _PORTS.get(parts.scheme)
        if port:
            where["server.port"] = port
        context = trace.set_span_in_context(parent, Context())
        return self._tracer.start_span(name, context=context, kind=SpanKind.CLIENT, attributes={**attributes, **where})

    @staticmethod
    def end(span: Span, error: str, raw: str) -> None:
        """End a span: `error` is the value of `error.type`, `raw` what it was made of; no text of a failure is told."""
        if error:
            span.set_attribute("error.type", error)
            code = rpc_code(raw)
            if code:
                span.set_attribute("rpc.response.status_code", code)
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    @staticmethod
    def trace_id(span: Span) -> str:
        """32 hexadecimal digits."""
        return f"{span.get_span_context().trace_id:032x}"

    @staticmethod
    def parent_of(span: Span) -> str:
        """The `traceparent` that makes others children of `span`."""
        context = span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    async def close(self) -> None:
        """Hand on what waits, for `CLOSE_SECONDS` at most."""
        thread = threading.Thread(target=self._provider.shutdown, name="tracing shutdown", daemon=True)
        thread.start()
        await asyncio.to_thread(thread.join, CLOSE_SECONDS)


def exporting(endpoint: str, headers: Mapping[str, str]) -> BatchSpanProcessor:
    """What sends spans to `<endpoint>/v1/traces` in the background."""
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", headers=dict(headers), timeout=EXPORT_SECONDS)
    return BatchSpanProcessor(
        exporter, max_queue_size=QUEUE, max_export_batch_size=BATCH, schedule_delay_millis=_PERIOD_MS
    )


def _remote(traceparent: str, tracestate: str) -> SpanContext | None:
    if not traceparent:
        return None
    _, trace_id, span_id, flags = traceparent.split("-")
    state = TraceState.from_header([tracestate]) if tracestate else None
    return SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags, 16)), state)


def _context(parent: SpanContext | None) -> Context:
    """A context with this parent and nothing of what happens to be current."""
    empty = Context()
    return trace.set_span_in_context(NonRecordingSpan(parent), empty) if parent else empty
