"""Rows for tests. They go straight into tables, past the services: use them for what a test takes as given."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from factory.declarations import LazyAttribute, LazyFunction, Sequence, SubFactory
from factory.django import DjangoModelFactory

from access.models import Agent, Consent, Grant, Membership, Person, ProtectedResource, Role, Team
from access.services import actor_for
from core.actor import Actor
from core.permissions import Permission

# --- access -------------------------------------------------------------------------------------------------


class PersonFactory(DjangoModelFactory[Person]):
    """Somebody who can sign in but holds nothing. No usable password unless a test sets one: hashing is slow."""

    class Meta:
        model = Person

    username = Sequence(lambda number: f"person{number}")


class TeamFactory(DjangoModelFactory[Team]):
    """A team without people."""

    class Meta:
        model = Team

    slug = Sequence(lambda number: f"team{number}")
    name = LazyAttribute(lambda team: team.slug.title())


class MembershipFactory(DjangoModelFactory[Membership]):
    """That a person is in a team."""

    class Meta:
        model = Membership

    team = SubFactory(TeamFactory)
    person = SubFactory(PersonFactory)


class RoleFactory(DjangoModelFactory[Role]):
    """A role that holds nothing unless a test says what."""

    class Meta:
        model = Role

    name = Sequence(lambda number: f"role{number}")


class AgentFactory(DjangoModelFactory[Agent]):
    """An active agent whose secret is `secret`."""

    class Meta:
        model = Agent

    name = Sequence(lambda number: f"agent{number}")
    client_secret = "secret"
    client_type = Agent.CLIENT_CONFIDENTIAL
    authorization_grant_type = Agent.GRANT_CLIENT_CREDENTIALS


class PublicAgentFactory(AgentFactory):
    """An agent on somebody's computer, which has no secret and acts for people."""

    client_secret = ""
    client_type = Agent.CLIENT_PUBLIC
    authorization_grant_type = Agent.GRANT_AUTHORIZATION_CODE
    redirect_uris = "http://127.0.0.1/callback https://app.example/callback"


class ConsentFactory(DjangoModelFactory[Consent]):
    """That a person lets an agent connect to `files` for a day."""

    class Meta:
        model = Consent

    person = SubFactory(PersonFactory)
    agent = SubFactory(AgentFactory)
    redirect_uri = "https://app.example/callback"
    resource = "https://gateway.example/mcp/files"
    scopes = ("mcp:connect",)
    key = "0" * 64
    client_digest = "0" * 64
    given_at = LazyFunction(timezone.now)
    ends_at = LazyAttribute(lambda consent: consent.given_at + timedelta(days=1))


class GrantFactory(DjangoModelFactory[Grant]):
    """A live grant; a test names its holder."""

    class Meta:
        model = Grant

    role = SubFactory(RoleFactory)
    reason = "Given by a test."
    created_at = LazyFunction(timezone.now)


class ProtectedResourceFactory(DjangoModelFactory[ProtectedResource]):
    """Something that tokens are issued for."""

    class Meta:
        model = ProtectedResource

    server_slug = "files"
    uri = LazyAttribute(lambda resource: f"http://127.0.0.1:8000/mcp/{resource.server_slug}")


def person_with(*scopes: str, **attributes: Any) -> Person:
    """A person whose one role holds `scopes`."""
    person = PersonFactory.create(**attributes)
    GrantFactory.create(role=RoleFactory.create(scopes=list(scopes)), person=person)
    return person


def actor_with(*scopes: str) -> Actor:
    """The actor of `person_with(*scopes)`."""
    return actor_for(person_with(*scopes))


def administrator() -> Actor:
    """An actor who holds every permission."""
    return actor_with(*Permission)
