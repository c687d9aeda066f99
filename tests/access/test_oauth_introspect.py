"""Introspection: a server learns what a token for it is worth, and nobody learns anything else."""

import uuid
from typing import Any

import pytest

from access import services
from access.models import Agent, Person, ProtectedResource
from audit.models import Record
from core.actor import Actor
from core.errors import Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from core.sampling import Sampler
from tests.access.flow import RESOURCE, ask, code_for, exchange
from tests.factories import AgentFactory, PersonFactory, ProtectedResourceFactory, PublicAgentFactory, actor_with

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_was_refused_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.oauth.views._STRANGERS", Sampler(limit=100, window=60))


@pytest.fixture(autouse=True)
def server(db: None) -> Agent:
    """The agent that stands for the server `files`."""
    agent: Agent = AgentFactory.create(client_id="files-server")
    ProtectedResourceFactory.create(server_slug="files", introspector=agent)
    return agent


@pytest.fixture
def ada(db: None) -> Person:
    return PersonFactory.create(username="ada")


@pytest.fixture
def tokens(ada: Person) -> dict[str, Any]:
    body: dict[str, Any] = exchange(code_for(ada, PublicAgentFactory.create(client_id="app"))).json()
    return body


def introspect(token: str | None, **changes: Any) -> Any:
    form = {"token": token, "client_id": "files-server", "client_secret": "secret", **changes}
    return ask(form, to="introspect")


def test_the_server_that_a_token_is_for_learns_what_it_is_worth(tokens: dict[str, Any], ada: Person) -> None:
    response = introspect(tokens["access_token"])
    body = response.json()
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    assert (body["active"], body["iss"], body["aud"]) == (True, "http://127.0.0.1:8000", RESOURCE)
    assert (body["sub"], body["client_id"], body["scope"]) == (str(ada.public_id), "app", "mcp:connect")
    assert body["exp"] - body["iat"] in (599, 600, 601)
    assert str(uuid.UUID(body["jti"])) == body["jti"]
    assert "username" not in body


def test_an_agent_that_acts_for_itself_is_its_own_subject() -> None:
    AgentFactory.create(client_id="bot")
    form = {"grant_type": "client_credentials", "resource": RESOURCE, "client_id": "bot", "client_secret": "secret"}
    assert introspect(ask(form).json()["access_token"]).json()["sub"] == "bot"


@pytest.mark.parametrize("change", ["other server", "nobody", "inactive", "agent", "person", "refresh", "rubbish"])
def test_anything_else_is_answered_like_rubbish(tokens: dict[str, Any], change: str) -> None:
    token = tokens["access_token"]
    match change:
        case "other server":
            ProtectedResource.objects.update(introspector=AgentFactory.create())
        case "nobody":
            ProtectedResource.objects.update(introspector=None)
        case "inactive":
            ProtectedResource.objects.update(active=False)
        case "agent":
            Agent.objects.filter(client_id="app").update(state="suspended")
        case "person":
            Person.objects.update(is_active=False)
        case _:
            token = tokens["refresh_token"] if change == "refresh" else "hf.rubbish"
    assert introspect(token).json() == {"active": False}


@pytest.mark.parametrize("changes", [{"client_secret": "wrong"}, {"client_secret": None}, {"client_id": "app"}])
def test_who_does_not_prove_themselves_learns_nothing(tokens: dict[str, Any], changes: dict[str, Any]) -> None:
    assert introspect(tokens["access_token"], **changes).status_code == 401


@pytest.mark.parametrize("secret", ["", None])
def test_an_agent_without_a_secret_proves_nothing(tokens: dict[str, Any], secret: str | None) -> None:
    ProtectedResource.objects.update(introspector=Agent.objects.get(client_id="app"))
    assert introspect(tokens["access_token"], client_id="app", client_secret=secret).status_code == 401


def test_a_token_must_be_named(server: Agent) -> None:
    assert introspect(None).json()["error"] == "invalid_request"


# --- who may ask ---------------------------------------------------------------------------------------------------


def name(client_id: str, *, actor: Actor) -> ProtectedResource:
    return services.name_introspector(
        server_slug="files", owner_team_id=None, client_id=client_id, actor=actor, reason="Moved."
    )


def test_naming_the_agent_that_stands_for_a_server_is_recorded(admin: Actor) -> None:
    AgentFactory.create(client_id="other")
    resource = name("other", actor=admin)
    assert resource.introspector is not None
    record = Record.objects.get(event="agent.changed")
    assert (record.subject, record.before, record.after) == (
        "server:files",
        {"introspector": "files-server"},
        {"introspector": "other"},
    )
    name("", actor=admin)
    assert ProtectedResource.objects.get().introspector is None


def test_only_who_may_edit_the_server_and_manage_the_agent_names_it(admin: Actor) -> None:
    for held in (Permission.SERVER_EDIT, Permission.AGENT_MANAGE):
        with pytest.raises(PermissionDenied):
            name("files-server", actor=actor_with(held))
    PublicAgentFactory.create(client_id="app")
    with pytest.raises(Invalid):
        name("app", actor=admin)
    with pytest.raises(NotFound):
        name("absent", actor=admin)
