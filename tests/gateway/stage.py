"""Where the rows of `bypass` are played: a listening gateway, a real server, an agent, and what each of them sees."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from django.db.models import QuerySet
from django.test import Client as Browser
from django.utils import timezone
from mcp import Client
from mcp.shared.exceptions import MCPError
from rest_framework.test import APIClient

from core.actor import Actor
from core.errors import Conflict
from servers.models import Server
from servers.services import Registration, edit_server, register_server
from tests import databases
from tests.console.world import administrator
from tests.fixtures_mcp.processes import HonestServer
from tests.gateway.bypass import SHOWN
from tests.gateway.world import Agency, World, refusal_in, until
from tools.models import Definition, Pin, Review
from tools.services import PollResult, decide_review, poll_now, retire

ERAS = ("handshake", "auto")  # the latter asks who the server is, and then speaks the modern era


@dataclass(frozen=True)
class Sight:
    """What an agent of one era sees: names and descriptions, how each call ended (the reason, or nothing), the card."""

    tools: dict[str, str]
    calls: dict[str, str]
    name: str = ""
    instructions: str | None = None


class _User:
    """What authentication leaves on a request of the API."""

    is_authenticated = True

    def __init__(self, actor: Actor):
        self.actor = actor


@dataclass
class Stage:
    """One server that is approved and then changes."""

    world: World
    server: HonestServer
    elsewhere: HonestServer
    patch: pytest.MonkeyPatch
    stack: ExitStack
    first: dict[str, Any]
    slug: str
    shown: dict[str, Any] = field(default_factory=lambda: deepcopy(SHOWN))
    result: PollResult | None = None
    _agency: Agency | None = None
    _token: str = ""
    _read: tuple[Any, str] | None = None

    def open(self) -> None:
        """Everything is approved, listed and callable."""
        self.show(tools=[self.first, *self.shown["tools"][1:]])
        self.world.register(self.server.url, slug=self.slug)
        self.world.approve(slug=self.slug)
        self._agency = self.world.agent(name=self.slug)
        self._admit()
        assert self.listed() == {tool["name"]: tool for tool in self.shown["tools"]}
        assert "result" in self.raw("tools/call", name="target", arguments={"note": "first"}).json()
        for server in (self.server, self.elsewhere):
            server.change(calls=[])

    def _admit(self) -> None:
        assert self._agency is not None
        self.world.grant(self._agency.agent, f"mcp:{self.slug}:call", f"mcp:{self.slug}:read")
        self._token = self._agency.token(self.slug)

    # What steps do.

    def show(self, **parts: Any) -> None:
        self.shown |= parts
        self.server.change(**self.shown)

    def look(self) -> None:
        self.result = poll_now(slug=self.slug, actor=self.world.admin)
        self.world.settle()

    def read(self) -> None:
        review = self.waiting("tool", "target").get()
        self._read = (review.public_id, review.version.digest)

    def approve_what_was_read(self, *, refused: bool = False, seconds: float | None = None) -> None:
        if refused:
            with pytest.raises(Conflict):
                self._decide("approve")
        elif seconds is not None:
            self._decide("approve", approve_until=timezone.now() + timedelta(hours=1))
            self.world.ends_soon("target", slug=self.slug)
        else:
            self._decide("approve")
            assert self.listed()["target"] != self.first

    def reject_what_was_read(self) -> None:
        self._decide("reject")

    def _decide(self, verdict: str, **more: Any) -> None:
        assert self._read is not None
        review, digest = self._read
        decide_review(review_id=review, verdict=verdict, digest=digest, reason="Read.", actor=self.world.admin, **more)
        self.world.settle()

    def until_expired(self) -> None:
        until(lambda: "target" not in self.listed())

    def a_minute_later(self) -> None:
        self.patch.setattr("gateway.looking.AGAIN_SECONDS", 0.0)

    def list_as_agent(self) -> None:
        self.sights()

    def retire(self) -> None:
        retire(slug=self.slug, actor=self.world.admin, reason="A test.")
        self.world.settle()

    def register(self, door: str, slug: str) -> None:
        self.slug = slug
        values = {"slug": slug, "name": slug, "url": self.server.url, "environment": "development"}
        _DOORS[door](self.world.admin, values)
        self.look()
        self._admit()

    def move(self) -> None:
        self.elsewhere.change(**self.shown)
        edit_server(slug=self.slug, changes={"url": self.elsewhere.url}, actor=self.world.admin)
        self.world.settle()

    def failing(self, function: str) -> None:
        def fail(*_args: Any, **_more: Any) -> Any:
            raise RuntimeError("failed on purpose")

        self.patch.setattr(function, fail)

    def without_policy(self) -> None:
        owner = self.stack.enter_context(databases.owner_connection())
        self.stack.enter_context(owner.transaction())
        owner.execute("LOCK TABLE access_revision IN ACCESS EXCLUSIVE MODE")
        until(lambda: not self.is_ready())

    # What came of them.

    def sights(self, *names: str) -> list[Sight]:
        """What agents of both eras see now. They call the tools `names`, and one that nothing happens to."""
        return [asyncio.run(self._sight(era, (*names, "other"))) for era in ERAS]

    async def _sight(self, era: str, names: tuple[str, ...]) -> Sight:
        try:
            async with self.world.client(self._token, era, self.slug) as client:
                tools = {tool.name: tool.description or "" for tool in (await client.list_tools()).tools}
                calls = {name: await _call(client, name) for name in names}
                name = client.server_info.name if client.server_info else ""
                found = Sight(tools, calls, name, client.instructions)
        except* MCPError as refusals:
            # No session was opened: the client's task groups wrap the one refusal.
            (refusal,) = _leaves(refusals)
            found = Sight({}, dict.fromkeys(names, _reason(refusal)))
        return found

    def is_ready(self) -> bool:
        """Whether the gateway says that it can decide."""
        return httpx2.get(f"{self.world.url}/readyz", timeout=60).status_code == 200

    def listed(self) -> dict[str, Any]:
        """Every tool just as it is served."""
        return {tool["name"]: tool for tool in self.raw("tools/list").json()["result"]["tools"]}

    def raw(self, method: str, **params: Any) -> httpx2.Response:
        """One request of the modern era."""
        named = {"mcp_name": params["uri"]} if "uri" in params else {}
        return self.world.modern(self._token, method, params, slug=self.slug, **named)

    def definition(self, kind: str, name: str) -> Definition:
        return Definition.objects.get(server__slug=self.slug, kind=kind, name=name)

    def waiting(self, kind: str, name: str) -> "QuerySet[Review]":
        reviews = Review.objects.waiting().select_related("version")
        return reviews.filter(definition__server__slug=self.slug, definition__kind=kind, definition__name=name)

    def pinned(self, kind: str, name: str) -> Pin | None:
        return Pin.objects.live().filter(definition=self.definition(kind, name)).first()

    def row(self) -> Server:
        return Server.objects.get(slug=self.slug)

    def refusals(self, tool: str) -> set[str]:
        """Reasons of the recorded refusals of one tool."""
        return {record.reason for record in self.world.records(type="deny", server=self.slug, tool=tool)}

    def reached(self) -> set[str]:
        """The tools that were called at the server."""
        return {call["name"] for call in self.server.calls()} | {call["name"] for call in self.elsewhere.calls()}


async def _call(client: Client, name: str) -> str:
    try:
        return refusal_in(await client.call_tool(name, {"note": "first"}))
    except MCPError as error:
        return _reason(error)


def _leaves(group: BaseExceptionGroup[MCPError]) -> list[MCPError]:
    return [
        leaf
        for each in group.exceptions
        for leaf in (_leaves(each) if isinstance(each, BaseExceptionGroup) else [each])
    ]


def _reason(error: MCPError) -> str:
    return str(error.error.data["reason"])


def _by_service(admin: Actor, values: dict[str, str]) -> None:
    register_server(registration=Registration(**values), actor=admin)  # type: ignore[arg-type]  # texts only


def _by_api(admin: Actor, values: dict[str, str]) -> None:
    client = APIClient()
    client.force_authenticate(user=_User(admin))  # type: ignore[arg-type]  # not a Django user on purpose
    assert client.post("/api/v1/servers/", values, format="json").status_code == 201


def _in_console(_admin: Actor, values: dict[str, str]) -> None:
    browser = Browser()
    browser.force_login(administrator(username="ada"))
    form = {**values, "required_approvals": "1", "poll_interval": "300", "team": ""}
    assert browser.post("/servers/register/", form).status_code == 302


_DOORS: dict[str, Callable[[Actor, dict[str, str]], None]] = {
    "service": _by_service,
    "api": _by_api,
    "console": _in_console,
}
