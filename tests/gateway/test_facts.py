"""What the gateway decides by, read for one question: the same as the store's snapshot of the same rows."""

import gc
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import Agent, Grant, Person
from access.policy import Call, decide
from access.rules import Rule
from gateway import facts
from gateway.facts import read_access, read_access_beside, read_tools, read_tools_at
from gateway.parts import definition_of
from gateway.reach import Caller, Reach
from gateway.snapshot import Definition as ServedDefinition
from gateway.snapshot import Snapshot, Token
from gateway.store import _refreshed
from servers.models import Server
from tests.factories import AgentFactory, GrantFactory, MembershipFactory, PersonFactory, RoleFactory, TeamFactory
from tests.tools.making import actor_of, approve, card, make_server, poll, reject, tool
from tools.models import Definition, Review
from tools.querysets import ServedRow
from tools.services import suspend

pytestmark = pytest.mark.django_db
BROKEN = {"type": "object", "properties": {"n": {"type": "nonsense"}}}
SLUGS = ("closed", "files", "moved", "other", "stopped")


@pytest.fixture
def reviewer(db: None) -> Any:
    return actor_of(PersonFactory.create(username="reviewer"))


def serve(slug: str, reviewer: Any, *items: Any, **values: Any) -> Server:
    """A server whose card and tools are approved."""
    server = make_server(slug, state="registered", **values)
    poll(server, card(), *items)
    for review in Review.objects.waiting().filter(definition__server=server).select_related("version", "definition"):
        until = timezone.now() + timedelta(hours=1) if review.definition.name == "late" else None
        approve(review, reviewer, approve_until=until)
    server.refresh_from_db()
    return server


@pytest.fixture
def world(reviewer: Any) -> None:
    """Servers and tools in every state that decides, and grants of every shape."""
    files = serve("files", reviewer, tool("read"), tool("write"), tool("gone"), tool("secret"), tool("late"))
    poll(files, card(), tool("read"), tool("write", "Writes."), tool("secret"), tool("late"), tool("new"))
    reject(Review.objects.waiting().select_related("version").get(definition__name="new"), reviewer)
    Definition.objects.filter(name="secret").update(sensitive=True)
    moved = serve("moved", reviewer, tool("read"))
    poll(moved, card(serverInfo={"name": "another", "version": "1"}), tool("read"))
    Server.objects.filter(pk=serve("closed", reviewer, tool("read")).pk).update(state="suspended")
    serve("other", reviewer, tool("read"), tool("odd", inputSchema=BROKEN), environment="staging")
    serve("stopped", reviewer, tool("read"))
    suspend(kind="server", name="stopped", actor=reviewer, reason="A test.")
    suspend(kind="definition", name="tool:other/read", actor=reviewer, reason="A test.")
    calls = RoleFactory.create(name="calls", scopes=[f"mcp:{slug}:call" for slug in SLUGS])
    secret = RoleFactory.create(name="secret", scopes=["mcp:files:tool:secret", "mcp:other:tool:odd"])
    team = TeamFactory.create()
    alice, bob = PersonFactory.create(username="alice"), PersonFactory.create(username="bob")
    MembershipFactory.create(team=team, person=alice)
    GrantFactory.create(role=secret, team=team)
    GrantFactory.create(role=calls, person=bob, environment="development")
    GrantFactory.create(role=calls, person=alice, expires_at=timezone.now() + timedelta(hours=3))
    agent, bound = AgentFactory.create(client_id="agent"), AgentFactory.create(client_id="bound")
    GrantFactory.create(role=calls, agent=agent)
    GrantFactory.create(role=secret, agent=bound)
    AgentFactory.create(client_id="stopped", state="suspended")
    GrantFactory.create(role=calls, agent=Agent.objects.get(client_id="stopped"))


def callers() -> list[Caller]:
    """Every agent for itself and for everybody, and everybody."""
    agents = [Caller(each.pk, agent_active=each.state == "active") for each in Agent.objects.all()]
    people = [(each.pk, each.is_active) for each in Person.objects.all()]
    pairs = [
        Caller(agent.agent, agent_active=agent.agent_active, person=key, person_active=active)
        for agent in agents
        for key, active in people
    ]
    return [*agents, *pairs, *(Caller(person=key, person_active=active) for key, active in people)]


