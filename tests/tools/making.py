"""Makers of servers, surfaces and actors, and short ways to poll and decide."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from access.models import Person
from core.actor import Actor, ActorKind
from core.permissions import Permission
from servers.models import Server
from servers.surface import Item, Kind, ObservationProblem, Problem, Surface
from tests.factories import GrantFactory, RoleFactory
from tools import services
from tools.models import Definition, Review
from tools.services import PollResult
from tools.services.polling import POLLING

EMPTY_SCHEMA = {"type": "object", "properties": {}}


def actor_of(person: Person, *permissions: str) -> Actor:
    held = frozenset(permissions or Permission)
    return Actor(ActorKind.PERSON, str(person.public_id), person.username, held)


def entrust(actor: Actor, *permissions: str) -> Actor:
    """Let the person behind `actor` hold `permissions` in the database too, where a service asks who else may."""
    role = RoleFactory.create(scopes=list(permissions or Permission))
    GrantFactory.create(role=role, person=Person.objects.get(public_id=actor.id))
    return actor


def make_server(slug: str, **values: Any) -> Server:
    defaults: dict[str, Any] = {"name": slug, "url": f"http://127.0.0.1:9/{slug}", "environment": "development"}
    defaults["registered_at"] = timezone.now() - timedelta(days=365)  # so that tests can go back in time
    return Server.objects.create(slug=slug, **{**defaults, **values})


def tool(name: str = "read", description: str = "Read a file.", **fields: Any) -> Item:
    body = {"name": name, "description": description, "inputSchema": EMPTY_SCHEMA, **fields}
    return Item(Kind.TOOL, name, body)


def card(**fields: Any) -> Item:
    body = {
        "instructions": "Be kind.",
        "serverInfo": {"name": "files", "version": "1"},
        "capabilities": {"tools": {}},
        "endpoint": "http://127.0.0.1:9/files",
        "authorization": None,
        **fields,
    }
    return Item(Kind.CARD, "card", body)


def surface(*items: Item, **values: Any) -> Surface:
    return Surface(items=items, vantage=values.pop("vantage", "poller"), complete=True, era="modern", **values)


def failing(problem: Problem, *items: Item) -> Surface:
    said = ObservationProblem(problem, f"A sentence about {problem.value}.")
    return Surface(items=items, vantage="poller", complete=False, problem=said)


def poll(server: Server, *items: Item, **values: Any) -> PollResult:
    return services.absorb(server=server, surface=surface(*items, **values), actor=POLLING)


def fail(server: Server, problem: Problem, *items: Item) -> PollResult:
    return services.absorb(server=server, surface=failing(problem, *items), actor=POLLING)


def waiting(name: str = "read") -> Review:
    return Review.objects.waiting().select_related("version", "definition").get(definition__name=name)


def approve(review: Review, actor: Actor, **values: Any) -> Review:
    return decide(review, actor, "approve", **values)


def reject(review: Review, actor: Actor, **values: Any) -> Review:
    return decide(review, actor, "reject", **values)


def decide(review: Review, actor: Actor, verdict: str, **values: Any) -> Review:
    asked = {"digest": review.version.digest, "reason": "Looked at it.", **values}
    return services.decide_review(review_id=review.public_id, verdict=verdict, actor=actor, **asked)


def served(server: Server) -> dict[str, str]:
    """Name and digest of what agents are served now."""
    now = timezone.now()
    rows = Definition.objects.filter(server=server).served_rows()
    return {
        row.name: row.digest
        for row in rows
        if row.present and row.served and row.digest and (row.expires_at is None or row.expires_at > now)
    }
