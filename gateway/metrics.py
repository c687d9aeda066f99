"""What Prometheus is told of one gateway process. Every label value is from a bounded set (`gateway.conventions`).

Names follow the OpenTelemetry conventions for MCP as Prometheus spells them (dots become underscores, the unit is the
suffix); what the conventions do not know is called `holdfast_…`. No label holds a tool's name, an argument, a principal
or any text of a caller.
"""

import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client import disable_created_metrics as without_created
from prometheus_client.exposition import choose_encoder

from gateway import conventions
from gateway.conventions import OTHER, ErrorTypes
from gateway.distribution import Distribution

_LOOKS: Final = frozenset({"same", "changed", "failed", "skipped"})


class Metrics:
    """The metrics of one process, in a registry of their own. `is_server` says which slugs are registered servers.

    `in_flight` and `streams` are counted up and down by whoever opens and closes.
    """

    def __init__(self, is_server: Callable[[str], bool] = lambda slug: False) -> None:
        without_created()  # a second series for each counter, which nobody needs
        self.registry = CollectorRegistry(auto_describe=True)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._distributions: list[Distribution] = []
        self.in_flight = 0
        self.streams = 0
        self._is_server = is_server
        self._errors = ErrorTypes()
        self._refreshed_at = time.monotonic()
        self._declare_operations()
        self._declare_audit()
        self._declare_policy()
        self._sessions = {
            of: self._distribution(
                f"mcp_{of}_session_duration_seconds", f"Time of one session, as its {of}.", conventions.SESSION_BUCKETS
            )
            for of in ("server", "client")
        }

    def server(self, slug: str) -> str:
        """`slug` if it is a registered server's."""
        return slug if self._is_server(slug) else OTHER

    def error_type(self, text: str) -> str:
        """`text` as a bounded value of `error.type`."""
        return self._errors.bounded(text)

    def operation(self, server: str, method: str, outcome: str, error: str, *, seconds: float, own: float) -> None:
        """One operation has ended. All texts are bounded already, `server` by `server`; `own` is time spent here."""
        self._operations.observe((server, method, outcome, error), seconds)
        self._own.observe((method,), own)
        if outcome == "denied":
            self._refusals.labels(server, error).inc()

    def exchange(self, server: str, method: str, error: str, seconds: float) -> None:
        """One exchange with a server has ended. All texts are bounded already, `server` by `server`."""
        self._exchanges.observe((server, method, error), seconds)

    def refused(self, reason: str, slug: str) -> None:
        """A request that was no operation yet was refused."""
        self._refusals.labels(self.server(slug), self.error_type(reason)).inc()

    def commit(self, seconds: float, records: int, *, failed: bool) -> None:
        """One batch of audit records was committed, or was not."""
        if failed:
            self._commit_failures.inc()
            return
        self._commits.observe((), seconds)
        self._batches.observe((), records)

    def refreshed(self, seconds: float) -> None:
        """The policy snapshot is as of now; that took so long."""
        self._refreshed_at = time.monotonic()
        self._refreshes.observe((), seconds)

    def looked(self, slug: str, result: str) -> None:
        """The gateway looked at a server as an agent, or had no room to."""
        self._looks.labels(self.server(slug), result if result in _LOOKS else OTHER).inc()

    def session_ended(self, seconds: float, *, of: str) -> None:
        """A session ended, one of ours (`server`) or one at a server (`client`)."""
        self._sessions[of].observe((), seconds)

    def watch(self, *, snapshot_age: Callable[[], float] | None, audit_queue: Callable[[], float] | None) -> None:
        """Read these when scraped."""
        if snapshot_age is not None:
            self._age.set_function(snapshot_age)
        if audit_queue is not None:
            self._queue.set_function(audit_queue)

    def exposition(self, accept: str) -> tuple[str, bytes]:
        """Content type and text, in the format that `accept` asks for. May take a while; safe in another thread."""
        encode, content_type = choose_encoder(accept)
        ours = "".join(each.exposition() for each in self._distributions)
        return content_type, ours.encode() + encode(self.registry)  # OpenMetrics ends with a mark, so ours come first

    def _declare_operations(self) -> None:
        self._operations = self._distribution(
            "mcp_server_operation_duration_seconds",
            "From the arrival of a request at the gateway until its answer.",
            conventions.OPERATION_BUCKETS,
            *("server", "mcp_method_name", "outcome", "error_type"),
        )
        self._exchanges = self._distribution(
            "mcp_client_operation_duration_seconds",
            "From sending a request to a server until its answer.",
            conventions.OPERATION_BUCKETS,
            *("server", "mcp_method_name", "error_type"),
        )
        self._own = self._distribution(
            "holdfast_operation_own_seconds",
            "Time of an operation that was not spent on an exchange with a server: what the gateway adds.",
            conventions.OWN_BUCKETS,
            "mcp_method_name",
        )
        in_flight = self._gauge("holdfast_operations_in_flight", "Requests that are being answered.")
        in_flight.set_function(lambda: self.in_flight)
        streams = self._gauge("holdfast_streams_open", "Event streams that are open to clients.")
        streams.set_function(lambda: self.streams)
        self._refusals = self._counter(
            "holdfast_refusals", "Requests refused, by the reason that answer and record name.", "server", "reason"
        )

    def _declare_audit(self) -> None:
        self._commits = self._distribution(
            "holdfast_audit_commit_seconds", "Time of one commit of audit records.", conventions.COMMIT_BUCKETS
        )
        self._batches = self._distribution(
            "holdfast_audit_batch_records", "Audit records in one commit.", conventions.BATCH_BUCKETS
        )
        self._commit_failures = self._counter("holdfast_audit_commit_failures", "Batches of records that failed.")
        self._queue = self._gauge("holdfast_audit_queue_records", "Audit records that wait for their commit.")

    def _declare_policy(self) -> None:
        self._age = self._gauge("holdfast_policy_age_seconds", "Time since the policy was last known to be current.")
        self._age.set_function(lambda: time.monotonic() - self._refreshed_at)
        self._refreshes = self._distribution(
            "holdfast_policy_refresh_seconds", "Time of one comparison or reading.", conventions.COMMIT_BUCKETS
        )
        self._looks = self._counter(
            "holdfast_looks", "Looks at a server's list by the way that agents' calls take.", "server", "result"
        )

    def _distribution(self, name: str, text: str, bounds: tuple[float, ...], *labels: str) -> Distribution:
        made = Distribution(name, text, labels, bounds, other=OTHER)
        self._distributions.append(made)
        return made

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.registry)
