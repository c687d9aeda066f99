"""docker-compose.yml has production's shape and speaks of nothing that the product does not know."""

import importlib.util
import re
import subprocess
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from controlplane.env import DECLARED
from controlplane.sequencing import DECLARED as OF_THE_SEQUENCER
from tests.databases import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("migrate", "set-up", "web", "gateway", "worker", "courier", "exporter", "beat", "sequencer")
# Read by one command rather than by the settings.
OF_COMMANDS = {"ADMIN_PASSWORD", *OF_THE_SEQUENCER}


def test_it_has_the_processes_of_production():
    assert set(SERVICES) == {*OURS, "postgres", "valkey"}


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_one_that_the_product_reads(name):
    for variable in SERVICES[name]["environment"]:
        setting = variable.removesuffix("_FILE")
        assert setting in DECLARED or setting in OF_COMMANDS, variable
        if variable != setting:
            assert setting in OF_COMMANDS or DECLARED[setting].secret, f"{variable}: only secrets come from files"


def test_every_required_setting_is_given():
    required = {
        name for name, item in DECLARED.items() if item.default == "required" or (item.secret and not item.default)
    }
    required -= {"DATABASE_ADMIN_URL", "METRICS_TOKEN", "OTEL_EXPORTER_OTLP_HEADERS"}  # may be left out
    required -= {"AUDIT_KEY", "PAYLOAD_KEY"}  # derived from SECRETS_KEY where nobody gives one
    given = {name.removesuffix("_FILE") for name in SERVICES["web"]["environment"]}
    assert required <= given


def test_only_the_migration_connects_as_the_owner():
    for name in OURS:
        owner = "database_admin_url" in SERVICES[name]["secrets"]
        assert owner == (name == "migrate"), name


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_more_rights_than_they_need(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "privileged" not in service
    for mapping in service.get("ports", []):
        assert mapping.startswith("127.0.0.1:"), "TLS is a reverse proxy's work"


@pytest.mark.parametrize("name", [*OURS, "postgres"])
def test_every_secret_is_defined_and_every_secret_file_is_mounted(name):
    service = SERVICES[name]
    assert set(service["secrets"]) <= set(COMPOSE["secrets"])
    for variable, value in service["environment"].items():
        if variable.endswith("_FILE"):
            assert value.removeprefix("/run/secrets/") in service["secrets"], variable


def test_the_signing_key_and_the_directory_are_the_sequencers_alone():
    for name in OURS:
        service = SERVICES[name]
        assert ("audit_signing_key" in service["secrets"]) == (name == "sequencer"), name
        assert ("volumes" in service) == (name == "sequencer"), name
    (volume,) = SERVICES["sequencer"]["volumes"]
    assert volume == f"sequencer:{SERVICES['sequencer']['environment']['AUDIT_STATE_DIR']}"
    assert "/var/lib/holdfast" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_no_secret_stands_in_the_file_itself():
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert not re.search(r"(PASSWORD|SECRET|KEY): +[^/\s$]", text)


def test_commands_name_programs_that_exist():
    for name in OURS:
        words = SERVICES[name].get("command", [])
        for word in words:
            if ":application" in str(word):
                assert importlib.util.find_spec(word.split(":")[0]) is not None
        for command in re.findall(r"manage\.py (\w+)", " ".join(map(str, words))):
            assert command in get_commands()


def test_make_secrets_makes_every_secret_file(tmp_path):
    script = tmp_path / "make-secrets.sh"
    script.write_bytes((ROOT / "deploy" / "make-secrets.sh").read_bytes())
    for _again in range(2):
        subprocess.run(["sh", str(script)], check=True, capture_output=True)
        made = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "secrets").iterdir()}
        assert set(made) == set(COMPOSE["secrets"])
        assert all(made.values())
        assert made["postgres_owner_password"] in made["database_admin_url"]
        assert made["postgres_application_password"] in made["database_url"]
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def test_the_image_runs_as_an_ordinary_user_and_copies_every_app():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER \d+:\d+$", text, re.MULTILINE)
    for package in ("controlplane", "gateway", "alerts", "tools", "servers", "access", "audit", "core"):
        assert f"COPY {package}/ {package}/" in text
    assert "dev.txt" not in text
    assert "up.txt" not in text


def test_a_gateway_reads_requests_as_the_one_of_a_workstation_does():
    from controlplane.up import PROTOCOLS, uvicorn

    for words in (SERVICES["gateway"]["command"], uvicorn("gateway.asgi:application", 8000)):
        assert words[words.index("--http") + 1] == PROTOCOLS["gateway"]


def test_a_gateway_is_given_the_time_that_it_needs_to_leave():
    from controlplane.up import GRACEFUL_SECONDS
    from gateway.application import _GRACE_SECONDS, DRAIN_SECONDS

    gateway = SERVICES["gateway"]
    words = gateway["command"]
    patience = int(words[words.index("--timeout-graceful-shutdown") + 1])
    notice = int(DECLARED["NOTICE_SECONDS"].default)
    assert patience == GRACEFUL_SECONDS["gateway"] >= DRAIN_SECONDS + _GRACE_SECONDS
    assert gateway["environment"]["NOTICE_SECONDS"] == f"${{NOTICE_SECONDS:-{notice}}}"
    assert int(gateway["stop_grace_period"].removesuffix("s")) > notice + patience + _GRACE_SECONDS
