"""A gateway that listens, real servers behind it, and short ways to approve, grant and call."""

import json
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx2
import pytest
import uvicorn
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.test import Client as Browser
from django.utils import timezone
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from access.models import Agent, Grant, Person
from access.services import Holder, bump_revision, create_role, give_grant, register_agent, server_part
from audit.models import Record
from audit.permit import audited_denials
from audit.writer import GroupCommitWriter
from core.actor import Actor, ActorKind
from core.permissions import Permission
from gateway import application
from gateway.application import Gateway, from_settings
from gateway.door import Door
from servers.services import Registration, register_server
from tests import databases
from tests.ports import free_ports
from tools.models import Pin, Review
from tools.services import PollResult, decide_review, poll_now

SLUG = "files"
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
# `auto` asks `server/discover` first; the pinned modern mode asks nothing.
MODES = {"handshake": "legacy", "modern": "2026-07-28", "auto": "auto"}
BOTH = "application/json, text/event-stream"
# Nothing here speaks TLS, and to read the authorities anew takes longer than a call.
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
PATIENCE = 12.0
_T = TypeVar("_T")


def until(look: Callable[[], _T | None], *, seconds: float = 60) -> _T:
    """The first answer of `look` that is true."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def refusal_in(result: Any) -> str:
    """The reason of a refusal that is told in a tool's result, or nothing."""
    found = (result.meta or {}).get("holdfast/refusal", {})
    return str(found.get("reason", ""))


@dataclass
class Agency:
    """One agent and the way to its tokens."""

    agent: Agent
    secret: str

    def token(self, slug: str = SLUG, *, scope: str | None = None) -> str:
        """A token from the real token endpoint, for the endpoint of `slug`."""
        basic = b64encode(f"{self.agent.client_id}:{self.secret}".encode()).decode()
        form = {"grant_type": "client_credentials", "resource": f"{settings.GATEWAY_URL}/{slug}"}
        form |= {"scope": scope} if scope is not None else {}
        answer = Browser().post(
            "/oauth/token/",
            urlencode(form),
            content_type="application/x-www-form-urlencoded",
            headers={"authorization": f"Basic {basic}"},
        )
        assert answer.status_code == 200, answer.content
        return str(answer.json()["access_token"])


