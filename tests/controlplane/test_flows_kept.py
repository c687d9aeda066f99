"""Tools that are kept for questions about flows are the ones that the database has, after whatever changed."""

from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import Agent, Grant, Role
from access.services import bump_revision, change_role, revoke_grant, server_part
from controlplane.flows.kept import tools_among
from controlplane.flows.reading import Reading
from gateway.facts import read_access
from gateway.reach import Caller, Reach
from servers.models import Server
from servers.services import suspend_server
from tests.factories import AgentFactory, GrantFactory, PersonFactory
from tests.gateway.flowing import CUSTOMERS, flowing, founder
from tests.tools.making import actor_of, poll, tool
from tools.models import Definition
from tools.querysets import DefinitionQuerySet
from tools.services import suspend, withdraw_approval

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bot(transactional_db: None) -> Agent:
    """An agent that reaches all three legs."""
    flowing()
    agent = AgentFactory.create(client_id="bot")
    for name in ("reader", "mailer"):
        GrantFactory.create(role=Role.objects.get(name=name), agent=agent)
    return agent


def reached(agent: Agent, near: DefinitionQuerySet | None = None) -> set[str]:
    reach = Reach(read_access(), timezone.now())
    tools = tools_among(Definition.objects.all() if near is None else near)
    return {tool.canonical for tool in tools.reached(reach, Caller(agent=agent.pk))}


def withdrawn() -> None:
    found = Definition.objects.get(server__slug=CUSTOMERS[0])
    digest = found.observed.digest if found.observed else ""
    withdraw_approval(definition_id=found.public_id, digest=digest, actor=founder(), reason="A test.")


def drifted() -> None:
    poll(Server.objects.get(slug=CUSTOMERS[0]), tool(CUSTOMERS[1], "Does another thing."))


def closed() -> None:
    suspend_server(slug=CUSTOMERS[0], actor=founder(), reason="A test.")


def stopped() -> None:
    suspend(kind="server", name=CUSTOMERS[0], actor=founder(), reason="A test.")


def stopped_alone() -> None:
    suspend(kind="definition", name="tool:crm/find_customers", actor=founder(), reason="A test.")


def revoked() -> None:
    revoke_grant(grant_id=Grant.objects.get(role__name="mailer").public_id, actor=founder(), reason="A test.")


def narrowed() -> None:
    role = Role.objects.get(name="mailer")
    change_role(role_id=role.public_id, scopes=["mcp:connect"], actor=founder(), reason="A test.")


@pytest.mark.parametrize("change", [withdrawn, drifted, closed, stopped, stopped_alone, revoked, narrowed])
def test_a_flow_that_was_found_is_gone_with_any_part_of_it(bot: Agent, change: Callable[[], None]) -> None:
    def holders() -> list[str]:
        return [each.principal.name for each in Reading(reader).held()[0]]

    reader = actor_of(PersonFactory.create(username="reader"))
    assert holders() == [bot.name] == holders()
    change()
    assert holders() == []


@pytest.mark.parametrize("change", [withdrawn, drifted, closed])
def test_what_changed_is_read_again(bot: Agent, change: Callable[[], None]) -> None:
    assert len(reached(bot)) == 3
    change()
    assert reached(bot) == {"forge/list_issues", "mail/send_mail"}


def test_what_did_not_change_is_not_read_again(bot: Agent) -> None:
    reached(bot)
    with CaptureQueriesContext(connection) as asked:
        assert len(reached(bot)) == 3
    assert not [query["sql"] for query in asked if "tools_definitionversion" in query["sql"]]


def test_what_a_transaction_changed_and_took_back_is_not_kept(bot: Agent) -> None:
    reached(bot)
    with transaction.atomic():
        Server.objects.filter(slug=CUSTOMERS[0]).update(state="suspended")
        bump_revision(server_part(CUSTOMERS[0]))
        assert len(reached(bot)) == 2
        transaction.set_rollback(True)
    with transaction.atomic():
        bump_revision(server_part(CUSTOMERS[0]))  # another change, with the number of the one that was taken back
    assert len(reached(bot)) == 3


def test_of_servers_that_nobody_asked_about_nothing_is_told(bot: Agent) -> None:
    near = Definition.objects.filter(server__slug="mail")
    assert len(reached(bot)) == 3
    assert reached(bot, near) == {"mail/send_mail"}
