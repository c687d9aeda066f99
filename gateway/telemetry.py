"""Metrics and spans of the gateway, behind one small interface. Costs a call microseconds, and never fails one.

Everything here runs in the event loop's thread, except where it says so.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from django.conf import settings

from gateway import scrape
from gateway.front import Head
from gateway.metrics import Metrics
from gateway.operation import Operation
from gateway.reply import Reply

if TYPE_CHECKING:
    from gateway.tracing import Tracing


class Telemetry:
    """Everything that one process tells of itself. Without `tracing`, callers' trace context passes as it came."""

    def __init__(
        self,
        *,
        is_server: Callable[[str], bool] = lambda slug: False,
        token: str = "",
        tracing: "Tracing | None" = None,
    ) -> None:
        self.metrics = Metrics(is_server)
        self.tracing = tracing
        self._token = token

    @classmethod
    def from_settings(cls, *, is_server: Callable[[str], bool]) -> Self:
        """As this installation wants it; `is_server` says which slugs are registered servers."""
        return cls(is_server=is_server, token=settings.METRICS_TOKEN, tracing=_tracing_from_settings())

    def watch(
        self, *, snapshot_age: Callable[[], float] | None = None, audit_queue: Callable[[], float] | None = None
    ) -> None:
        """What is read when somebody scrapes: seconds, records. Called in another thread; may not raise."""
        self.metrics.watch(snapshot_age=snapshot_age, audit_queue=audit_queue)

    def request(self, slug: str, head: Head) -> Operation:
        """One request to the endpoint of `slug`, from now on; use with `with`."""
        return Operation(self.metrics, self.tracing, slug, head)

    def refused(self, reason: str, slug: str = "") -> None:
        """A request was refused before it was an operation."""
        self.metrics.refused(reason, slug)

    def commit(self, seconds: float, records: int, *, failed: bool = False) -> None:
        """The audit writer is done with one batch."""
        self.metrics.commit(seconds, records, failed=failed)

    def refreshed(self, seconds: float) -> None:
        """The policy snapshot is current now; finding that out took so long."""
        self.metrics.refreshed(seconds)

    def looked(self, slug: str, result: str) -> None:
        """The gateway looked at a server: `same`, `changed`, `failed`, or `skipped` for want of room."""
        self.metrics.looked(slug, result)

    @contextmanager
    def stream(self) -> Iterator[None]:
        """An event stream is open to a client."""
        self.metrics.streams += 1
        try:
            yield
        finally:
            self.metrics.streams -= 1

    def session_ended(self, seconds: float, *, of: str) -> None:
        """A session ended after so long: one of ours (`of="server"`) or one at a server (`of="client"`)."""
        self.metrics.session_ended(seconds, of=of)

    async def scraped(self, head: Head, check: Callable[[Head], None]) -> Reply:
        """The answer of `/metrics` (`gateway.scrape` says who gets one). `check` judges Host and Origin, and raises."""
        if not scrape.presents(head, self._token):
            check(head)
            if self._token or not scrape.is_near(head):
                return Reply(404)
        if head.method not in ("GET", "HEAD"):
            return Reply(405, headers=(("allow", "GET, HEAD"),))
        # Beside the event loop: thousands of series take longer to write down than a call may wait.
        accept = head.headers.get("accept", "")[:1024]
        content_type, body = await asyncio.to_thread(self.metrics.exposition, accept)
        return Reply(200, body, (("content-type", content_type), ("cache-control", "no-store")))

    async def close(self) -> None:
        """Hand on the spans that wait, within seconds."""
        if self.tracing is not None:
            await self.tracing.close()


def _tracing_from_settings() -> "Tracing | None":
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return None
    from gateway import tracing  # costs six megabytes and a tenth of a second, which only those pay who trace

    processor = tracing.exporting(settings.OTEL_EXPORTER_OTLP_ENDPOINT, settings.OTEL_EXPORTER_OTLP_HEADERS)
    return tracing.Tracing(
        processor,
        ratio=settings.OTEL_TRACES_SAMPLER_ARG,
        service=settings.OTEL_SERVICE_NAME,
        installation=settings.INSTALLATION_ID,
    )
