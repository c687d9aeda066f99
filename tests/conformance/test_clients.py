"""Clients of others do with our gateway what they do with a server: each is a program that prints what it saw."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import Endpoint
from tests.conformance.suite import Suite
from tests.fixtures_mcp.everything_parts import tasks as tasks  # noqa: PLC0414 -- its import registers tools
from tests.fixtures_mcp.everything_parts.tools import PIXEL, TOOLS

pytestmark = pytest.mark.conformance

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = Path(__file__).parent / "clients"
ERAS = {"handshake": "2025-11-25", "modern": "2026-07-28"}
INSPECTOR_ERAS = {"handshake": "legacy", "modern": "modern"}
SECONDS = 90
SAW = {
    "tools": sorted(TOOLS),
    "sum": {"sum": 5},
    "wrong": True,
    "progress": [0, 50, 100],
    "logs": 3,
    "elicited": 'User response: action=accept, content={"response": "yes"}',
    "sampled": "LLM response: from the model",
    "roots": "file:///project",
    "read": "This is the content of the static text resource.",
    "binary": PIXEL,
    "templated": {"id": "7", "templateTest": True, "data": "Data for ID: 7"},
    "prompt": "Prompt with arguments: arg1='one', arg2='two'",
    "completed": ["paris", "park", "party"],
    "changed": True,
}
through = pytest.mark.parametrize("endpoint", ["direct", "gateway"], indirect=True)


def printed(command: list[str], **environment: str) -> dict[str, Any]:
    """What a program prints, as JSON."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def met(endpoint: Endpoint, era: str, command: list[str], **environment: str) -> dict[str, Any]:
    """What a client of ours says that it saw."""
    return printed(command, MCP_URL=endpoint.url, MCP_TOKEN=endpoint.token, MCP_ERA=era, **environment)


@through
@pytest.mark.parametrize("era", ERAS)
def test_the_python_package_sees_everything(era: str, endpoint: Endpoint) -> None:
    saw = met(endpoint, era, [sys.executable, "-m", "tests.conformance.clients.mcp2"])
    assert saw == {"revision": ERAS[era], **SAW}


@through
def test_the_first_generation_of_the_python_package_sees_everything(mcp1: Path, endpoint: Endpoint) -> None:
    # Without the environment's own packages, which hold the second generation.
    command = [sys.executable, "-S", str(CLIENTS / "mcp1.py")]
    saw = met(endpoint, "handshake", command, PYTHONPATH=str(mcp1))
    assert saw == {"revision": ERAS["handshake"], **SAW}


@through
@pytest.mark.parametrize("era", ERAS)
def test_the_typescript_sdk_sees_everything(era: str, suite: Suite, endpoint: Endpoint) -> None:
    command = [str(suite.node.program), str(CLIENTS / "typescript2.mjs")]
    saw = met(endpoint, era, command, MCP_MODULES=str(suite.modules))
    assert saw == {"revision": ERAS[era], **SAW}


@through
def test_the_first_generation_of_the_typescript_sdk_sees_everything(suite: Suite, endpoint: Endpoint) -> None:
    command = [str(suite.node.program), str(CLIENTS / "typescript1.mjs")]
    saw = met(endpoint, "handshake", command, MCP_MODULES=str(suite.modules))
    assert saw == {"revision": ERAS["handshake"], **SAW}


@through
@pytest.mark.parametrize("era", ERAS)
def test_the_inspector_lists_and_calls(era: str, suite: Suite, endpoint: Endpoint, tmp_path: Path) -> None:
    program = suite.modules / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"
    command = [str(suite.node.program), str(program), "--cli", endpoint.url, "--transport", "http", "--format", "json"]
    command += ["--protocol-era", INSPECTOR_ERAS[era], "--header", f"Authorization: Bearer {endpoint.token or 'none'}"]
    # It keeps files in its home.
    listed = printed([*command, "--method", "tools/list"], HOME=str(tmp_path))["result"]["tools"]
    assert sorted(tool["name"] for tool in listed) == sorted(TOOLS)
    arguments = ["--tool-name", "add", "--tool-args-json", '{"a": 2, "b": 3}']
    called = printed([*command, "--method", "tools/call", *arguments], HOME=str(tmp_path))["result"]
    assert called["structuredContent"] == {"sum": 5}
