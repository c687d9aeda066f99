"""The authorization server while something is suspended: nothing is issued, and nothing that was is used up."""

from collections.abc import Callable

import pytest

from access.models import Agent, ConsumedCode, Person, RefreshToken, Suspension, Team
from access.services import Target, actor_for, lift
from access.services.consents import Wish, code_by_consent, give_consent
from access.services.suspensions import suspend, target_of
from access.suspended import SuspensionKind
from audit.models import Record
from core.actor import system_actor
from core.errors import Conflict
from core.permissions import Permission
from core.sampling import Sampler
from tests.access.flow import CHALLENGE, RESOURCE, ask, code_for, exchange, refresh
from tests.console.world import administrator
from tests.factories import (
    AgentFactory,
    MembershipFactory,
    PersonFactory,
    ProtectedResourceFactory,
    PublicAgentFactory,
    TeamFactory,
    person_with,
)

pytestmark = pytest.mark.django_db
HOST = system_actor("host", Permission.SUSPENSION_SET, Permission.SUSPENSION_LIFT)
WEB = "https://app.example/callback"
KINDS: dict[str, Callable[[], Target]] = {
    "everything": lambda: target_of(kind=SuspensionKind.EVERYTHING, name=""),
    "server": lambda: Target(SuspensionKind.SERVER, "files", "server:files"),
    "agent": lambda: target_of(kind=SuspensionKind.AGENT, name="app"),
    "person": lambda: target_of(kind=SuspensionKind.PERSON, name="ada"),
    "team": lambda: target_of(kind=SuspensionKind.TEAM, name="blue"),
}


@pytest.fixture(autouse=True)
def nobody_was_refused_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.oauth.views._STRANGERS", Sampler(limit=100, window=60))


@pytest.fixture(autouse=True)
def resource(db: None) -> None:
    administrator(username="boss")
    ProtectedResourceFactory.create(server_slug="files", introspector=AgentFactory.create(client_id="files-server"))


@pytest.fixture
def agent(db: None) -> Agent:
    return PublicAgentFactory.create(client_id="app", name="App")


@pytest.fixture
def ada(db: None) -> Person:
    person = person_with("mcp:files:call", username="ada")
    MembershipFactory.create(team=TeamFactory.create(slug="blue"), person=person)
    return person


def stop(kind: str) -> Suspension:
    return suspend(target=KINDS[kind](), actor=HOST, reason="It leaks.")


@pytest.mark.parametrize("kind", KINDS)
def test_no_code_and_no_refresh_token_is_exchanged_and_the_refresh_token_works_again(
    agent: Agent, ada: Person, kind: str
) -> None:
    pair, code = exchange(code_for(ada, agent)).json(), code_for(ada, agent)
    row = stop(kind)
    for refused in (refresh(pair["refresh_token"]), exchange(code)):
        assert (refused.status_code, refused.json()["error"]) == (403, "access_denied")
        assert kind in refused.json()["error_description"]
    assert Record.objects.filter(event="token.refused", agent="app").count() == 2
    assert RefreshToken.objects.filter(revoked__isnull=True).count() == 1
    lift(suspension_id=row.public_id, actor=HOST, reason="Repaired.")
    assert refresh(pair["refresh_token"]).status_code == 200


@pytest.mark.parametrize("kind", ["everything", "server", "agent", "team"])
def test_an_agent_that_acts_for_itself_gets_no_token(kind: str) -> None:
    agent = AgentFactory.create(client_id="app", owner_team=TeamFactory.create(slug="blue"))
    form = {"grant_type": "client_credentials", "client_id": "app", "client_secret": "secret", "resource": RESOURCE}
    assert ask(form).status_code == 200
    row = stop(kind)
    refused = ask(form)
    assert (refused.status_code, refused.json()["error"]) == (403, "access_denied")
    lift(suspension_id=row.public_id, actor=HOST, reason="Repaired.")
    assert ask(form).status_code == 200
    assert agent.owner_team == Team.objects.get()


def test_others_are_served_on(agent: Agent, ada: Person) -> None:
    AgentFactory.create(client_id="other")
    ben = PersonFactory.create(username="ben")
    stop("person")
    suspend(target=target_of(kind=SuspensionKind.AGENT, name="other"), actor=HOST, reason="x")
    assert exchange(code_for(ben, agent)).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_allows_anything_meanwhile_nor_is_reminded_of_what_they_allowed(
    agent: Agent, ada: Person, kind: str
) -> None:
    wish = Wish(
        person=ada, agent=agent, redirect_uri=WEB, registered_uri=WEB, resource=RESOURCE, scopes=("mcp:connect",),
        code_challenge=CHALLENGE,
    )  # fmt: skip
    give_consent(wish=wish, actor=actor_for(ada))
    assert code_by_consent(wish=wish)
    stop(kind)
    with pytest.raises(Conflict):
        give_consent(wish=wish, actor=actor_for(ada))
    with pytest.raises(Conflict):
        code_by_consent(wish=wish)


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_asks_is_told_that_a_token_is_worth_nothing(agent: Agent, ada: Person, kind: str) -> None:
    token = exchange(code_for(ada, agent)).json()["access_token"]
    form = {"token": token, "client_id": "files-server", "client_secret": "secret"}
    assert ask(form, to="introspect").json()["active"] is True
    stop(kind)
    assert ask(form, to="introspect").json() == {"active": False}


def test_a_token_can_be_given_up_while_everything_is_suspended(agent: Agent, ada: Person) -> None:
    pair = exchange(code_for(ada, agent)).json()
    stop("everything")
    assert ask({"token": pair["refresh_token"], "client_id": "app"}, to="revoke").status_code == 200
    assert not RefreshToken.objects.filter(revoked__isnull=True).exists()
    assert ConsumedCode.objects.exists()
