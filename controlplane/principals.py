"""Who may reach tools, as callers that `gateway.reach` can be asked about."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from access.models import Agent, AgentState, Person
from core.actor import Actor
from gateway.reach import Caller
from gateway.snapshot import AccessPart


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who may reach tools: an agent that acts on its own, or a person."""

    kind: str
    id: UUID
    name: str
    caller: Caller


def principals(actor: Actor, access: AccessPart) -> Iterator[Principal]:
    """Those to whom `access` gives anything and whom the actor may see: agents that act on their own, then people."""
    agents = Agent.objects.visible_to(actor).filter(pk__in=[*access.agents])
    for agent in agents.order_by().only("public_id", "name", "state", "authorization_grant_type"):
        if not agent.acts_for_people:
            yield Principal("agent", agent.public_id, agent.name, caller_of(agent, None))
    people = Person.objects.visible_to(actor).filter(pk__in=[*access.people])
    for person in people.order_by().only("public_id", "username", "is_active"):
        yield Principal("person", person.public_id, person.username, caller_of(None, person))


def caller_of(agent: Agent | None, person: Person | None) -> Caller:
    """An agent for itself, an agent for a person, or a person through any agent."""
    caller = Caller() if agent is None else Caller(agent.pk, agent_active=agent.state == AgentState.ACTIVE)
    return caller if person is None else replace(caller, person=person.pk, person_active=person.is_active)
