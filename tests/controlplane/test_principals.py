"""Principals as callers that can be asked about."""

import pytest

from controlplane.principals import caller_of, principals
from gateway.facts import read_access
from gateway.reach import Caller
from tests.factories import AgentFactory, GrantFactory, PersonFactory, PublicAgentFactory
from tests.gateway.flowing import founder

pytestmark = pytest.mark.django_db


def test_those_to_whom_something_is_given_are_named_and_no_agent_that_acts_for_people() -> None:
    agent, person = AgentFactory.create(name="robot"), PersonFactory.create(username="grace")
    for holder in ({"agent": agent}, {"person": person}, {"agent": PublicAgentFactory.create()}):
        GrantFactory.create(**holder)
    AgentFactory.create(name="idle")
    found = list(principals(founder(), read_access()))
    assert [(each.kind, each.name) for each in found] == [("agent", "robot"), ("person", "grace")]


def test_a_caller_says_whether_agent_and_person_are_active() -> None:
    agent, person = AgentFactory.create(), PersonFactory.create(is_active=False)
    assert caller_of(agent, None) == Caller(agent.pk)
    assert caller_of(agent, person) == Caller(agent.pk, person=person.pk, person_active=False)
    assert caller_of(None, person).agent == Caller().agent
