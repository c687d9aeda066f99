"""Codes at the token endpoint: good once, for a minute, for the verifier, the client and the redirect they were made for."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from access import services
from access.models import AccessToken, Agent, AuthorizationCode, ConsumedCode, Person, RefreshToken, Revision
from access.services.codes import redeem_code
from access.token_format import checksum
from access.tokens import verify_access_token
from audit.models import Record
from core.actor import Actor
from core.sampling import Sampler
from tests.access.flow import REDIRECT, RESOURCE, code_for, exchange
from tests.factories import AgentFactory, PersonFactory, ProtectedResourceFactory, PublicAgentFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_was_refused_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.oauth.views._STRANGERS", Sampler(limit=100, window=60))


@pytest.fixture(autouse=True)
def resource(db: None) -> None:
    ProtectedResourceFactory.create(server_slug="files")
    ProtectedResourceFactory.create(server_slug="other")


@pytest.fixture
def agent(db: None) -> Agent:
    return PublicAgentFactory.create(client_id="app", name="App")


@pytest.fixture
def ada(db: None) -> Person:
    return PersonFactory.create(username="ada")


def error_of(response: Any) -> str:
    assert response.status_code == 400, response.content
    assert (response["Cache-Control"], response["Content-Type"]) == ("no-store", "application/json")
    return str(response.json()["error"])


def test_a_code_gives_a_pair_for_the_person_and_the_resource(agent: Agent, ada: Person) -> None:
    response = exchange(code_for(ada, agent))
    body = response.json()
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 600, "mcp:connect")
    facts = verify_access_token(body["access_token"])
    assert facts is not None
    assert (facts.client_id, facts.person_id, facts.resource) == ("app", ada.pk, RESOURCE)
    assert body["refresh_token"].startswith("hfr.")


def test_a_code_and_a_refresh_token_are_stored_as_their_hashes_only(agent: Agent, ada: Person) -> None:
    code = code_for(ada, agent)
    row = AuthorizationCode.objects.values().get()
    assert row["code"] == checksum(code)
    assert code not in str(row)
    token = exchange(code).json()["refresh_token"]
    everywhere = [*RefreshToken.objects.values(), *ConsumedCode.objects.values(), *Record.objects.values()]
    assert RefreshToken.objects.get().token_checksum == checksum(token)
    assert not any(secret in str(everywhere) for secret in (code, token))


def test_issuing_is_recorded_for_the_person_by_the_agent(agent: Agent, ada: Person) -> None:
    exchange(code_for(ada, agent))
    record = Record.objects.get(event="token.issued")
    assert (record.actor, record.agent, record.decision) == ("agent:app", "app", "allowed")
    assert record.principal not in ("agent:app", "ada")


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": None},
        {"resource": None},
        {"resource": "HTTP://127.0.0.1:8000/mcp/files/"},
        {"scope": "mcp:files:call"},
    ],
)
def test_what_the_code_says_already_need_not_be_said_again(agent: Agent, ada: Person, changes: dict[str, Any]) -> None:
    assert exchange(code_for(ada, agent), **changes).json()["scope"] == "mcp:connect"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "é"}, "invalid_grant"),
        ({"redirect_uri": REDIRECT + "/"}, "invalid_request"),
        ({"redirect_uri": "http://127.0.0.1:9999/callback"}, "invalid_request"),
        ({"resource": "http://127.0.0.1:8000/mcp/other"}, "invalid_target"),
        ({"resource": "https://anything.example/x"}, "invalid_target"),
    ],
)
def test_a_code_that_was_tried_in_the_wrong_way_is_used_up(
    agent: Agent, ada: Person, changes: dict[str, Any], error: str
) -> None:
    code = code_for(ada, agent)
    assert error_of(exchange(code, **changes)) == error
    assert error_of(exchange(code)) == "invalid_grant"
    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.exists()


@pytest.mark.parametrize("code", ["", "x", "hfc.00000000." + "0" * 64 + "." + "0" * 32, "0" * 64])
def test_what_is_no_code_of_ours_is_refused(agent: Agent, code: str) -> None:
    assert error_of(exchange(code)) in ("invalid_grant", "invalid_request")


def test_the_hash_of_a_code_is_no_code(agent: Agent, ada: Person) -> None:
    assert error_of(exchange(checksum(code_for(ada, agent)))) == "invalid_grant"


def test_a_code_lives_for_a_minute(agent: Agent, ada: Person) -> None:
    asked = timezone.now()
    code = code_for(ada, agent)
    expires = AuthorizationCode.objects.get().expires
    assert asked + timedelta(seconds=59) < expires <= timezone.now() + timedelta(seconds=60)
    AuthorizationCode.objects.update(expires=timezone.now())
    assert error_of(exchange(code)) == "invalid_grant"


def test_another_client_cannot_use_a_code(agent: Agent, ada: Person) -> None:
    PublicAgentFactory.create(client_id="other")
    code = code_for(ada, agent)
    assert error_of(exchange(code, client_id="other")) == "invalid_grant"
    assert exchange(code).status_code == 200


def test_a_confidential_client_must_prove_itself(ada: Person) -> None:
    agent = PublicAgentFactory.create(client_id="app", client_type=Agent.CLIENT_CONFIDENTIAL, client_secret="secret")
    code = code_for(ada, agent)
    assert exchange(code).status_code == 401
    assert exchange(code, client_secret="secret").status_code == 200


def test_a_replayed_code_ends_what_it_gave_and_is_recorded(agent: Agent, ada: Person) -> None:
    code = code_for(ada, agent)
    body = exchange(code).json()
    assert error_of(exchange(code)) == "invalid_grant"
    assert verify_access_token(body["access_token"]) is None
    assert RefreshToken.objects.get().revoked is not None
    record = Record.objects.get(event="token.revoked")
    assert record.reason == "authorization code replayed"
    assert Record.objects.filter(event="token.refused", agent="app").exists()
    assert Revision.objects.get(part="access").n == 1


def test_a_request_that_waited_for_the_same_exchange_ends_nothing(agent: Agent, ada: Person) -> None:
    code, arrived = code_for(ada, agent), timezone.now() - timedelta(seconds=1)
    body = exchange(code).json()
    with transaction.atomic():
        assert redeem_code(agent=agent, hashed=checksum(code), arrived=arrived) is None
    assert verify_access_token(body["access_token"]) is not None


def test_a_code_of_somebody_deactivated_is_worth_nothing(agent: Agent, ada: Person) -> None:
    code = code_for(ada, agent)
    Person.objects.update(is_active=False)
    assert error_of(exchange(code)) == "invalid_grant"


def test_a_code_for_an_endpoint_that_is_no_more_is_worth_nothing(agent: Agent, ada: Person) -> None:
    code = code_for(ada, agent)
    services.keep_protected_resource(server_slug="files", active=False)
    assert error_of(exchange(code)) == "invalid_target"


def test_an_agent_that_acts_for_itself_redeems_no_code(ada: Person) -> None:
    agent = AgentFactory.create(client_id="app")
    assert error_of(exchange(code_for(ada, agent), client_secret="secret")) == "unauthorized_client"


def test_a_suspended_agent_redeems_no_code(agent: Agent, ada: Person, admin: Actor) -> None:
    code = code_for(ada, agent)
    services.suspend_agent(client_id="app", actor=admin, reason="Odd calls.")
    assert exchange(code).status_code == 401


def test_no_parameter_stands_in_for_what_was_looked_up(agent: Agent, ada: Person) -> None:
    code = code_for(ada, agent)
    forged = exchange(code, redeemed="x", presented="x", protected_resource="x", user="x", code_challenge="x")
    assert forged.json()["scope"] == "mcp:connect"
    assert verify_access_token(forged.json()["access_token"]).person_id == ada.pk  # type: ignore[union-attr]


def test_what_a_code_stands_for_is_asked_after_it_was_found() -> None:
    from access.oauth.codes import redeemed_by

    with pytest.raises(TypeError):
        redeemed_by(type("Request", (), {"redeemed": uuid.uuid4()})())
