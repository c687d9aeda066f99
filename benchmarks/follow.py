"""How soon the gateway follows a decision: `.venv/bin/python -m benchmarks.follow [ROUNDS]`.

Starts the whole product with a real MCP server, then measures from the API's answer to the first answer of the
gateway that follows it: an approved change served, a suspended server refused. The alternative beside each is the
gateway's own look at the revisions, once a second, which is all there is when no message gets through.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from tests.fixtures_mcp.honest import tool
from tests.fixtures_mcp.processes import HonestServer, honest_server
from tests.story.product import Product, running_product

SLUG = "files"
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def main(rounds: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as directory, honest_server() as upstream:
        with running_product(Path(directory)) as product, httpx2.Client(timeout=10) as client:
            agent = _set_up(product, upstream)
            approvals = [_approval(product, upstream, client, agent, number) for number in range(rounds)]
            suspensions = [_suspension(product, client, agent) for _ in range(rounds)]
    for name, took in (("approval to served", approvals), ("suspension to refused", suspensions)):
        p50, worst = statistics.median(took), max(took)
        print(f"{name}: p50 {p50:.0f} ms, max {worst:.0f} ms over {rounds}; {500 / p50:.0f} times sooner than looking")


def _set_up(product: Product, upstream: HonestServer) -> dict[str, str]:
    admin = product.admin
    body = {"slug": SLUG, "name": "Files", "url": upstream.url, "environment": "development", "poll_interval": 3600}
    admin.post("servers/", body)
    _poll_and_approve(product)
    admin.post("roles/", {"name": "user", "scopes": [f"mcp:{SLUG}:call"]})
    agent = admin.post("agents/", {"name": "benchmark", "grant_types": ["client_credentials"]})
    admin.post("grants/", {"role": "user", "agent": agent["client_id"]})
    found: dict[str, str] = agent
    return found


def _poll_and_approve(product: Product) -> None:
    product.admin.post(f"servers/{SLUG}/poll/?wait=true", {})
    waiting = product.admin.get("reviews/", server=SLUG, state="waiting")["results"]
    chosen = [{"id": review["id"], "digest": review["digest"]} for review in waiting]
    product.admin.post("reviews/decide/", {"decision": "approve", "reason": "benchmark", "reviews": chosen})


def _approval(product: Product, upstream: HonestServer, client: Any, agent: dict[str, str], number: int) -> float:
    upstream.change(tools=[tool("echo", description=f"Version {number}.")])
    _poll_and_approve(product)
    return _until(lambda: f"Version {number}." in _list(product, client, agent).text)


def _suspension(product: Product, client: Any, agent: dict[str, str]) -> float:
    product.admin.post(f"servers/{SLUG}/suspend/", {"reason": "benchmark"})
    took = _until(lambda: "server_not_active" in _list(product, client, agent).text)
    product.admin.post(f"servers/{SLUG}/resume/", {"reason": "benchmark"})
    product.admin.post(f"servers/{SLUG}/poll/?wait=true", {})
    _until(lambda: "result" in _list(product, client, agent).json())
    return took


def _until(follows: Callable[[], bool]) -> float:
    began = time.perf_counter()
    while not follows():
        if time.perf_counter() - began > 30:
            sys.exit("the gateway did not follow within 30 s")
    return (time.perf_counter() - began) * 1000


def _list(product: Product, client: Any, agent: dict[str, str]) -> Any:
    headers = {
        "authorization": f"Bearer {_token(product, client, agent)}",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/list",
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    return client.post(product.endpoint(SLUG), json=body, headers=headers)


_tokens: dict[str, str] = {}


def _token(product: Product, client: Any, agent: dict[str, str]) -> str:
    if SLUG not in _tokens:
        answer = client.post(
            f"{product.ready['issuer']}/oauth/token/",
            data={"grant_type": "client_credentials", "resource": product.endpoint(SLUG)},
            auth=(agent["client_id"], agent["client_secret"]),
        )
        _tokens[SLUG] = answer.json()["access_token"]
    return _tokens[SLUG]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
