"""The command: its settings, one round of it, and what an operator does by it."""

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from audit import services
from audit.events import Event, RecordType
from audit.models import Checkpoint, Epoch
from audit.proof.checkpoint import open_checkpoint
from audit.proof.note import VerifierKey
from core.actor import system_actor
from tests.databases import ROOT

Run = Callable[..., str]
KEY = base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the command in a directory of its own; answers what it prints."""
    for name in [name for name in os.environ if name.startswith("AUDIT_A")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AUDIT_SIGNING_KEY", KEY)
    monkeypatch.setenv("AUDIT_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("AUDIT_ORIGIN", "holdfast.example/audit")

    def run(*arguments: str) -> str:
        output = StringIO()
        call_command("audit_sequencer", *arguments, stdout=output, skip_checks=True)
        return output.getvalue()

    return run


def recorded() -> None:
    services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=system_actor("test"))


def test_the_key_that_it_prints_verifies_what_it_signs(run: Run, tmp_path: Path, db: None) -> None:
    recorded()
    run("--once")
    key = VerifierKey.parse(run("--vkey"))
    assert open_checkpoint((tmp_path / "checkpoint").read_bytes(), [key]).size == Checkpoint.objects.get().size
    assert "holdfast_sequencer_refused 0" in (tmp_path / "sequencer.prom").read_text()


def test_a_round_that_is_refused_fails(run: Run, tmp_path: Path, db: None) -> None:
    recorded()
    run("--once")
    (tmp_path / "checkpoint").rename(tmp_path / "aside")
    with pytest.raises(CommandError, match="Nothing was signed"):
        run("--once")
    assert "holdfast_sequencer_refused 1" in (tmp_path / "sequencer.prom").read_text()
    assert "goes on from the checkpoint of" in run("--adopt", str(tmp_path / "aside"))
    run("--once")


def test_a_new_log_needs_a_new_name(run: Run, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded()
    run("--once")
    with pytest.raises(CommandError, match="has begun already"):
        run("--begin-anew")
    monkeypatch.setenv("AUDIT_ORIGIN", "holdfast.example/audit/2")
    assert "holdfast.example/audit/2 begins with" in run("--begin-anew")
    run("--once")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("AUDIT_SIGNING_KEY", "", "AUDIT_SIGNING_KEY .* is not set"),
        ("AUDIT_SIGNING_KEY", "%", "AUDIT_SIGNING_KEY is not base64"),
        ("AUDIT_SIGNING_KEY", "AAAA", "must hold 32 bytes, not 3"),
        ("AUDIT_ORIGIN", "two words", "AUDIT_ORIGIN cannot be 'two words'"),
        ("AUDIT_STATE_DIR", "/nowhere/at/all", "which is no directory"),
        ("AUDIT_ANCHOR_SYSLOG", "logs.example", "AUDIT_ANCHOR_SYSLOG cannot be 'logs.example'"),
        ("AUDIT_ANCHOR_WEBHOOK", "https://hooks.example/", "needs AUDIT_ANCHOR_WEBHOOK_SECRET"),
    ],
)
def test_a_bad_setting_is_a_sentence(
    name: str, value: str, sentence: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(CommandError, match=sentence):
        run("--vkey")


def test_anchors_come_from_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from controlplane.sequencing import setup_from_environment

    monkeypatch.setenv("AUDIT_ANCHOR_SYSLOG", "tls://logs.example udp://10.0.0.1:1514")
    monkeypatch.setenv("AUDIT_ANCHOR_WEBHOOK", "https://hooks.example/a")
    monkeypatch.setenv("AUDIT_ANCHOR_WEBHOOK_SECRET", "whsec_" + base64.b64encode(bytes(24)).decode())
    monkeypatch.delenv("AUDIT_ORIGIN")
    setup = setup_from_environment()
    assert [sink.name.rpartition(":")[0] for sink in setup.anchors] == [
        "syslog:tls:logs.example", "syslog:udp:10.0.0.1", "webhook:hooks.example",
    ]  # fmt: skip
    assert [sink.name for sink in setup.alarms] == ["alarm", setup.anchors[-1].name]
    assert setup.origin == "127.0.0.1:8000/holdfast"


@pytest.mark.django_db(transaction=True)
def test_the_process_signs_until_it_is_told_to_stop(run: Run, tmp_path: Path) -> None:
    recorded()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "audit_sequencer"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert str(tmp_path / "checkpoints.log") in process.stdout.readline()
        assert process.stdout.readline() == "the sequencer is ready.\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        _, errors = process.communicate()
    assert "Traceback" not in errors
    assert KEY not in errors
    assert Epoch.objects.count() == 1
    assert json.loads((tmp_path / "checkpoints.log").read_text().splitlines()[-1])["note"]
