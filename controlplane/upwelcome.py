"""What `./dev up` tells people and tools once everything answers. Plain Python: no Django, no settings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controlplane.devservices import Services
from controlplane.upstate import Options, agent_file

ADMIN = "admin"
REVIEWER = "reviewer"
# Port offsets from --port.
GATEWAY, NOTES, WEATHER = 1, 2, 3


def demo_url(options: Options, offset: int) -> str:
    """The MCP endpoint of a demo server."""
    return f"http://127.0.0.1:{options.port + offset}/mcp"


def ready_facts(
    options: Options,
    environment: Mapping[str, str],
    token: str,
    services: Services,
    pids: Mapping[str, int],
) -> dict[str, Any]:
    """The content of --ready-file, a contract with outside tools."""
    processes = {name: pids[name] for name in ("web", "gateway", "worker", "beat", "sequencer")}
    facts: dict[str, Any] = {
        "console_url": environment["PUBLIC_URL"],
        "api_url": f"{environment['PUBLIC_URL']}/api/v1/",
        "gateway_url": environment["GATEWAY_URL"],
        "issuer": environment["PUBLIC_URL"],
        "admin": {"username": ADMIN, "password": read_secret("ADMIN_PASSWORD", environment), "api_token": token},
        "processes": {**processes, "postgres": services.postgres_pid, "valkey": services.valkey_pid},
    }
    if options.demo:
        facts["demo"] = {
            "notes_url": demo_url(options, NOTES),
            "weather_url": demo_url(options, WEATHER),
            "reviewer": {"username": REVIEWER, "password": read_secret("REVIEWER_PASSWORD", environment)},
            "agent": json.loads(agent_file(options).read_text(encoding="utf-8")),
        }
    return facts


def read_secret(name: str, environment: Mapping[str, str]) -> str:
    """A secret as the programs read it: its file before the variable."""
    path = environment.get(f"{name}_FILE")
    return Path(path).read_text(encoding="utf-8").strip() if path else environment[name]


def welcome(options: Options, facts: Mapping[str, Any]) -> str:
    """What is printed once everything answers."""
    admin = facts["admin"]
    lines = [
        "",
        "Holdfast is running.",
        f"  Console    {facts['console_url']}/    sign in as {admin['username']} with {admin['password']}",
        f"  API        {facts['api_url']}    bearer token {admin['api_token']}",
        f"  Gateway    {facts['gateway_url']}/<server>    one MCP endpoint for each server",
    ]
    if options.demo:
        weather = f"http://127.0.0.1:{options.port + WEATHER}"
        reviewer = facts["demo"]["reviewer"]
        lines += [
            f"  Reviewer   a second person: {reviewer['username']} with {reviewer['password']}",
            f"  Agent      'demo assistant': client id and secret are in {agent_file(options)}",
            "",
            "Try next:",
            "  1. Open the console. The server 'weather' waits in the review inbox: approve its tools.",
            f"  2. Let it change a tool behind your back:  curl -X POST {weather}/demo/drift",
            "     Within some 15 s the tool is withheld, and the inbox shows what changed.",
            f"  3. Put it back:  curl -X POST {weather}/demo/restore",
            "  4. Call a tool as the agent, and see the call in the audit log: README.md has the commands.",
        ]
    return "\n".join([*lines, "", "Ctrl-C stops everything.", ""])
