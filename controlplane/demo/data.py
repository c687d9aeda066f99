"""Demo data, made through the same services as everything else: two servers, a second person, a role and an agent.

`notes` is approved, so that an agent can call something at once; `weather` waits in review, so that there is
something to decide. Run again, it adds what is missing and decides nothing anew.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from access.models import Agent, Grant, Person, Role
from access.services import Holder, actor_for, create_person, create_role, give_grant, register_agent
from core.actor import Actor, system_actor
from core.permissions import Permission
from core.scopes import CONNECT, call_scope, read_scope
from servers.models import Server
from servers.services import Registration, edit_server, register_server
from tools.models import Review, ReviewDecision
from tools.rules import Verdict
from tools.services import Choice, decide_reviews, poll_now

POLL_SECONDS: Final = 15
REVIEWER: Final = "reviewer"
ROLE: Final = "demo-assistant"
_REASON: Final = "Part of the demo data."


class DemoError(Exception):
    """The demo data cannot be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Demo:
    """Where the demo servers are, the second person's password, and the file that keeps the agent's secret."""

    notes_url: str
    weather_url: str
    reviewer_password: str
    agent_file: Path


def create_demo_data(*, demo: Demo, administrator: str) -> list[str]:
    """Make what is missing; returns a sentence for each thing made. Raises DemoError and the services' errors."""
    actor = actor_for(Person.objects.get(username=administrator))
    made = _server("notes", "Notes", demo.notes_url, actor, approve=True)
    made += _server("weather", "Weather", demo.weather_url, actor, approve=False)
    if not Person.objects.named(REVIEWER).exists():
        create_person(username=REVIEWER, password=demo.reviewer_password, role="reviewer", actor=actor)
        made.append(f"person '{REVIEWER}' with the role reviewer")
    if not Role.objects.named(ROLE).exists():
        scopes = [CONNECT, *(scope(slug) for slug in ("notes", "weather") for scope in (read_scope, call_scope))]
        create_role(name=ROLE, scopes=scopes, description="May use both demo servers.", actor=actor)
        made.append(f"role '{ROLE}'")
    made += [sentence for username in (administrator, REVIEWER) for sentence in _user(username)]
    return made + _agent(demo.agent_file, actor)


def _user(username: str) -> list[str]:
    """Let a person use the demo servers too, with a client of their own. Once: it may be revoked."""
    if Grant.objects.filter(person__username=username, role__name=ROLE).exists():
        return []
    setting_up = system_actor("demo", *Permission)
    give_grant(role=ROLE, holder=Holder(person=username), actor=setting_up, reason=_REASON)
    return [f"the role {ROLE} for '{username}'"]


def _server(slug: str, name: str, url: str, actor: Actor, *, approve: bool) -> list[str]:
    server = Server.objects.filter(slug=slug).first()
    if server is not None and server.url != url:
        # Another --port than last time. Where an approved server lives is itself approved, so this waits in review.
        edit_server(slug=slug, changes={"url": url}, actor=actor, reason="The demo servers moved to another port.")
        return [f"server '{slug}' moved to {url}"]
    if server is None:
        registration = Registration(
            slug=slug, name=name, url=url, environment="development", poll_interval=POLL_SECONDS
        )
        server = register_server(registration=registration, actor=actor)
    elif not approve or ReviewDecision.objects.filter(review__definition__server=server).exists():
        return []
    return [_polled(server, actor) + (_approved(server, actor) if approve else ", waiting in review")]


def _polled(server: Server, actor: Actor) -> str:
    result = poll_now(slug=server.slug, actor=actor)
    if not result.complete:
        raise DemoError(f"The demo server '{server.slug}' could not be polled: {result.error}")
    return f"server '{server.slug}' with {result.definitions} definitions"


def _approved(server: Server, actor: Actor) -> str:
    waiting = Review.objects.visible_to(actor).waiting().of_server(server)
    choices = [Choice(review.public_id, review.version.digest) for review in waiting.select_related("version")]
    results = decide_reviews(choices=choices, verdict=Verdict.APPROVE.value, reason=_REASON, actor=actor)
    for result in results:
        if result.error is not None:
            raise DemoError(f"A definition of '{server.slug}' could not be approved: {result.error}")
    return ", all approved"


def _agent(file: Path, actor: Actor) -> list[str]:
    """An agent whose secret is kept, because it can be shown only once."""
    if file.exists():
        known = json.loads(file.read_text(encoding="utf-8"))["client_id"]
        if Agent.objects.filter(client_id=known).exists():
            return []
    registered = register_agent(name="demo assistant", actor=actor)
    client_id = registered.agent.client_id
    give_grant(role=ROLE, holder=Holder(agent=client_id), actor=actor, reason=_REASON)
    file.touch(mode=0o600)
    file.write_text(json.dumps({"client_id": client_id, "client_secret": registered.secret}), encoding="utf-8")
    return [f"agent '{registered.agent.name}' with the role {ROLE}"]
