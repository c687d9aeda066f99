"""The clients that people use: each registers by its own document or body, and completes a flow at every redirect."""

import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.conf import settings
from django.test import Client

from access.models import Agent, Person
from access.tokens import verify_access_token
from audit.models import Record
from tests.access.document_host import CLIENTS, DocumentHost, client_document
from tests.access.flow import CHALLENGE, RESOURCE, ask, exchange, refresh
from tests.factories import ProtectedResourceFactory, person_with

pytestmark = [pytest.mark.django_db, pytest.mark.network]
# How each is registered: by what stands at its client id, or by what it sends.
BY_DOCUMENT = ["chatgpt", "claude_ai", "claude_code", "codex", "opencode", "vscode", "zed"]
BY_REGISTRATION = ["cursor", "vscode_registration"]
LOOPBACK = ("localhost", "127.0.0.1")


@pytest.fixture
def ada(db: None) -> Person:
    ProtectedResourceFactory.create(server_slug="files")
    return person_with("mcp:files:call", username="ada")


@pytest.fixture
def browser(ada: Person) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(ada)
    return client


def used(registered: str) -> str:
    """A redirect as the client uses it: on loopback at whatever port it gets."""
    parts = urlsplit(registered)
    return registered.replace(parts.netloc, f"{parts.netloc}:53076") if parts.netloc in LOOPBACK else registered


def complete(browser: Client, client_id: str, redirect: str, client_name: str) -> None:
    """From the link to a refreshed token, the person being asked on the way."""
    link = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect,
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "resource": RESOURCE,
    }
    url = f"/oauth/authorize/?{urlencode(link)}"
    page = browser.get(url)
    text = page.content.decode()
    assert (page.status_code, client_name in text, urlsplit(redirect).netloc in text) == (200, True, True)
    assert ("runs on your computer" in text) == (urlsplit(redirect).hostname in LOOPBACK)
    said = browser.post(url, {"seen": page.context["seen"], "resource": RESOURCE, "allow": "yes"})
    assert said["Location"].startswith(f"{redirect}?")
    answer = parse_qs(urlsplit(said["Location"]).query)
    assert (answer["iss"], answer["state"]) == ([settings.ISSUER], ["s"])
    exchanged = exchange(answer["code"][0], client_id=client_id, redirect_uri=redirect).json()
    refreshed = refresh(exchanged["refresh_token"], client_id=client_id).json()
    facts = verify_access_token(refreshed["access_token"])
    assert facts is not None
    assert (facts.client_id, facts.person_name, facts.resource) == (client_id, "ada", RESOURCE)
    assert ask({"token": refreshed["refresh_token"], "client_id": client_id}, to="revoke").status_code == 200
    assert verify_access_token(refreshed["access_token"]) is None
    dead = refresh(refreshed["refresh_token"], client_id=client_id)
    assert (dead.status_code, dead.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("name", BY_DOCUMENT)
def test_a_client_that_has_a_document_completes(browser: Client, host: DocumentHost, name: str) -> None:
    document = client_document(name)
    url = host.publish({key: value for key, value in document.items() if key != "client_id"})
    for redirect in document["redirect_uris"]:
        complete(browser, url, used(redirect), document["client_name"])
    assert len(host.asked) == 1
    assert Record.objects.filter(event="agent.registered", agent=url).count() == 1


@pytest.mark.parametrize("name", BY_REGISTRATION)
def test_a_client_that_registers_itself_completes(browser: Client, settings: Any, name: str) -> None:
    settings.DYNAMIC_REGISTRATION = "open"
    document = client_document(name)
    made = Client().post("/oauth/register/", json.dumps(document), "application/json").json()
    left_out = set(document["redirect_uris"]) - set(made["redirect_uris"])
    assert {urlsplit(uri).scheme for uri in left_out} <= {"cursor"}
    for redirect in made["redirect_uris"]:
        complete(browser, made["client_id"], used(redirect), document["client_name"])


def test_every_fixture_is_of_one_of_them() -> None:
    assert {path.stem for path in CLIENTS.glob("*.json")} == {*BY_DOCUMENT, *BY_REGISTRATION}


def test_what_a_client_offers_beyond_what_is_offered_here_gives_it_nothing(browser: Client, host: DocumentHost) -> None:
    document = client_document("claude_ai")
    url = host.publish({key: value for key, value in document.items() if key != "client_id"})
    complete(browser, url, document["redirect_uris"][0], "Claude")
    wanted = {"grant_type": document["grant_types"][2], "client_id": url, "assertion": "x"}
    assert ask(wanted).json()["error"] == "unsupported_grant_type"
    itself = ask({"grant_type": "client_credentials", "client_id": url, "resource": RESOURCE})
    assert itself.json()["error"] in ("invalid_client", "unauthorized_client")
    assert Agent.objects.get(client_id=url).authorization_grant_type == Agent.GRANT_AUTHORIZATION_CODE


def test_a_path_that_a_document_does_not_list_is_a_page_and_no_redirect(browser: Client, host: DocumentHost) -> None:
    document = client_document("opencode")
    url = host.publish({key: value for key, value in document.items() if key != "client_id"})
    wanted = {"response_type": "code", "client_id": url, "redirect_uri": "http://127.0.0.1:53076/mcp/oauth/callback"}
    page = browser.get(f"/oauth/authorize/?{urlencode(wanted)}")
    assert (page.status_code, "did not register the address" in page.content.decode()) == (400, True)
