"""What people paste into their MCP clients to use a server through the gateway. Pure module.

The formats are the clients' own, as their documentation has them in November 2026. No snippet holds a secret: a client
finds the authorization server by the endpoint's metadata (RFC 9728) and has its user sign in.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True)
class Snippet:
    """`text` goes into `file`, or into the field that `menu` leads to, or into a terminal where both are empty.

    `link` does the same with a click. Clients with a `menu` connect from their maker's servers.
    """

    client: str
    file: str
    text: str
    link: str = ""
    menu: str = ""


def snippets(name: str, url: str) -> tuple[Snippet, ...]:
    """For each client that we know; `name` is the server's slug, `url` its endpoint at the gateway."""
    return tuple(make(name, url) for make in _CLIENTS)


def _json(key: str, name: str, entry: Mapping[str, Any]) -> str:
    return json.dumps({key: {name: entry}}, indent=2)


def _claude_code(name: str, url: str) -> Snippet:
    return Snippet("Claude Code", "", f"claude mcp add --transport http {name} {url}")


def _claude_code_project(name: str, url: str) -> Snippet:
    return Snippet("Claude Code, for a project", ".mcp.json", _json("mcpServers", name, {"type": "http", "url": url}))


def _claude_desktop(_name: str, url: str) -> Snippet:
    # Its file takes local servers only; it keeps this one with the account, so the web and the phone have it too.
    return Snippet("Claude Desktop", "", url, menu="Settings > Connectors > Add custom connector")


def _vs_code(name: str, url: str) -> Snippet:
    entry = {"type": "http", "url": url}
    link = f"vscode:mcp/install?{quote(json.dumps({'name': name, **entry}))}"
    return Snippet("VS Code", ".vscode/mcp.json", _json("servers", name, entry), link)


def _copilot(name: str, url: str) -> Snippet:
    entry = {"type": "http", "url": url, "tools": ["*"]}
    return Snippet("GitHub Copilot CLI", "~/.copilot/mcp-config.json", _json("mcpServers", name, entry))


def _cursor(name: str, url: str) -> Snippet:
    entry = {"url": url}
    config = b64encode(json.dumps(entry).encode()).decode()
    link = f"cursor://anysphere.cursor-deeplink/mcp/install?{urlencode({'name': name, 'config': config})}"
    return Snippet("Cursor", "~/.cursor/mcp.json", _json("mcpServers", name, entry), link)


def _codex(name: str, url: str) -> Snippet:
    return Snippet("Codex", "~/.codex/config.toml", f"[mcp_servers.{name}]\nurl = {json.dumps(url)}")


def _gemini(name: str, url: str) -> Snippet:
    return Snippet("Gemini CLI", "~/.gemini/settings.json", _json("mcpServers", name, {"httpUrl": url}))


def _windsurf(name: str, url: str) -> Snippet:
    file = "~/.codeium/windsurf/mcp_config.json"
    return Snippet("Windsurf", file, _json("mcpServers", name, {"serverUrl": url}))


def _zed(name: str, url: str) -> Snippet:
    return Snippet("Zed", "~/.config/zed/settings.json", _json("context_servers", name, {"url": url}))


def _kiro(name: str, url: str) -> Snippet:
    return Snippet("Kiro", "~/.kiro/settings/mcp.json", _json("mcpServers", name, {"url": url}))


def _lm_studio(name: str, url: str) -> Snippet:
    return Snippet("LM Studio", "mcp.json", _json("mcpServers", name, {"url": url}))


def _opencode(name: str, url: str) -> Snippet:
    entry = {"type": "remote", "url": url, "enabled": True}
    return Snippet("OpenCode 1", "opencode.json", _json("mcp", name, entry))


def _amp(name: str, url: str) -> Snippet:
    return Snippet("Amp", "~/.config/amp/settings.json", _json("amp.mcpServers", name, {"url": url}))


# A slug and a URL as JSON are YAML too, whatever they are spelled with.
def _goose(name: str, url: str) -> Snippet:
    slug = json.dumps(name)
    lines = ("extensions:", f"  {slug}:", "    enabled: true", f"    name: {slug}", "    type: streamable_http")
    return Snippet("Goose", "~/.config/goose/config.yaml", "\n".join((*lines, f"    uri: {json.dumps(url)}")))


def _continue(name: str, url: str) -> Snippet:
    lines = ("mcpServers:", f"  - name: {json.dumps(name)}", "    type: streamable-http", f"    url: {json.dumps(url)}")
    return Snippet("Continue", "~/.continue/config.yaml", "\n".join(lines))


_CLIENTS: Final[tuple[Callable[[str, str], Snippet], ...]] = (
    _claude_code, _claude_code_project, _claude_desktop, _vs_code, _copilot, _cursor, _codex, _gemini, _windsurf, _zed,
    _kiro, _lm_studio, _opencode, _amp, _goose, _continue,
)  # fmt: skip
