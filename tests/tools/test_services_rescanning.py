"""What is current is scanned again when the rules change; what is found then is told, and changes no approval."""

from typing import Any

import pytest

from alerts.models import Alert
from alerts.services import follow_records
from audit.models import Record
from audit.services import place_records
from core.actor import Actor
from servers.models import Server
from tests.tools.making import approve, card, poll, served, tool, waiting
from tests.tools.test_migrations import refused, run
from tools import services
from tools.models import DefinitionVersion, Finding, Pin, Review, ServerFinding
from tools.scanner import Confidence, Found, Report, Severity
from tools.services import rescanning, versioning

pytestmark = pytest.mark.django_db
BAD = Found("HF-101", Severity.HIGH, Confidence.HIGH, "/description", "Read")
WEAK = Found("HF-204", Severity.LOW, Confidence.LOW, "/description", "Read")


@pytest.fixture
def approved(server: Server, reviewer: Actor) -> DefinitionVersion:
    poll(server, card(), tool())
    return approve(waiting(), reviewer).version


def other_rules(patch: pytest.MonkeyPatch, *found: Found, score: float = 0.8, name: str = "sha256:other") -> None:
    """From now on the rules are others, and find this."""
    for module in (rescanning, versioning):
        patch.setattr(module, "rules_digest", lambda: name)
    patch.setattr("tools.services.scanning.scanner.scan_item", lambda _: Report(score, "high", found, 0))


def rescan(limit: int = 100) -> int:
    done = 0
    while found := services.rescan_outdated(limit=limit):
        done += found
    return done


def told() -> list[Any]:
    return [record.after for record in Record.objects.filter(event="tool.found_suspect").order_by("pk")]


def test_nothing_is_scanned_twice_by_the_same_rules(approved: DefinitionVersion) -> None:
    assert services.rescan_outdated(limit=100) == 0


def test_what_newer_rules_find_in_what_is_approved_is_told_and_leaves_it_approved(
    server: Server, approved: DefinitionVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = served(server)
    other_rules(monkeypatch, BAD, WEAK)
    assert rescan() == 2  # the card waits
    assert told() == [{"rules": ["HF-101"], "severity": "high"}]
    version = DefinitionVersion.objects.get(pk=approved.pk)
    assert (version.risk_score, version.scanned_by) == (0.8, "sha256:other")
    assert (served(server), Pin.objects.live().count(), Review.objects.waiting().count()) == (before, 1, 1)
    assert not Finding.objects.accepted().filter(version=approved).exists()
    record = Record.objects.get(event="tool.found_suspect")
    assert (record.subject, record.tool_hash) == ("tool:files/read", approved.digest)
    assert rescan() == 0
    assert len(told()) == 1


def test_it_alerts(approved: DefinitionVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    other_rules(monkeypatch, BAD)
    rescan()
    place_records()
    follow_records()
    assert Alert.objects.filter(kind="drift", subject="tool:files/read", state="open").exists()


def test_a_weak_finding_and_what_only_waits_are_found_in_silence(
    server: Server, approved: DefinitionVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_rules(monkeypatch, WEAK, score=0.2)
    assert rescan() == 2
    assert told() == []
    assert Finding.objects.filter(rule="HF-204").count() == 2


def test_what_was_found_once_stays_and_the_score_never_falls(
    server: Server, approved: DefinitionVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_rules(monkeypatch, BAD)
    rescan()
    other_rules(monkeypatch, score=0.0, name="sha256:third")
    assert rescan() == 2
    version = DefinitionVersion.objects.get(pk=approved.pk)
    assert (version.risk_score, version.scanned_by) == (0.8, "sha256:third")
    assert Finding.objects.filter(version=approved, rule="HF-101").exists()
    lower = "UPDATE tools_definitionversion SET risk_score = 0, scanned_by = 'x' WHERE id = %s"
    assert "never changes" in refused(lower, approved.pk)
    without = "UPDATE tools_definitionversion SET risk_score = 1 WHERE id = %s"
    assert "never changes" in refused(without, approved.pk)
    others = "UPDATE tools_definitionversion SET risk_score = 1, scanned_by = 'x', digest = %s WHERE id = %s"
    assert "never changes" in refused(others, "sha256:" + "0" * 64, approved.pk)
    run("UPDATE tools_definitionversion SET risk_score = 0.9, scanned_by = 'x' WHERE id = %s", approved.pk)


def test_it_goes_on_where_it_stopped_batch_by_batch(
    server: Server, approved: DefinitionVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll(server, card(), tool(), *(tool(f"t{number}") for number in range(4)))
    other_rules(monkeypatch, BAD)
    assert services.rescan_outdated(limit=4) == 4
    assert services.rescan_outdated(limit=4) == 2
    assert services.rescan_outdated(limit=4) == 0


def test_what_is_neither_approved_nor_waits_is_left(
    server: Server, approved: DefinitionVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("One.", "Two."):
        poll(server, card(), tool(description=text))
    other_rules(monkeypatch, BAD)
    assert rescan() == 3  # the pin, what waits, the card
    assert DefinitionVersion.objects.exclude(scanned_by="sha256:other").count() == 1


def test_the_release_before_leaves_the_column_empty_and_its_versions_are_read(
    approved: DefinitionVersion,
) -> None:
    digest = "sha256:" + "1" * 64
    run(
        "INSERT INTO tools_definitionversion (public_id, definition_id, digest, projection, text, first_seen, risk_score)"
        " SELECT gen_random_uuid(), definition_id, %s, projection, text, now(), 0 FROM tools_definitionversion"
        " WHERE id = %s",
        digest,
        approved.pk,
    )
    assert DefinitionVersion.objects.get(digest=digest).scanned_by == ""


def test_the_server_is_judged_again_too(
    server: Server, approved: DefinitionVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    Server.objects.update(environment="production", url="http://mcp.shop.example/mcp")
    other_rules(monkeypatch)
    rescan()
    assert set(ServerFinding.objects.values_list("rule", flat=True)) >= {"HF-705"}
