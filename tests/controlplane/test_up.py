from pathlib import Path

import pytest

from controlplane.devservices import Services
from controlplane.up import environment_for, parse, sequencer_environment
from controlplane.upwelcome import ready_facts, welcome

SERVICES = Services("postgresql://app@/h", "postgresql://owner@/h", "unix:///v.sock", 11, None)


@pytest.fixture
def files(tmp_path):
    paths = {
        name: tmp_path / name for name in ("SECRET_KEY", "ADMIN_PASSWORD", "REVIEWER_PASSWORD", "AUDIT_SIGNING_KEY")
    }
    for name, path in paths.items():
        path.write_text(f"the {name}\n", encoding="utf-8")
    return paths


@pytest.fixture
def environment(monkeypatch, files):
    for name in ("PUBLIC_URL", "GATEWAY_URL", "SECRET_KEY", "ADMIN_PASSWORD", "OUTBOUND_ALLOW"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_ADMIN_URL", "postgresql://owner@/h")
    monkeypatch.setenv("DATABASE_URL_FILE", "/a/file")
    return lambda *arguments: environment_for(parse(list(arguments)), SERVICES, files)


@pytest.mark.parametrize("arguments", [["--port", "0"], ["--port", "65535"], ["--port", "x"], ["--nonsense"]])
def test_a_wrong_command_line_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        parse(arguments)
    assert stopped.value.code == 2
    assert "usage: ./dev up" in capsys.readouterr().err


def test_relative_paths_start_where_the_caller_is(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    given = parse(["--state-dir", "state", "--ready-file", "ready.json"])
    assert (given.state, given.ready_file) == (tmp_path / "state", tmp_path / "ready.json")


def test_addresses_follow_the_port(environment):
    made = environment("--port", "9000")
    assert made["PUBLIC_URL"] == "http://127.0.0.1:9000"
    assert made["GATEWAY_URL"] == "http://127.0.0.1:9001/mcp"


def test_what_the_caller_set_wins(environment, monkeypatch):
    monkeypatch.setenv("PUBLIC_URL", "https://holdfast.example")
    monkeypatch.setenv("SECRET_KEY", "mine")
    made = environment()
    assert made["PUBLIC_URL"] == "https://holdfast.example"
    assert "SECRET_KEY_FILE" not in made


def test_no_program_gets_the_owners_connection(environment):
    made = environment()
    assert made["DATABASE_URL"] == SERVICES.database_url
    assert "DATABASE_ADMIN_URL" not in made
    assert "DATABASE_URL_FILE" not in made, "it would win over the variable"


def test_only_the_sequencer_gets_the_signing_key(environment, files, monkeypatch, tmp_path):
    options = parse(["--state-dir", str(tmp_path)])
    signing = sequencer_environment(options, environment(), files)
    assert signing["AUDIT_SIGNING_KEY_FILE"] == str(files["AUDIT_SIGNING_KEY"])
    assert signing["AUDIT_STATE_DIR"] == str(tmp_path / "sequencer")
    assert not [name for name in environment() if name.startswith("AUDIT_SIGNING_KEY")]
    monkeypatch.setenv("AUDIT_SIGNING_KEY", "mine")
    assert not [name for name in environment() if name.startswith("AUDIT_SIGNING_KEY")]
    signing = sequencer_environment(options, environment(), files)
    assert (signing["AUDIT_SIGNING_KEY"], signing.get("AUDIT_SIGNING_KEY_FILE")) == ("mine", None)


def test_the_ready_file_has_exactly_the_promised_keys(environment):
    pids = {"web": 1, "gateway": 2, "worker": 3, "beat": 4, "sequencer": 5}
    facts = ready_facts(parse(["--no-demo"]), environment(), "token", SERVICES, pids)
    assert facts == {
        "console_url": "http://127.0.0.1:8000",
        "api_url": "http://127.0.0.1:8000/api/v1/",
        "gateway_url": "http://127.0.0.1:8001/mcp",
        "issuer": "http://127.0.0.1:8000",
        "admin": {"username": "admin", "password": "the ADMIN_PASSWORD", "api_token": "token"},
        "processes": {"web": 1, "gateway": 2, "worker": 3, "beat": 4, "sequencer": 5, "postgres": 11, "valkey": None},
    }


def test_the_welcome_says_where_and_how_to_sign_in(environment):
    options = parse(["--no-demo", "--state-dir", str(Path.cwd())])
    facts = ready_facts(
        options, environment(), "token", SERVICES, dict.fromkeys(("web", "gateway", "worker", "beat", "sequencer"), 1)
    )
    text = welcome(options, facts)
    assert "http://127.0.0.1:8000/    sign in as admin with the ADMIN_PASSWORD" in text
    assert "demo" not in text
