"""Refresh tokens: one pair per exchange, a moment to repeat it, and the end of a family whose token comes back."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from access import services
from access.models import AccessToken, Agent, Person, RefreshToken, Revision
from access.oauth.refresh import presented_by
from access.services.refresh import succeed
from access.tokens import verify_access_token
from audit.models import Record
from core.sampling import Sampler
from tests.access.flow import RESOURCE, code_for, exchange, refresh
from tests.factories import PersonFactory, ProtectedResourceFactory, PublicAgentFactory

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


@pytest.fixture
def pair(agent: Agent, ada: Person) -> dict[str, Any]:
    body: dict[str, Any] = exchange(code_for(ada, agent, scopes=["mcp:connect", "mcp:files:call"])).json()
    return body


def error_of(response: Any) -> str:
    assert response.status_code == 400, response.content
    assert (response["Cache-Control"], response["Content-Type"]) == ("no-store", "application/json")
    return str(response.json()["error"])


def live() -> int:
    return int(RefreshToken.objects.filter(revoked__isnull=True).count())


def test_a_refresh_token_gives_the_next_pair(pair: dict[str, Any], ada: Person) -> None:
    body = refresh(pair["refresh_token"]).json()
    assert body["refresh_token"] != pair["refresh_token"]
    facts = verify_access_token(body["access_token"])
    assert facts is not None
    assert (facts.person_id, facts.resource) == (ada.pk, RESOURCE)
    assert facts.scopes == {"mcp:connect", "mcp:files:call"}
    assert live() == 1
    assert len(set(RefreshToken.objects.values_list("token_family", flat=True))) == 1
    assert Record.objects.filter(event="token.issued").count() == 2


def test_the_access_token_before_lives_out_its_minutes(pair: dict[str, Any]) -> None:
    refresh(pair["refresh_token"])
    assert verify_access_token(pair["access_token"]) is not None


def test_repeated_at_once_it_gives_the_very_same_pair(pair: dict[str, Any]) -> None:
    first, second = refresh(pair["refresh_token"]).json(), refresh(pair["refresh_token"]).json()
    assert first.items() - {("expires_in", first["expires_in"])} == second.items() - {
        ("expires_in", second["expires_in"])
    }
    assert 0 < second["expires_in"] <= first["expires_in"]
    assert live() == 1


def test_what_is_kept_for_repeating_tells_nobody_anything(pair: dict[str, Any]) -> None:
    body = refresh(pair["refresh_token"]).json()
    row = RefreshToken.objects.get(successor__isnull=False)
    sealed = bytes(row.successor or b"")
    assert body["access_token"].encode() not in sealed
    assert body["refresh_token"].encode() not in sealed


def test_a_sealed_pair_does_not_open_in_another_row(pair: dict[str, Any], agent: Agent, ada: Person) -> None:
    refresh(pair["refresh_token"])
    sealed = RefreshToken.objects.get(successor__isnull=False).successor
    other = exchange(code_for(ada, agent)).json()
    refresh(other["refresh_token"])
    RefreshToken.objects.filter(successor__isnull=False).update(successor=sealed)
    assert error_of(refresh(other["refresh_token"])) == "invalid_grant"


def test_brought_back_late_it_ends_the_family_and_is_recorded(pair: dict[str, Any]) -> None:
    body = refresh(pair["refresh_token"]).json()
    RefreshToken.objects.filter(superseded_at__isnull=False).update(
        superseded_at=timezone.now() - timedelta(seconds=10)
    )
    assert error_of(refresh(pair["refresh_token"])) == "invalid_grant"
    assert live() == 0
    assert not AccessToken.objects.exists()
    assert error_of(refresh(body["refresh_token"])) == "invalid_grant"
    record = Record.objects.get(event="token.revoked")
    assert (record.reason, record.agent) == ("refresh token replayed", "app")
    assert Revision.objects.get(part="access").n == 1


def test_brought_back_after_its_successor_was_used_it_ends_the_family(pair: dict[str, Any]) -> None:
    body = refresh(pair["refresh_token"]).json()
    newest = refresh(body["refresh_token"]).json()
    assert error_of(refresh(pair["refresh_token"])) == "invalid_grant"
    assert error_of(refresh(newest["refresh_token"])) == "invalid_grant"


def test_the_family_of_another_consent_lives_on(pair: dict[str, Any], agent: Agent, ada: Person) -> None:
    other = exchange(code_for(ada, agent)).json()
    body = refresh(pair["refresh_token"]).json()
    refresh(body["refresh_token"])
    refresh(pair["refresh_token"])
    assert refresh(other["refresh_token"]).status_code == 200


@pytest.mark.parametrize(("column", "age"), [("created", 14), ("family_began_at", 30)])
def test_it_ends_unused_after_14_days_and_anyway_after_30(pair: dict[str, Any], column: str, age: int) -> None:
    RefreshToken.objects.update(**{column: timezone.now() - timedelta(days=age, seconds=-60)})
    body = refresh(pair["refresh_token"]).json()
    RefreshToken.objects.update(**{column: timezone.now() - timedelta(days=age)})
    assert error_of(refresh(body["refresh_token"])) == "invalid_grant"


def test_refreshing_does_not_make_a_family_younger(pair: dict[str, Any]) -> None:
    refresh(pair["refresh_token"])
    assert len(set(RefreshToken.objects.values_list("family_began_at", flat=True))) == 1


def test_a_request_may_ask_for_less_and_later_for_all_again(pair: dict[str, Any]) -> None:
    less = refresh(pair["refresh_token"], scope="mcp:connect").json()
    assert less["scope"] == "mcp:connect"
    assert set(refresh(less["refresh_token"]).json()["scope"].split()) == {"mcp:connect", "mcp:files:call"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "mcp:connect mcp:files:read"}, "invalid_scope"),
        ({"resource": "http://127.0.0.1:8000/mcp/other"}, "invalid_target"),
        ({"resource": "https://anything.example/x"}, "invalid_target"),
        ({"refresh_token": "rubbish"}, "invalid_grant"),
        ({"refresh_token": None}, "invalid_request"),
        ({"client_id": "stranger"}, "invalid_grant"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_and_costs_nothing(
    pair: dict[str, Any], changes: dict[str, Any], error: str
) -> None:
    PublicAgentFactory.create(client_id="stranger")
    assert error_of(refresh(pair["refresh_token"], **changes)) == error
    assert refresh(pair["refresh_token"]).status_code == 200


def test_somebody_deactivated_gets_no_more_tokens(pair: dict[str, Any]) -> None:
    Person.objects.update(is_active=False)
    assert error_of(refresh(pair["refresh_token"])) == "invalid_grant"


def test_an_endpoint_that_is_no_more_gets_no_more_tokens(pair: dict[str, Any]) -> None:
    services.keep_protected_resource(server_slug="files", active=False)
    assert error_of(refresh(pair["refresh_token"])) == "invalid_target"


def test_what_was_presented_is_asked_after_it_was_found() -> None:
    with pytest.raises(TypeError):
        presented_by(type("Request", (), {"presented": "x"})())


def test_a_token_of_no_family_has_no_successor(pair: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="without a family"):
        succeed(presented=RefreshToken(), access=AccessToken(), refresh_token="x")


def test_ending_a_family_that_is_not_there_is_nothing() -> None:
    from access.services.families import end_family
    from tests.access.doors import SETUP

    with transaction.atomic():
        assert end_family(family=uuid.uuid4(), actor=SETUP, reason="None.") == 0
    assert not Record.objects.exists()
