"""What telemetry says, read back: metrics by the client library's parser, spans by an exporter that keeps them."""

from collections.abc import Mapping
from typing import Any

import httpx2
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext
from prometheus_client.parser import text_string_to_metric_families

from gateway.front import Head, read_head
from gateway.metrics import Metrics
from gateway.telemetry import Telemetry
from gateway.tracing import Tracing

SERVERS = frozenset({"files", "notes"})
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def head(*lines: tuple[bytes, bytes], ip: str = "127.0.0.1", path: str = "/mcp/files", method: str = "POST") -> Head:
    """A request's head."""
    return read_head(method, path, b"", ((b"host", b"127.0.0.1"), *lines), ip)


# Values by sample name and sorted labels.
Told = Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]


def told(metrics: Metrics) -> Told:
    """Values of the exposition."""
    _, body = metrics.exposition("")
    return _parsed(body.decode())


def scraped(url: str) -> Told:
    """What the gateway that listens at `url` tells whoever scrapes it."""
    answer = httpx2.get(f"{url}/metrics", timeout=60)
    assert answer.status_code == 200
    return _parsed(answer.text)


def _parsed(text: str) -> Told:
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """One value of the exposition."""
    return told(metrics)[name][tuple(sorted(labels.items()))]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """A span's attributes."""
    return dict(span.attributes or {})


def parent(span: ReadableSpan) -> SpanContext:
    """A span's parent."""
    assert span.parent is not None
    return span.parent


class Observed:
    """Telemetry with tracing into memory."""

    def __init__(self, ratio: float = 1.0, **more: Any) -> None:
        self.exporter = InMemorySpanExporter()
        tracing = Tracing(SimpleSpanProcessor(self.exporter), ratio=ratio, service="gateway", installation="here")
        self.telemetry = Telemetry(is_server=SERVERS.__contains__, tracing=tracing, **more)

    def spans(self) -> list[ReadableSpan]:
        """Those that have ended, in that order."""
        return list(self.exporter.get_finished_spans())
