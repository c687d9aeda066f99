"""Dynamic registration as clients meet it: what is registered, what is refused, and that nothing breaks it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from access.models import Agent, Person, RequestCount, Revision
from access.oauth.register import PER_MINUTE
from access.services import register_client
from access.services.api_tokens import insert_api_token
from access.services.registration import PER_DAY
from access.tokens import verify_access_token
from audit.models import Record
from core.actor import ANONYMOUS
from core.errors import Unavailable
from core.sampling import Sampler
from tests.access.document_host import client_document
from tests.access.doors import SETUP
from tests.factories import AgentFactory

pytestmark = pytest.mark.django_db
URL = "/oauth/register/"
METADATA: dict[str, Any] = {
    "client_name": "Editor",
    "redirect_uris": ["http://localhost:8787/callback"],
    "token_endpoint_auth_method": "none",
}


@pytest.fixture(autouse=True)
def is_open(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registration is open, and nobody was refused yet."""
    settings.DYNAMIC_REGISTRATION = "open"
    monkeypatch.setattr("access.oauth.register._STRANGERS", Sampler(limit=30, window=60))


def register(body: Any, *, content_type: str = "application/json", method: str = "POST", **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client(raise_request_exception=False).generic(method, URL, raw, content_type, headers=headers)


def token_of(person: Person, *scopes: str) -> str:
    return insert_api_token(person, actor=SETUP, scopes=list(scopes), name="test")[1]


# --- what is registered --------------------------------------------------------------------------------------


def test_cursor_registers_and_is_told_which_of_its_addresses_count() -> None:
    asked = timezone.now().timestamp()
    response = register(client_document("cursor"))
    body = response.json()
    assert (response.status_code, response["Cache-Control"]) == (201, "no-store")
    assert body["redirect_uris"] == [
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
    ]
    assert body["grant_types"] == ["authorization_code", "refresh_token"]
    assert (body["token_endpoint_auth_method"], body["response_types"]) == ("none", ["code"])
    agent = Agent.objects.get(client_id=body["client_id"])
    assert (agent.name, agent.source, agent.is_public, agent.acts_for_people) == ("Cursor", "dynamic", True, True)
    assert asked - 1 <= body["client_id_issued_at"] <= timezone.now().timestamp()


def test_vscode_registers_although_it_also_asks_for_a_device() -> None:
    body = register(client_document("vscode_registration")).json()
    assert body["grant_types"] == ["authorization_code", "refresh_token"]
    assert "http://127.0.0.1/" in body["redirect_uris"]


def test_a_client_that_can_keep_a_secret_gets_one_and_no_other_credential() -> None:
    body = register({"redirect_uris": ["https://app.example/cb"]}).json()
    assert body["client_secret"].startswith("hfs_")
    assert (body["client_secret_expires_at"], body["client_name"]) == (0, "Client at app.example")
    assert "client_secret" not in register(METADATA).json()
    for name in ("registration_access_token", "registration_client_uri"):
        assert name not in body
    assert verify_access_token(body["client_secret"]) is None


def test_registering_is_recorded_and_disturbs_no_gateway() -> None:
    client_id = register(METADATA).json()["client_id"]
    record: Any = Record.objects.get(event="agent.registered")
    assert (record.agent, record.principal, record.client_ip) == (client_id, "anonymous", "127.0.0.1")
    assert (record.after["source"], record.after["redirect_uris"]) == ("dynamic", METADATA["redirect_uris"])
    assert not Revision.objects.exists()


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uris": ["http://evil.test/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["cursor://x/y"]}, "invalid_redirect_uri"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": "http://localhost/"}, "invalid_redirect_uri"),
        ({"redirect_uris": [f"https://a.example/{number}" for number in range(11)]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://a.example/\0"]}, "invalid_redirect_uri"),
        ({"client_name": {"a": 1}}, "invalid_client_metadata"),
        ({"client_name": "a\0b"}, "invalid_client_metadata"),
        ({"client_name": "x" * 5000}, "invalid_client_metadata"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"grant_types": ["password"]}, "invalid_client_metadata"),
        ({"grant_types": 7}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_cannot_be_an_agent_is_refused_and_recorded(changes: dict[str, Any], error: str) -> None:
    response = register({**METADATA, **changes})
    assert (response.status_code, response.json()["error"]) == (400, error)
    assert response["Cache-Control"] == "no-store"
    record: Any = Record.objects.get()
    assert (record.event, record.decision) == ("agent.registration_refused", "denied")
    assert record.reason.startswith(error)
    assert not Agent.objects.exists()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b" ", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"a": NaN}', "application/json", 400),
        (b'{"a": 1, "a": 1}', "application/json", 400),
        (b"[" * 10_000, "application/json", 400),
        (b"a=1", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
        (b" " * 20_000, "application/json", 413),
        (json.dumps({"redirect_uris": ["https://a.example/" + "x" * 2000] * 500}).encode(), "application/json", 413),
    ],
    ids=lambda value: str(value)[:30],
)
def test_no_body_whatever_breaks_the_endpoint(body: bytes, content_type: str, status: int) -> None:
    response = register(body, content_type=content_type)
    assert response.status_code == status
    assert response.json()["error"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_answered(method: str) -> None:
    response = register(METADATA, method=method)
    assert (response.status_code, response["Allow"]) == (405, "POST")


def test_nothing_stands_in_the_url() -> None:
    response = Client().post(f"{URL}?client_name=x", METADATA, "application/json")
    assert response.json()["error"] == "invalid_request"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@hypothesis_settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(st.dictionaries(st.sampled_from([*METADATA, "grant_types", "response_types", "x"]), JSON))
def test_members_of_any_type_are_answered(settings: Any, changes: dict[str, Any]) -> None:
    settings.OAUTH_REQUESTS_PER_MINUTE = 1_000_000
    RequestCount.objects.all().delete()
    assert register({**METADATA, **changes}).status_code in (201, 400)


# --- who may -------------------------------------------------------------------------------------------------


def test_it_is_off_unless_it_was_turned_on(settings: Any, client: Client) -> None:
    metadata = "/.well-known/oauth-authorization-server"
    assert client.get(metadata).json()["registration_endpoint"] == f"{settings.ISSUER}{URL}"
    settings.DYNAMIC_REGISTRATION = "off"
    assert register(METADATA).status_code == 404
    assert "registration_endpoint" not in client.get(metadata).json()
    with pytest.raises(Unavailable):
        register_client(metadata=None, actor=ANONYMOUS)  # type: ignore[arg-type]  # it is not looked at
    assert not Agent.objects.exists()


def test_with_a_token_those_may_whose_token_says_so(settings: Any, boss: Person) -> None:
    settings.DYNAMIC_REGISTRATION = "token"
    for headers in ({}, {"authorization": "Bearer rubbish"}, {"authorization": "Basic eDp5"}):
        response = register(METADATA, **headers)
        assert (response.status_code, response.json()["error"]) == (401, "invalid_token")
        assert response["WWW-Authenticate"].startswith("Bearer ")
    response = register(METADATA, authorization=f"Bearer {token_of(boss, 'agent:read')}")
    assert (response.status_code, response.json()["error"]) == (403, "insufficient_scope")
    assert Record.objects.filter(event="action.denied").count() == 1
    made = register(METADATA, authorization=f"bearer {token_of(boss, 'agent:register')}")
    assert made.status_code == 201
    assert Record.objects.filter(event="agent.registered", agent=made.json()["client_id"]).exists()


# --- how often -----------------------------------------------------------------------------------------------


def test_an_address_registers_so_many_a_minute_and_is_told_when_to_come_back() -> None:
    RequestCount.objects.create(key="register 127.0.0.1", count=PER_MINUTE - 1, window_started_at=timezone.now())
    assert register(METADATA).status_code == 201
    for _ in range(3):
        late = register(METADATA)
        assert (late.status_code, late.json()["error"]) == (429, "temporarily_unavailable")
        assert 0 < int(late["Retry-After"]) <= 60
    assert Record.objects.filter(event="requests.limited").count() == 1
    RequestCount.objects.update(window_started_at=timezone.now() - timedelta(minutes=1))
    assert register(METADATA).status_code == 201


def test_all_addresses_together_register_so_many_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.services.registration.PER_DAY", 2)
    assert PER_DAY > 2
    AgentFactory.create(registration_source="dcr")
    AgentFactory.create()
    assert register(METADATA).status_code == 201
    assert register(METADATA).status_code == 503
    Agent.objects.update(created=timezone.now() - timedelta(days=2))
    assert register(METADATA).status_code == 201


def test_strangers_cannot_fill_the_log_by_being_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.oauth.register._STRANGERS", Sampler(limit=2, window=60))
    for _ in range(5):
        register({})
    assert Record.objects.filter(event="agent.registration_refused").count() == 2
