"""Metrics, read back as Prometheus would."""

import pytest

from gateway.metrics import Metrics
from tests.gateway.observed import SERVERS, told, value


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(SERVERS.__contains__)


def test_an_operation_counts_by_server_method_outcome_and_error(metrics):
    metrics.operation("files", "tools/call", "ok", "", seconds=0.003, own=0.0011)
    metrics.operation("files", "tools/call", "failed", "timeout", seconds=4.0, own=0.0011)
    labels = {"server": "files", "mcp_method_name": "tools/call"}
    name = "mcp_server_operation_duration_seconds"
    assert value(metrics, f"{name}_count", **labels, outcome="ok", error_type="") == 1
    assert value(metrics, f"{name}_sum", **labels, outcome="failed", error_type="timeout") == 4
    buckets = {bound: value(metrics, f"{name}_bucket", **labels, outcome="ok", error_type="", le=bound) for bound in ("0.002", "0.005", "+Inf")}  # fmt: skip
    assert buckets == {"0.002": 0, "0.005": 1, "+Inf": 1}
    assert value(metrics, "holdfast_operation_own_seconds_count", mcp_method_name="tools/call") == 2


def test_a_denial_counts_by_its_reason_and_nothing_else_does(metrics):
    metrics.operation("files", "tools/call", "denied", "not_granted", seconds=0.001, own=0.001)
    metrics.operation("files", "tools/call", "error", "-32602", seconds=0.001, own=0.001)
    metrics.refused("invalid_request", "notes")
    assert told(metrics)["holdfast_refusals_total"] == {
        (("reason", "not_granted"), ("server", "files")): 1,
        (("reason", "invalid_request"), ("server", "notes")): 1,
    }


def test_an_exchange_counts_apart(metrics):
    metrics.exchange("files", "tools/call", "timeout", 2.0)
    labels = {"server": "files", "mcp_method_name": "tools/call", "error_type": "timeout"}
    assert value(metrics, "mcp_client_operation_duration_seconds_sum", **labels) == 2


def test_a_slug_that_is_no_server_is_not_told(metrics):
    for slug in ("", "nobody", *(f"s{n}" for n in range(500))):
        server = metrics.server(slug)
        metrics.operation(server, "tools/call", "denied", "invalid_token", seconds=0, own=0)
        metrics.exchange(server, "tools/call", "", 0)
        metrics.refused("invalid_token", slug)
        metrics.looked(slug, "same")
    every = {value for sets in told(metrics).values() for labels in sets for name, value in labels if name == "server"}
    assert every == {"_OTHER"}


def test_commits_and_those_that_failed(metrics):
    metrics.commit(0.0004, 17, failed=False)
    metrics.commit(2.0, 500, failed=True)
    assert value(metrics, "holdfast_audit_commit_seconds_count") == 1
    assert value(metrics, "holdfast_audit_batch_records_sum") == 17
    assert value(metrics, "holdfast_audit_commit_failures_total") == 1


def test_what_is_watched_is_read_when_somebody_scrapes(metrics):
    queue = [1]
    metrics.watch(snapshot_age=lambda: 4.5, audit_queue=lambda: len(queue))
    assert (value(metrics, "holdfast_policy_age_seconds"), value(metrics, "holdfast_audit_queue_records")) == (4.5, 1)
    queue.append(2)
    assert value(metrics, "holdfast_audit_queue_records") == 2


def test_the_policys_age_grows_by_itself_and_starts_again(metrics, monkeypatch):
    now = metrics._refreshed_at
    monkeypatch.setattr("time.monotonic", lambda: now + 3)
    assert value(metrics, "holdfast_policy_age_seconds") == 3
    metrics.refreshed(0.01)
    assert value(metrics, "holdfast_policy_age_seconds") == 0
    assert value(metrics, "holdfast_policy_refresh_seconds_sum") == 0.01


def test_looks_sessions_and_what_is_open(metrics):
    metrics.looked("files", "changed")
    metrics.looked("files", "what is this")
    metrics.session_ended(60, of="client")
    metrics.in_flight, metrics.streams = 3, 2
    assert value(metrics, "holdfast_looks_total", server="files", result="changed") == 1
    assert value(metrics, "holdfast_looks_total", server="files", result="_OTHER") == 1
    assert value(metrics, "mcp_client_session_duration_seconds_sum") == 60
    assert value(metrics, "mcp_server_session_duration_seconds_count") == 0
    assert (value(metrics, "holdfast_operations_in_flight"), value(metrics, "holdfast_streams_open")) == (3, 2)


def test_the_process_is_told_of(metrics):
    found = told(metrics)
    assert found["process_resident_memory_bytes"][()] > 1_000_000
    assert "python_gc_collections_total" in found


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("", "text/plain; version=0.0.4"), ("application/openmetrics-text", "application/openmetrics-text")],
)
def test_the_format_is_the_one_that_was_asked_for(metrics, accept, kind):
    content_type, body = metrics.exposition(accept)
    assert content_type.startswith(kind)
    assert body.endswith(b"# EOF\n") == (kind != "text/plain; version=0.0.4")
    assert b"_created" not in body


def test_two_of_a_process_keep_apart(metrics):
    other = Metrics(SERVERS.__contains__)
    other.commit(1, 1, failed=False)
    assert value(metrics, "holdfast_audit_commit_seconds_count") == 0