@dataclass
class World:
    """What a test sees of one gateway."""

    url: str
    gateway: Gateway
    admin: Actor = field(init=False)

    def __post_init__(self) -> None:
        person = Person.objects.create(username="admin")
        self.admin = Actor(ActorKind.PERSON, str(person.public_id), person.username, frozenset(Permission))

    def endpoint(self, slug: str = SLUG) -> str:
        """Where agents call a server."""
        return f"{self.url}/mcp/{slug}"

    def register(self, url: str, slug: str = SLUG) -> PollResult:
        """Register a server and look at it once."""
        registration = Registration(slug=slug, name=slug, url=url, environment="development")
        register_server(registration=registration, actor=self.admin)
        return self.poll(slug)

    def poll(self, slug: str = SLUG) -> PollResult:
        """One look."""
        result = poll_now(slug=slug, actor=self.admin)
        assert result.complete, result.error
        return result

    def approve(self, *names: str, slug: str = SLUG) -> None:
        """Approve waiting reviews: those of `names`, or all."""
        waiting = Review.objects.waiting().filter(definition__server__slug=slug).select_related("version")
        _approve_all(reviews=waiting.filter(definition__name__in=names) if names else waiting, actor=self.admin)
        self.settle()

    def ends_soon(self, name: str, *, slug: str = SLUG) -> datetime:
        """Let an approval that was given for longer end in a moment: what a test does before has no clock."""
        end = timezone.now() + timedelta(seconds=2)
        pin = Pin.objects.live().get(definition__server__slug=slug, definition__name=name)
        with databases.owner_connection() as owner, owner.transaction():  # whom nothing in the database prevents
            owner.execute("ALTER TABLE tools_pin DISABLE TRIGGER tools_pin_guard")
            owner.execute("UPDATE tools_pin SET expires_at = %s WHERE id = %s", [end, pin.pk])
            owner.execute("ALTER TABLE tools_pin ENABLE TRIGGER tools_pin_guard")
        with transaction.atomic():
            bump_revision(server_part(slug))
        self.settle()
        return end

    def agent(self, *scopes: str, name: str = "robot") -> Agency:
        """An agent whose role holds exactly `scopes`; none means no role at all."""
        made = register_agent(name=name, actor=self.admin)
        if scopes:
            self.grant(made.agent, *scopes)
        return Agency(made.agent, made.secret)

    def grant(self, agent: Agent, *scopes: str) -> Grant:
        """Give an agent a role of its own."""
        role = create_role(name=f"role {Grant.objects.count()}", scopes=scopes, actor=self.admin)
        holder = Holder(agent=agent.client_id)
        grant = give_grant(role=role.name, holder=holder, actor=self.admin, reason="A test.")
        self.settle()
        return grant

    def settle(self) -> None:
        """Wait until the gateway knows the present state: its revisions are those of the database."""
        from access.models import Revision

        wanted = dict(Revision.objects.values_list("part", "n"))
        until(lambda: dict(self.gateway._store._snapshot.revisions) == wanted)

    def records(self, **filters: Any) -> list[Record]:
        """Audit records about the gateway, oldest first."""
        types = ["intent", "outcome", "deny", "auth"]
        return list(Record.objects.filter(type__in=types, **filters).exclude(server="").order_by("id"))

    @asynccontextmanager
    async def client(self, token: str, era: str, slug: str = SLUG) -> AsyncIterator[Client]:
        """The `mcp` package's client."""
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=60, verify=PLAIN) as http:
            async with Client(streamable_http_client(self.endpoint(slug), http_client=http), mode=MODES[era]) as client:
                yield client

    def post(self, token: str | None, body: Any, *, slug: str = SLUG, **headers: str) -> httpx2.Response:
        """One raw POST; underscores in header names stand for hyphens."""
        sent = {"content-type": "application/json", "accept": BOTH}
        sent |= {"authorization": f"Bearer {token}"} if token else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx2.post(self.endpoint(slug), content=content, headers=sent, timeout=60, verify=PLAIN)

    def modern(self, token: str, method: str, params: dict[str, Any], **headers: str) -> httpx2.Response:
        """One request of the modern era, headers in agreement unless `headers` says otherwise."""
        sent = {"mcp_protocol_version": "2026-07-28", "mcp_method": method}
        sent |= {"mcp_name": params["name"]} if "name" in params else {}
        meta = META | params.get("_meta", {})
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        return self.post(token, body, **{**sent, **headers})


@audited_denials
def _approve_all(*, reviews: "QuerySet[Review]", actor: Actor) -> None:
    """In one transaction, so that the gateway reads all of it at once and not the server's part after each."""
    for review in reviews:
        decide_review(
            review_id=review.public_id, verdict="approve", digest=review.version.digest, reason="Fine.", actor=actor
        )


@contextmanager
def _patient() -> Iterator[Gateway]:
    """A gateway that a machine which stands still for a moment makes neither refuse nor forget a word.

    How long the product itself waits is the subject of the tests of its parts.
    """
    writer = application.GroupCommitWriter  # type: ignore[attr-defined]  # a test may have put another there
    given = partial(writer, timeout=PATIENCE) if writer is GroupCommitWriter else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.store.LOOKUP_SECONDS", PATIENCE)
        patch.setattr("gateway.messenger._TELL_SECONDS", PATIENCE)
        gateway = from_settings(given)
        store = gateway._store
        store.is_stale = lambda: store.age() > PATIENCE  # type: ignore[method-assign]
        yield gateway


@contextmanager
def running(port: int) -> Iterator[Gateway]:
    """This process's gateway, listening in a thread."""
    with _patient() as gateway, _listening(gateway, port):
        yield gateway


@contextmanager
def _listening(gateway: Gateway, port: int) -> Iterator[None]:
    config = uvicorn.Config(gateway, host="127.0.0.1", port=port, log_level="warning", lifespan="on", http=Door)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


def free_port() -> int:
    """A port that nobody listens on."""
    return free_ports(1)