def as_the_gateway_decides(snapshot: Snapshot, caller: Caller, now: datetime) -> dict[str, Rule]:
    """By tool, of calls with a token that holds everything, through the gateway's own parts."""
    found = {}
    for slug, part in snapshot.servers.items():
        for kind, name in part.definitions:
            scopes = frozenset({f"mcp:{slug}:call", f"mcp:{slug}:tool:{name}"})
            token = Token(
                id="", client_id="", agent=caller.agent, agent_active=caller.agent_active, person=caller.person,
                person_active=caller.person_active, principal="", resource=part.facts.resource, scopes=scopes,
            )  # fmt: skip
            call = Call("tools/call", part.definition(kind, name).facts, intention=True)
            decision = decide(call, snapshot.facts(token, slug, ""), now)
            found[f"{slug}/{name}"] = decision.rule
    return found


def test_what_is_reached_is_what_the_gateway_would_decide_of_every_call(world: None) -> None:
    snapshot = _refreshed(Snapshot(), lambda slug: f"https://gw.example/mcp/{slug}")
    tools = list(read_tools(Definition.objects.all()))
    later = timezone.now() + timedelta(hours=2)
    reach = Reach(read_access(), later)
    seen: set[Rule] = set()
    for caller in callers():
        found = {
            f"{tool.server.slug}/{tool.facts.name}": decision.rule for tool, decision in reach.decisions(caller, tools)
        }
        assert found == as_the_gateway_decides(snapshot, caller, later)
        seen.update(found.values())
    # The world holds what it promises: each of these decided at least one call.
    assert seen >= {
        Rule.AGENT_ACTIVE, Rule.ALLOW_DEFINITION, Rule.CEILING_DEFINITION, Rule.DEFINITION_APPROVED,
        Rule.DEFINITION_KNOWN, Rule.DEFINITION_SCHEMA, Rule.DEFINITION_UNEXPIRED, Rule.GRANT_DEFINITION,
        Rule.GRANT_SERVER, Rule.SERVER_ACTIVE, Rule.SERVER_CARD, Rule.SUSPENDED_DEFINITION, Rule.SUSPENDED_SERVER,
    }  # fmt: skip


def test_tools_are_read_in_so_many_queries_for_any_number_of_servers(reviewer: Any) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert list(read_tools(Definition.objects.all()))
        return len(captured)

    for number in range(2):
        serve(f"one-{number}", reviewer, tool("read"))
        poll(make_server(f"unjudged-{number}"), card(), tool("read"))
    few = queries()
    for number in range(2, 5):
        moved = serve(f"one-{number}", reviewer, tool("read"))
        poll(moved, card(serverInfo={"name": "another", "version": "1"}), tool("read"))
        poll(make_server(f"unjudged-{number}"), card(), tool("read"))
    assert queries() <= few + 2 <= 6


def test_beside_a_grant_stands_all_that_reaches_its_holders(world: None) -> None:
    alice = Person.objects.get(username="alice")
    of_the_team = read_access_beside(Grant.objects.get(team__isnull=False))
    assert {grant.names[1] for grant in of_the_team.people[alice.pk]} == {"role:calls", "role:secret"}
    own = read_access_beside(Grant.objects.get(person=alice))
    assert own.people == of_the_team.people
    agent = Agent.objects.get(client_id="bound")
    bound = read_access_beside(Grant.objects.get(agent=agent))
    assert (set(bound.agents), set(bound.people)) == ({agent.pk}, set())
    slugs = {tool.server.slug for tool in read_tools_at(bound)}
    assert slugs == {"files", "other"}


def test_the_texts_of_a_server_pass_by_one_after_the_other(reviewer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a thousand tools, held beside what is made of them, are megabytes that no process gives back."""
    serve("files", reviewer, *(tool(f"tool-{number}") for number in range(20)))
    gc.collect()
    others = {id(each) for each in gc.get_objects() if type(each) is ServedRow}
    held: list[int] = []

    def noted(row: ServedRow) -> ServedDefinition:
        held.append(sum(type(each) is ServedRow and id(each) not in others for each in gc.get_objects()))
        return definition_of(row)

    monkeypatch.setattr(facts, "definition_of", noted)
    part = facts.readable_server("files", lambda slug: slug)
    assert part is not None
    assert len(part.definitions) == len(held) == 20
    assert max(held) <= 3  # this one, the card's, and the one before while the next is made
