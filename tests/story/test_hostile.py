"""Servers that misbehave, through the running product: bounded time and memory, a sentence for the person, and what
was approved before stays as it was."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from tests.fixtures_mcp.honest import tool
from tests.fixtures_mcp.processes import HonestServer, honest_server, hostile_server
from tests.story.agent import run
from tests.story.product import Product, running_product, wait_until

pytestmark = pytest.mark.story

KEPT = "kept"
ECHO = tool("echo", annotations={"readOnlyHint": True, "idempotentHint": True})
SECONDS = 45  # a look may take thirty, and the machine may do other things as well
MEGABYTES = 300  # what a process may grow by; a gigabyte sent to it is far beyond
MISBEHAVIOURS = {
    "hang": "timeout",
    "list-drip": "timeout",
    "html": "not_mcp",
    "404": "not_mcp",
    "gigabyte": "too_large",
    "list-gigabyte": "too_large",
    "huge-description": "too_large",
    "many-headers": "too_large",
    "many-tools": "too_many",
    "endless-pages": "endless_list",
    "cursor-loop": "endless_list",
    "duplicate-names": "duplicate_name",
    "invalid-utf8": "malformed",
    "deep": "malformed",
    "very-deep": "malformed",
    "nan": "malformed",
    "surrogate": "malformed",
    "list-reset": "protocol_error",
    "second-page-fails": "protocol_error",
    "redirect": "protocol_error",
    "401": "needs_credentials",
    "legacy": "deprecated_transport",
}


@dataclass
class World:
    """The product, a server that behaves until it is told otherwise, and one that never does."""

    product: Product
    honest: HonestServer
    hostile: str
    agent: dict[str, Any]

    def register(self, slug: str, url: str, **more: Any) -> Any:
        """Register in development, unless `more` says otherwise."""
        body = {"slug": slug, "name": slug, "url": url, "environment": "development", "poll_interval": 86_400}
        return self.product.admin.post("servers/", body | more, expect=201)

    def poll(self, slug: str) -> Any:
        """What came of looking at it now."""
        return self.product.admin.post(f"servers/{slug}/poll/?wait=true", {}, expect=200)

    def call(self) -> str:
        """Call the approved tool as the agent."""

        async def echo(client: Client) -> str:
            result = await client.call_tool("echo", {"text": "still there"})
            return result.content[0].text  # type: ignore[union-attr]  # the fixture answers text

        return run(
            echo,
            url=self.product.endpoint(KEPT),
            issuer=self.product.ready["issuer"],
            client_id=self.agent["client_id"],
            client_secret=self.agent["client_secret"],
            era="modern",
        )

    def megabytes(self) -> dict[str, int]:
        """The memory of the processes that meet what servers send."""
        return {name: _resident(self.product.ready["processes"][name]) for name in ("web", "worker", "gateway")}


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))) // 1024


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not Path("/proc").is_dir() or os.name != "posix":
        pytest.skip("memory is read from /proc")
    with (
        honest_server() as honest,
        hostile_server() as hostile,
        running_product(tmp_path_factory.mktemp("hostile")) as product,
    ):
        admin = product.admin
        scopes = ["mcp:connect", f"mcp:{KEPT}:read", f"mcp:{KEPT}:call"]
        admin.post("roles/", {"name": "kept-user", "scopes": scopes}, expect=201)
        agent = admin.post("agents/", {"name": "caller", "grant_types": ["client_credentials"]}, expect=201)
        admin.post("grants/", {"role": "kept-user", "agent": agent["client_id"], "expires_at": None}, expect=201)
        honest.change(tools=[ECHO], page_size=5000)
        world = World(product, honest, hostile, agent)
        world.register(KEPT, honest.url)
        assert world.poll(KEPT)["complete"]
        reviews = admin.get("reviews/", server=KEPT, state="waiting", limit="100")["results"]
        items = [{"id": review["id"], "digest": review["digest"]} for review in reviews]
        admin.post("reviews/decide/", {"decision": "approve", "reason": "read", "reviews": items}, expect=200)
        wait_until("the approved tool is served", lambda: "still there" in world.call())
        yield world


def test_each_misbehaviour_ends_in_time_with_its_class_and_a_sentence(world: World) -> None:
    before = world.megabytes()

    def observed(item: tuple[int, str]) -> tuple[str, Any, float]:
        number, name = item
        more = "?to=http://127.0.0.1:1/" if name == "redirect" else ""
        world.register(f"bad-{number}", f"{world.hostile}/mcp/{name}{more}")
        began = time.monotonic()
        return name, world.poll(f"bad-{number}"), time.monotonic() - began

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(observed, enumerate(MISBEHAVIOURS)))
    assert {name: answer["error_class"] for name, answer, _ in found} == MISBEHAVIOURS
    for name, answer, seconds in found:
        assert (answer["complete"], answer["definitions"], answer["reviews_opened"]) == (False, 0, 0), name
        assert answer["error"].endswith("."), name
        assert seconds < SECONDS, name
    after = world.megabytes()
    assert {name: after[name] - before[name] < MEGABYTES for name in before} == dict.fromkeys(before, True), after
    assert "still there" in world.call()


@pytest.mark.parametrize(
    ("listed", "error_class"),
    [
        ([tool(f"t{number}") for number in range(11_000)], "too_many"),
        ([ECHO, {**ECHO, "description": "another"}], "duplicate_name"),
        ([{**ECHO, "description": "x" * 3_000_000}], "too_large"),
    ],
)
def test_an_approved_server_that_turns_hostile_keeps_what_was_approved(
    world: World, listed: list[dict[str, Any]], error_class: str
) -> None:
    world.honest.change(tools=listed)
    try:
        answer = world.poll(KEPT)
        assert (answer["complete"], answer["error_class"]) == (False, error_class)
        assert world.product.admin.get("reviews/", server=KEPT, state="waiting")["results"] == []
        assert "still there" in world.call()
    finally:
        world.honest.change(tools=[ECHO])
    assert world.poll(KEPT)["complete"]


def test_a_server_that_asks_for_credentials_waits_for_them(world: World) -> None:
    world.register("locked", f"{world.hostile}/mcp/401")
    world.poll("locked")
    assert world.product.admin.get("servers/locked/")["state"] == "needs_credentials"


def test_production_refuses_a_server_that_answers_anybody(world: World) -> None:
    world.register("open", world.honest.url, environment="production")
    assert world.poll("open")["error_class"] == "unauthenticated_production"
    assert world.product.admin.get("reviews/", server="open")["results"] == []


def test_an_approved_server_that_moves_to_production_is_not_called_before_it_was_looked_at_again(world: World) -> None:
    admin = world.product.admin
    admin.patch(f"servers/{KEPT}/", {"environment": "production", "reason": "it is ready"}, expect=200)
    assert world.poll(KEPT)["error_class"] == "unauthenticated_production"
    assert admin.get(f"servers/{KEPT}/")["state"] != "active"
    admin.patch(f"servers/{KEPT}/", {"environment": "development", "reason": "it is not"}, expect=200)
    assert world.poll(KEPT)["complete"]
    wait_until("served again", lambda: "still there" in world.call())


@pytest.mark.parametrize(
    ("body", "field", "word"),
    [
        ({"transport": "stdio"}, "transport", "runs commands"),
        ({"transport": "stdio", "url": ""}, "transport", "runs commands"),
        ({"transport": "sse"}, "transport", "deprecated"),
        ({"url": "file:///etc/passwd"}, "url", "http or https"),
        ({"url": "http://me:secret@127.0.0.1/"}, "url", "password"),
        ({"url": "http://127.0.0.1:99999/"}, "url", "Port"),
    ],
)
def test_an_address_that_cannot_be_is_refused_with_its_field(
    world: World, body: dict[str, str], field: str, word: str
) -> None:
    whole = {"slug": "never", "name": "Never", "url": world.honest.url, "environment": "development"}
    error = world.product.admin.post("servers/", whole | body, expect=400)["error"]
    assert [detail["field"] for detail in error["details"]] == [field]
    assert word in error["message"]
