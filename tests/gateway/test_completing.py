"""Whoever gives a grant that completes a toxic flow is told so, and so is the log."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.completing import Completed
from access.models import Grant, Role
from access.services import Holder, change_role, give_grant
from audit.models import Record
from core.actor import Actor
from core.errors import Conflict
from tests.factories import AgentFactory, GrantFactory, MembershipFactory, PersonFactory, RoleFactory, TeamFactory
from tests.gateway.flowing import founder, mailer, reader, three_servers

pytestmark = pytest.mark.django_db
FLOW = {"untrusted": "forge/list_issues", "private": "crm/find_customers", "out": "mail/send_mail"}


@pytest.fixture
def actor(db: None) -> Actor:
    three_servers()
    reader()
    mailer()
    return founder()


def give(role: str, actor: Actor, **holder: str) -> Grant:
    return give_grant(role=role, holder=Holder(**holder), actor=actor, reason="A test.")


def recorded(grant: Grant) -> Any:
    """What the record of giving it says of a flow."""
    told = [record.after or {} for record in Record.objects.filter(event="grant.given")]
    (after,) = [each for each in told if each["grant"] == str(grant.public_id)]
    return after.get("completes_flow")


def test_the_grant_that_completes_a_flow_says_so_and_is_recorded_with_it(actor: Actor) -> None:
    AgentFactory.create(client_id="bot")
    first, second = give("reader", actor, agent="bot"), give("mailer", actor, agent="bot")
    assert (first.completes, recorded(first)) == (None, None)
    assert second.completes == Completed(**FLOW, principals=1)
    assert recorded(second) == {**FLOW, "principals": 1}
    # What is whole already is not completed again.
    third = give("mailer", actor, agent="bot")
    assert (third.completes, recorded(third)) == (None, None)


def test_a_teams_grant_counts_the_members_for_whom_it_completes_one(actor: Actor) -> None:
    team = TeamFactory.create(slug="sales")
    role = Role.objects.get(name="reader")
    for name in ("alice", "bob", "carol"):
        person = PersonFactory.create(username=name)
        MembershipFactory.create(team=team, person=person)
        if name != "carol":
            GrantFactory.create(role=role, person=person)
    assert give("mailer", actor, team="sales").completes == Completed(**FLOW, principals=2)


def test_what_a_person_has_by_a_team_counts(actor: Actor) -> None:
    person = PersonFactory.create(username="alice")
    give("mailer", actor, team=MembershipFactory.create(person=person).team.slug)
    assert give("reader", actor, person="alice").completes == Completed(**FLOW, principals=1)


def test_an_installation_can_refuse_such_grants(actor: Actor, settings: Any) -> None:
    settings.REFUSE_TOXIC_GRANTS = True
    AgentFactory.create(client_id="bot")
    give("reader", actor, agent="bot")
    with pytest.raises(Conflict, match="toxic flow"):
        give("mailer", actor, agent="bot")
    assert Grant.objects.filter(agent__client_id="bot").count() == 1


def test_a_role_without_mcp_scopes_asks_nothing_of_servers(actor: Actor) -> None:
    RoleFactory.create(name="clerk", scopes=["server:read"])
    PersonFactory.create(username="alice")
    with CaptureQueriesContext(connection) as captured:
        assert give("clerk", actor, person="alice").completes is None
    assert not [query for query in captured if "tools_definition" in query["sql"]]


def test_a_role_that_grows_completes_a_flow_for_whoever_holds_it(actor: Actor, settings: Any) -> None:
    team = TeamFactory.create(slug="sales")
    role = Role.objects.get(name="reader")
    for name in ("alice", "bob"):
        MembershipFactory.create(team=team, person=PersonFactory.create(username=name))
    give("reader", actor, team="sales")
    give("mailer", actor, person="alice")  # whole before
    grown = [*role.scopes, "mcp:mail:call"]
    settings.REFUSE_TOXIC_GRANTS = True
    with pytest.raises(Conflict):
        change_role(role_id=role.public_id, scopes=grown, actor=actor)
    settings.REFUSE_TOXIC_GRANTS = False
    assert Role.objects.get(name="reader").scopes == role.scopes
    changed = change_role(role_id=role.public_id, scopes=grown, actor=actor)
    assert changed.completes == Completed(**FLOW, principals=1)
    record = Record.objects.filter(event="role.changed").newest_first()[0]
    assert (record.after or {})["completes_flow"] == {**FLOW, "principals": 1}


def test_a_role_that_shrinks_or_that_nobody_holds_completes_nothing(actor: Actor) -> None:
    role = Role.objects.get(name="reader")
    grown = [*role.scopes, "mcp:mail:call"]
    assert change_role(role_id=role.public_id, scopes=grown, actor=actor).completes is None
    AgentFactory.create(client_id="bot")
    give("reader", actor, agent="bot")
    assert change_role(role_id=role.public_id, scopes=["mcp:mail:call"], actor=actor).completes is None
