"""The authorization server as clients meet it: what is issued, what is refused, and that nothing breaks it."""

import base64
import hashlib
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from access import services
from access.models import AccessToken, Agent, FailedDocument, Person, Revision
from access.tokens import verify_access_token
from audit.models import Record
from core.actor import Actor
from core.sampling import Sampler
from core.scopes import baseline_scopes
from tests.factories import AgentFactory, ProtectedResourceFactory

pytestmark = pytest.mark.django_db
RESOURCE = "http://127.0.0.1:8000/mcp/files"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def nobody_was_refused_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals of strangers are sampled per process; each test starts its own minute."""
    monkeypatch.setattr("access.oauth.views._STRANGERS", Sampler(limit=30, window=60))


@pytest.fixture(autouse=True)
def resource(db: None) -> None:
    ProtectedResourceFactory.create(server_slug="files")


@pytest.fixture
def agent(db: None) -> Agent:
    return AgentFactory.create(client_id="bot", name="Bot")


def basic(client_id: str = "bot", secret: str = "secret") -> dict[str, str]:
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def post(body: Any, *, headers: dict[str, str] | None = None, content_type: str = FORM, to: str = "token") -> Any:
    raw = body if isinstance(body, bytes) else urlencode(body, doseq=True).encode()
    client = Client(raise_request_exception=False)
    return client.generic("POST", f"/oauth/{to}/", raw, content_type, headers=basic() if headers is None else headers)


def ask(**changes: Any) -> Any:
    wanted = {"grant_type": "client_credentials", "resource": RESOURCE, **changes}
    return post({name: value for name, value in wanted.items() if value is not None})


# --- what is issued ------------------------------------------------------------------------------------------


def test_a_client_gets_a_token_for_exactly_the_resource(agent: Agent) -> None:
    asked = timezone.now()
    response = ask()
    body = response.json()
    assert (response.status_code, response["Cache-Control"], response["Content-Type"]) == (
        200,
        "no-store",
        "application/json",
    )
    assert (body["token_type"], body["expires_in"]) == ("Bearer", settings.ACCESS_TOKEN_SECONDS)
    assert set(body["scope"].split()) == baseline_scopes("files")
    assert "refresh_token" not in body
    facts = verify_access_token(body["access_token"])
    assert facts is not None
    assert (facts.client_id, facts.agent_id, facts.resource) == ("bot", agent.pk, RESOURCE)
    assert (facts.scopes, facts.person_id, facts.agent_active) == (baseline_scopes("files"), None, True)
    assert asked + timedelta(seconds=599) < facts.expires_at <= timezone.now() + timedelta(seconds=600)


def test_a_token_is_stored_as_its_hash_only(agent: Agent) -> None:
    token = ask().json()["access_token"]
    row = AccessToken.objects.values().get()
    assert row["token"] == ""
    assert token not in str(row)
    assert token not in str(list(Record.objects.values()))


def test_issuing_is_recorded_under_the_tokens_public_id(agent: Agent) -> None:
    ask()
    record: Any = Record.objects.get(event="token.issued")
    assert (record.type, record.principal, record.agent, record.decision) == ("auth", "agent:bot", "bot", "allowed")
    assert record.subject == f"token:{AccessToken.objects.get().public_id}"
    assert record.after["resource"] == RESOURCE
    assert not Revision.objects.exists()


def test_the_secret_may_stand_in_the_body_instead(agent: Agent) -> None:
    body = {"grant_type": "client_credentials", "resource": RESOURCE, "client_id": "bot", "client_secret": "secret"}
    assert post(body, headers={}).status_code == 200


def test_the_case_of_the_header_scheme_does_not_matter(agent: Agent) -> None:
    headers = {"authorization": basic()["authorization"].replace("Basic", "bAsIc")}
    assert post({"grant_type": "client_credentials", "resource": RESOURCE}, headers=headers).status_code == 200


def test_credentials_in_the_header_are_form_encoded() -> None:
    AgentFactory.create(client_id="https://a.example/x", client_secret="s:%+ ü")
    response = post(
        {"grant_type": "client_credentials", "resource": RESOURCE}, headers=basic("https://a.example/x", "s:%+ ü")
    )
    assert response.status_code == 200


@pytest.mark.parametrize(
    "scope", ["mcp:connect", "mcp:files:read", "mcp:files:call mcp:connect", "mcp:files:tool:delete%20all"]
)
def test_exactly_the_asked_scopes_are_given(agent: Agent, scope: str) -> None:
    assert set(ask(scope=scope).json()["scope"].split()) == set(scope.split())


@pytest.mark.parametrize("spelling", ["HTTP://127.0.0.1:8000/mcp/files/", RESOURCE + "/"])
def test_a_resource_may_be_spelled_otherwise_and_is_stored_in_one_way(agent: Agent, spelling: str) -> None:
    facts = verify_access_token(ask(resource=spelling).json()["access_token"])
    assert facts is not None
    assert facts.resource == RESOURCE


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"resource": None}, "invalid_target"),
        ({"resource": ""}, "invalid_target"),
        ({"resource": "https://anything.example/x"}, "invalid_target"),
        ({"resource": RESOURCE + "/x"}, "invalid_target"),
        ({"resource": "http://127.0.0.1:8000/mcp"}, "invalid_target"),
        ({"resource": "http://127.0.0.1:8000"}, "invalid_target"),
        ({"resource": RESOURCE + "?a=1"}, "invalid_target"),
        ({"resource": RESOURCE + "#a"}, "invalid_target"),
        ({"resource": [RESOURCE, RESOURCE]}, "invalid_target"),
        ({"resource": [RESOURCE, "https://other.example"]}, "invalid_target"),
        ({"resource": "\0"}, "invalid_request"),
        ({"scope": "mcp:other:call"}, "invalid_scope"),
        ({"scope": "mcp:files:call mcp:other:read"}, "invalid_scope"),
        ({"scope": "mcp:files:fly"}, "invalid_scope"),
        ({"scope": "mcp:files:tool:a:b"}, "invalid_scope"),
        ({"scope": "server:read"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": " ".join(f"mcp:files:tool:t{number}" for number in range(300))}, "invalid_scope"),
        ({"scope": ["mcp:connect", "mcp:connect"]}, "invalid_request"),
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": ["client_credentials", "client_credentials"]}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "x"}, "unauthorized_client"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}, "unsupported_grant_type"),
        ({"client_secret": "secret"}, "invalid_request"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_and_recorded(agent: Agent, changes: dict[str, Any], error: str) -> None:
    response = ask(**changes)
    assert (response.status_code, response.json()["error"]) == (400, error)
    assert (response["Cache-Control"], response["Content-Type"]) == ("no-store", "application/json")
    record = Record.objects.get(event="token.refused")
    assert (record.type, record.decision, record.agent) == ("auth", "denied", "bot")
    assert record.reason.startswith(error)
    assert not AccessToken.objects.exists()


def test_a_resource_that_is_no_longer_active_is_refused(agent: Agent) -> None:
    services.keep_protected_resource(server_slug="files", active=False)
    assert ask().json()["error"] == "invalid_target"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic(secret="wrong"),
        basic(client_id="absent"),
        basic(client_id="bot\0"),
        basic(client_id="b" * 300),
        basic(secret="\0"),
        {"authorization": "Basic"},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic \xff"},
        {"authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
        {"authorization": "Basic " + base64.b64encode(b"no colon").decode()},
        {"authorization": "Bearer secret"},
    ],
)
def test_a_client_that_does_not_prove_itself_is_refused(agent: Agent, headers: dict[str, str]) -> None:
    response = post({"grant_type": "client_credentials", "resource": RESOURCE}, headers=headers)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert response["WWW-Authenticate"].startswith("Basic ")
    assert Record.objects.get().event == "token.refused"


def test_a_suspended_agent_is_no_client(agent: Agent, admin: Actor) -> None:
    token = ask().json()["access_token"]
    services.suspend_agent(client_id="bot", actor=admin, reason="Odd calls.")
    assert ask().json()["error"] == "invalid_client"
    assert verify_access_token(token) is None


def test_an_old_secret_ends_with_its_rotation(agent: Agent, admin: Actor) -> None:
    secret = services.rotate_secret(client_id="bot", actor=admin, reason="Leaked.").secret
    assert ask().status_code == 401
    body = {"grant_type": "client_credentials", "resource": RESOURCE}
    assert post(body, headers=basic(secret=secret)).status_code == 200


def test_an_agent_of_another_grant_type_gets_no_token() -> None:
    AgentFactory.create(client_id="bot", authorization_grant_type=Agent.GRANT_AUTHORIZATION_CODE)
    assert ask().json()["error"] == "unauthorized_client"


@pytest.mark.parametrize("to", ["token", "revoke", "introspect"])
@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"x=", FORM, 400),
        (b"{}", "application/json", 415),
        (b"x" * 20_000, FORM, 413),
        (b"a=" + b"x" * 2_000_000, FORM, 413),
        (b"&".join(b"a%d=1" % number for number in range(2000)), FORM, 400),
        (b"grant_type=client_credentials", FORM + "; charset=utf-16", 415),
        (b"x=1", FORM + "; charset=nonsense", 400),
        (b"grant_type=%ff%fe", FORM, 400),
        (b"grant_type=\xff\xfe", FORM, 400),
        (b"grant_type=%00", FORM, 400),
        (b"%00=1", FORM, 400),
        (b"--x\r\n", "multipart/form-data; boundary=x", 415),
        (b"grant_type=client_credentials", "", 415),
    ],
    ids=lambda value: str(value)[:30],
)
def test_no_body_whatever_breaks_an_endpoint(to: str, body: bytes, content_type: str, status: int) -> None:
    AgentFactory.create(client_id="bot")
    response = post(body, content_type=content_type, to=to)
    assert response.status_code == status
    assert response.json()["error"]
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("to", ["token", "revoke", "introspect"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_answered(to: str, method: str) -> None:
    response = Client().generic(method, f"/oauth/{to}/")
    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert response["Content-Type"] == "application/json"


def test_parameters_in_the_url_are_refused(agent: Agent) -> None:
    url = "/oauth/token/?" + urlencode({"grant_type": "client_credentials", "resource": RESOURCE})
    assert Client().post(url, "", FORM, headers=basic()).json()["error"] == "invalid_request"


def test_a_client_id_that_is_a_documents_url_is_looked_up_only_where_the_installation_listed_it(settings: Any) -> None:
    url = "https://169.254.169.254/client.json"
    body = {"grant_type": "client_credentials", "resource": RESOURCE, "client_id": url, "client_secret": "x"}
    assert post(body, headers={}).json()["error"] == "invalid_client"
    assert not FailedDocument.objects.exists()
    settings.CLIENT_DOCUMENTS = "any"
    assert post(body, headers={}).json()["error"] == "invalid_client"
    assert not FailedDocument.objects.exists()
    settings.CLIENT_DOCUMENT_URLS = (url,)
    assert post(body, headers={}).json()["error"] == "invalid_client"
    assert FailedDocument.objects.get().url == url


# --- revocation ----------------------------------------------------------------------------------------------


def test_a_client_revokes_its_own_token_and_gateways_hear_of_it(agent: Agent) -> None:
    token = ask().json()["access_token"]
    assert post({"token": token}, to="revoke").status_code == 200
    assert verify_access_token(token) is None
    assert Record.objects.get(event="token.revoked").agent == "bot"
    assert Revision.objects.get(part="access").n == 1


def test_a_client_cannot_revoke_anothers_token(agent: Agent) -> None:
    token = ask().json()["access_token"]
    AgentFactory.create(client_id="other")
    assert post({"token": token}, headers=basic("other"), to="revoke").status_code == 200
    assert verify_access_token(token) is not None


def test_revoking_needs_a_token_and_a_proven_client(agent: Agent) -> None:
    assert post({}, to="revoke").json()["error"] == "invalid_request"
    assert post({"token": "x"}, headers=basic(secret="wrong"), to="revoke").status_code == 401
    assert post({"token": "rubbish"}, to="revoke").status_code == 200


# --- verification --------------------------------------------------------------------------------------------


def test_rubbish_costs_no_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        for text in ("", "hf.x", "hf.00000000." + "0" * 64 + "." + "0" * 32, "\0", "\ud800"):
            assert verify_access_token(text) is None


def test_a_token_costs_one_query_until_it_expires(agent: Agent, django_assert_num_queries: Any) -> None:
    token = ask().json()["access_token"]
    with django_assert_num_queries(1):
        assert verify_access_token(token) is not None
    AccessToken.objects.update(expires=timezone.now())
    assert verify_access_token(token) is None


def test_a_token_that_was_written_into_the_database_does_not_work(agent: Agent) -> None:

    forged = "hf.00000000." + "0" * 64 + "." + "0" * 32
    digest = hashlib.sha256(forged.encode()).hexdigest()
    later = timezone.now() + timedelta(hours=1)
    AccessToken.objects.bulk_create(
        [AccessToken(application=agent, expires=later, token_checksum=digest, resource=[RESOURCE])]
    )
    assert verify_access_token(forged) is None


def test_facts_say_whether_the_person_behind_a_token_is_active(agent: Agent, boss: Person) -> None:
    token = ask().json()["access_token"]
    AccessToken.objects.update(user=boss)
    Person.objects.update(is_active=False)
    facts = verify_access_token(token)
    assert facts is not None
    assert (facts.person_id, facts.person_public_id, facts.person_active) == (boss.pk, boss.public_id, False)


# --- metadata ------------------------------------------------------------------------------------------------


def test_the_metadata_names_what_works_and_nothing_else(client: Client) -> None:
    response = client.get("/.well-known/oauth-authorization-server", headers={"host": "127.0.0.1"})
    body = response.json()
    assert body["issuer"] == settings.ISSUER == "http://127.0.0.1:8000"
    assert body["token_endpoint"] == "http://127.0.0.1:8000/oauth/token/"
    assert body["grant_types_supported"] == ["authorization_code", "client_credentials", "refresh_token"]
    assert body["token_endpoint_auth_methods_supported"] == ["none", "client_secret_basic", "client_secret_post"]
    assert (body["response_types_supported"], body["code_challenge_methods_supported"]) == (["code"], ["S256"])
    assert body["authorization_response_iss_parameter_supported"] is True
    assert "registration_endpoint" not in body
    assert body["introspection_endpoint_auth_methods_supported"] == ["client_secret_basic", "client_secret_post"]
    assert body["client_id_metadata_document_supported"] is True
    assert body["scopes_supported"] == ["mcp:connect"]
    assert client.get(body["authorization_endpoint"].removeprefix(body["issuer"])).status_code == 400
    assert client.get("/.well-known/oauth-authorization-server/other").status_code == 404


@pytest.mark.parametrize("path", ["applications/", "register/", "device/", "o/authorize/"])
def test_what_is_not_offered_is_not_mounted(client: Client, path: str) -> None:
    assert client.get(f"/oauth/{path}").status_code == 404


def test_strangers_cannot_fill_the_log(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.oauth.views._STRANGERS", Sampler(limit=2, window=60))
    for _ in range(5):
        post({"grant_type": "client_credentials", "resource": RESOURCE}, headers=basic(client_id="absent"))
    assert Record.objects.filter(event="token.refused").count() == 2
    post({"grant_type": "client_credentials", "resource": RESOURCE}, headers=basic(secret="wrong"))
    assert Record.objects.filter(event="token.refused", agent="bot").count() == 1
