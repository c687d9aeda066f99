"""The authorization endpoint as browsers and bad links meet it."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from django.conf import settings
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from access.models import Agent, AuthorizationCode, Consent, ConsoleSession, Person
from audit.models import Record
from core.sampling import Sampler
from tests.access.document_host import document_host
from tests.access.flow import CHALLENGE, REDIRECT, RESOURCE, code_for, exchange
from tests.factories import ProtectedResourceFactory, PublicAgentFactory, person_with

pytestmark = pytest.mark.django_db
WEB = "https://app.example/callback"


@pytest.fixture(autouse=True)
def nobody_was_refused_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.oauth.authorize._REFUSALS", Sampler(limit=30, window=60))


@pytest.fixture(autouse=True)
def resources(db: None) -> None:
    for slug in ("files", "mail", "secret"):
        ProtectedResourceFactory.create(server_slug=slug)


@pytest.fixture
def agent(db: None) -> Agent:
    return PublicAgentFactory.create(client_id="app", name="Letter <b>writer</b>")


@pytest.fixture
def ada(db: None) -> Person:
    return person_with("mcp:files:call", "mcp:mail:call", username="ada")


@pytest.fixture
def browser(ada: Person) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(ada)
    return client


def link(**changes: Any) -> str:
    wanted = {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": REDIRECT,
        "state": "s t/ä",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "resource": RESOURCE,
    }
    given = {name: value for name, value in {**wanted, **changes}.items() if value is not None}
    return f"/oauth/authorize/?{urlencode(given, doseq=True)}"


def answer(response: Any, *, to: str = REDIRECT) -> dict[str, str]:
    """The parameters that went back to the client; each once, with its state and our name."""
    assert response.status_code == 302, response.content.decode()
    assert response["Location"].startswith(f"{to}?")
    given = parse_qs(urlsplit(response["Location"]).query, strict_parsing=True)
    assert all(len(values) == 1 for values in given.values())
    assert given["iss"] == [settings.ISSUER]
    assert given["state"] == ["s t/ä"]
    return {name: values[0] for name, values in given.items() if name not in ("iss", "state")}


def said(page: Any, **fields: str) -> dict[str, str]:
    """What the form of a consent page would send."""
    return {"seen": page.context["seen"], "resource": page.context["choices"][0][0].uri, **fields}


def allow(browser: Client, url: str, **fields: str) -> Any:
    return browser.post(url, said(browser.get(url), allow="yes", **fields))


# --- the page and its two ends -----------------------------------------------------------------------------------


def test_a_person_sees_who_asks_for_what_and_allows_it(browser: Client, agent: Agent, ada: Person) -> None:
    page = browser.get(link())
    text = page.content.decode()
    assert page.status_code == 200
    for shown in ("Letter &lt;b&gt;writer&lt;/b&gt;", "127.0.0.1:3334", RESOURCE, "Call its tools", "ada", "30 days"):
        assert shown in text
    code = answer(allow(browser, link()))["code"]
    body = exchange(code).json()
    assert set(body["scope"].split()) == {"mcp:connect", "mcp:files:read", "mcp:files:call"}
    record = Record.objects.get(event="consent.given")
    assert (record.agent, record.decision, record.after["resource"]) == ("app", "allowed", RESOURCE)  # type: ignore[index]
    assert Consent.objects.get().person == ada


def test_what_the_person_refuses_goes_back_as_an_error_and_is_recorded(browser: Client, agent: Agent) -> None:
    page = browser.get(link())
    assert answer(browser.post(link(), said(page, refuse="yes")))["error"] == "access_denied"
    assert Record.objects.get(event="consent.refused").agent == "app"
    assert not AuthorizationCode.objects.exists()
    assert not Consent.objects.exists()


def test_the_page_cannot_be_framed_or_kept_and_leads_to_the_redirect_alone(browser: Client, agent: Agent) -> None:
    page = browser.get(link())
    policy = dict(part.strip().split(" ", 1) for part in page["Content-Security-Policy"].split(";") if part.strip())
    assert policy["form-action"] == "'self' http://127.0.0.1:3334"
    assert policy["frame-ancestors"] == "'none'"
    assert (page["X-Frame-Options"], page["Cache-Control"]) == ("DENY", "no-store")
    other = browser.get("/agents/")["Content-Security-Policy"]
    assert "form-action 'self';" in f"{other};"


def test_a_program_on_the_persons_computer_comes_with_a_warning(browser: Client, agent: Agent) -> None:
    warning = "Any other program there could pose as it"
    assert warning in browser.get(link()).content.decode()
    assert warning not in browser.get(link(redirect_uri=WEB)).content.decode()


def test_an_answer_without_our_form_is_refused(ada: Person, agent: Agent) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    page = strict.get(link())
    assert strict.post(link(), said(page, allow="yes")).status_code == 403
    assert not AuthorizationCode.objects.exists()


def test_everything_is_judged_again_when_the_answer_comes(browser: Client, agent: Agent) -> None:
    form = said(browser.get(link()), allow="yes")
    for changes in ({"code_challenge_method": "plain"}, {"scope": "mcp:mail:call"}, {"response_type": "token"}):
        assert "error" in answer(browser.post(link(**changes), form))
    assert browser.post(link(redirect_uri="https://evil.example/"), form).status_code == 400
    assert browser.post(link(), {**form, "resource": "http://127.0.0.1:8000/mcp/secret"}).status_code == 200
    assert not AuthorizationCode.objects.exists()


def test_a_client_that_changed_since_the_page_was_shown_is_shown_again(browser: Client, agent: Agent) -> None:
    form = said(browser.get(link()), allow="yes")
    Agent.objects.update(name="Other")
    assert browser.post(link(), form).status_code == 200
    assert not AuthorizationCode.objects.exists()


# --- the resource ------------------------------------------------------------------------------------------------


def test_a_request_that_names_no_resource_lets_the_person_choose(browser: Client, agent: Agent) -> None:
    page = browser.get(link(resource=None))
    assert [choice.server_slug for choice, _words in page.context["choices"]] == ["files", "mail"]
    chosen = {"resource": "http://127.0.0.1:8000/mcp/mail"}
    code = answer(allow(browser, link(resource=None), **chosen))["code"]
    assert "mcp:mail:call" in exchange(code, resource=None).json()["scope"].split()


def test_scopes_of_one_server_leave_that_one_to_choose(browser: Client, agent: Agent) -> None:
    page = browser.get(link(resource=None, scope="mcp:mail:read mcp:connect"))
    assert [choice.server_slug for choice, _words in page.context["choices"]] == ["mail"]


@pytest.mark.parametrize("resource", [None, RESOURCE])
def test_who_reads_every_server_is_warned_where_they_may_use_none(agent: Agent, resource: str | None) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(person_with("server:read"))
    page = browser.get(link(resource=resource))
    offered = [choice.server_slug for choice, _words in page.context["choices"]]
    assert offered == (["files"] if resource else ["files", "mail", "secret"])
    assert "You hold no role for this yourself" in page.content.decode()
    answer(allow(browser, link(resource=resource)))


def test_who_may_use_one_server_is_offered_no_other_that_they_only_see(browser: Client, agent: Agent) -> None:
    person = person_with("server:read", "mcp:mail:call")
    browser.force_login(person)
    page = browser.get(link(resource=None))
    assert [choice.server_slug for choice, _words in page.context["choices"]] == ["mail"]
    assert "You hold no role for this yourself" not in page.content.decode()


@pytest.mark.parametrize("spelling", ["HTTP://127.0.0.1:8000/mcp/files/", RESOURCE + "/"])
def test_a_resource_may_be_spelled_in_one_way_here_and_another_there(
    browser: Client, agent: Agent, spelling: str
) -> None:
    code = answer(allow(browser, link(resource=spelling)))["code"]
    assert exchange(code, resource=RESOURCE).status_code == 200


# --- what goes back to the client ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "c" * 44}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ["S256", "plain"]}, "invalid_request"),
        ({"resource": ""}, "invalid_target"),
        ({"resource": "nonsense"}, "invalid_target"),
        ({"resource": "https://anything.example/x"}, "invalid_target"),
        ({"resource": "http://127.0.0.1:8000/mcp"}, "invalid_target"),
        ({"resource": RESOURCE + "?a=1"}, "invalid_target"),
        ({"resource": [RESOURCE, RESOURCE]}, "invalid_target"),
        ({"resource": "http://127.0.0.1:8000/mcp/secret"}, "invalid_target"),
        ({"scope": "mcp:mail:call"}, "invalid_scope"),
        ({"scope": "mcp:files:fly"}, "invalid_scope"),
        ({"scope": "server:read"}, "invalid_scope"),
        ({"scope": "openid offline_access"}, "invalid_scope"),
        ({"scope": " ".join(f"mcp:files:tool:t{number}" for number in range(300))}, "invalid_scope"),
        ({"resource": None, "scope": "mcp:files:read mcp:mail:read"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "none"}, "consent_required"),
    ],
)
def test_an_error_of_the_client_goes_back_to_it_with_our_name_before_any_page(
    browser: Client, agent: Agent, changes: dict[str, Any], error: str
) -> None:
    assert answer(browser.get(link(**changes)))["error"] == error
    assert Record.objects.get(event="token.refused").reason.startswith(error)
    assert not AuthorizationCode.objects.exists()


def test_an_endpoint_that_is_not_there_is_answered_like_one_that_is_not_theirs(browser: Client, agent: Agent) -> None:
    absent = answer(browser.get(link(resource="http://127.0.0.1:8000/mcp/absent")))
    assert absent == answer(browser.get(link(resource="http://127.0.0.1:8000/mcp/secret")))


# --- what becomes a page -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": ["app", "app"]},
        {"client_id": "absent"},
        {"client_id": "x" * 300},
        {"client_id": "app\0"},
        {"redirect_uri": None},
        {"redirect_uri": [REDIRECT, REDIRECT]},
        {"redirect_uri": "https://app.example/callback/x"},
        {"redirect_uri": "https://app.example/callback;x"},
        {"redirect_uri": "https://app.example/callback?x=1"},
        {"redirect_uri": "https://app.example/callback#x"},
        {"redirect_uri": "https://evil@app.example/callback"},
        {"redirect_uri": "https://app.example:444/callback"},
        {"redirect_uri": "http://app.example/callback"},
        {"redirect_uri": "http://localhost:3334/callback"},
        {"redirect_uri": "https://127.0.0.1:3334/callback"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": REDIRECT + "\0"},
        {"state": ["a", "b"]},
        {"state": "s" * 5000},
        {"state": "s" * 20_000},
        {"state": "\0"},
    ],
    ids=lambda changes: str(changes)[:50],
)
def test_nothing_is_sent_where_client_and_redirect_do_not_belong_together(
    browser: Client, agent: Agent, changes: dict[str, Any]
) -> None:
    response = browser.get(link(**changes))
    assert response.status_code in (400, 414)
    assert "Location" not in response
    assert "This link does not work" in response.content.decode()
    assert Record.objects.filter(event="token.refused").count() == 1


def test_a_redirect_that_holds_a_part_of_an_answer_is_refused(browser: Client) -> None:
    PublicAgentFactory.create(client_id="app", redirect_uris="https://app.example/cb?iss=x")
    assert browser.get(link(redirect_uri="https://app.example/cb?iss=x")).status_code == 400


def test_a_redirect_keeps_its_own_query(browser: Client) -> None:
    PublicAgentFactory.create(client_id="app", redirect_uris="https://app.example/cb?tenant=1")
    page = allow(browser, link(redirect_uri="https://app.example/cb?tenant=1"))
    assert page["Location"].startswith("https://app.example/cb?tenant=1&code=")


@pytest.mark.parametrize("raw", ["client_id=%ff", "%00=1", "&".join(f"a{n}=1" for n in range(2000)), "client_id=\xe4"])
def test_no_query_whatever_breaks_the_endpoint(browser: Client, raw: str) -> None:
    assert browser.get(f"/oauth/authorize/?{quote(raw, safe='%&=')}").status_code == 400


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(browser: Client, agent: Agent, method: str) -> None:
    response = browser.generic(method, link())
    assert (response.status_code, response["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    "agent",
    [
        {"state": "suspended"},
        {"authorization_grant_type": Agent.GRANT_CLIENT_CREDENTIALS, "client_type": Agent.CLIENT_CONFIDENTIAL},
    ],
)
def test_an_agent_that_is_suspended_or_acts_for_itself_asks_nobody(browser: Client, agent: dict[str, Any]) -> None:
    PublicAgentFactory.create(client_id="app", **agent)
    assert browser.get(link()).status_code == 400


def test_a_database_that_is_away_is_a_page_that_says_so(
    browser: Client, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_query: object, **_options: object) -> None:
        raise DatabaseError

    monkeypatch.setattr("access.oauth.authorize.read_asked", away)
    assert browser.get(link()).status_code == 503


def test_strangers_cannot_fill_the_log(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.oauth.authorize._REFUSALS", Sampler(limit=2, window=60))
    for _ in range(5):
        browser.get(link(client_id="absent"))
    assert Record.objects.filter(event="token.refused").count() == 2


# --- signing in and being asked ------------------------------------------------------------------------------------


def test_a_stranger_signs_in_and_comes_back_to_the_question(ada: Person, agent: Agent) -> None:
    ada.set_password("correct horse battery")
    ada.save()
    client = Client()
    there = client.get(link())
    assert there["Location"].startswith("/login/?next=/oauth/authorize/")
    back = client.post(
        "/login/", {"username": "ada", "password": "correct horse battery", "next": _next(there["Location"])}
    )
    assert client.get(back["Location"]).status_code == 200


def _next(url: str) -> str:
    return parse_qs(urlsplit(url).query)["next"][0]


def test_an_answer_straight_after_signing_in_passes_by_a_page(browser: Client, agent: Agent) -> None:
    page = browser.get(link(prompt="none") + "&signed_in=1")
    assert page.status_code == 200
    assert f'href="{REDIRECT}?error=consent_required' in page.content.decode()


def test_nobody_signed_in_is_an_error_where_no_page_may_be_shown(agent: Agent) -> None:
    assert answer(Client().get(link(prompt="none")))["error"] == "login_required"


def test_prompt_login_asks_for_a_fresh_sign_in(browser: Client, agent: Agent) -> None:
    assert browser.get(link(prompt="login")).status_code == 200
    ConsoleSession.objects.update(began_at=timezone.now() - timedelta(minutes=6))
    there = browser.get(link(prompt="login"))
    assert there["Location"].startswith("/login/")
    assert browser.get("/preferences/").status_code == 302


def test_somebody_deactivated_is_asked_to_sign_in(browser: Client, agent: Agent, ada: Person) -> None:
    form = said(browser.get(link()), allow="yes")
    Person.objects.update(is_active=False)
    assert browser.get(link())["Location"].startswith("/login/")
    assert browser.post(link(), form)["Location"].startswith("/login/")
    assert not AuthorizationCode.objects.exists()


def test_what_was_allowed_on_the_web_is_remembered(browser: Client, agent: Agent) -> None:
    answer(allow(browser, link(redirect_uri=WEB)), to=WEB)
    assert "code" in answer(browser.get(link(redirect_uri=WEB)), to=WEB)
    assert "code" in answer(browser.get(link(redirect_uri=WEB, prompt="none")), to=WEB)


@pytest.mark.parametrize(
    "changes",
    [
        {"resource": "http://127.0.0.1:8000/mcp/mail"},
        {"resource": None},
        {"scope": "mcp:files:tool:delete"},
        {"prompt": "consent"},
        {"prompt": "select_account"},
        {"redirect_uri": REDIRECT},
    ],
)
def test_anything_else_is_asked_about(browser: Client, agent: Agent, changes: dict[str, Any]) -> None:
    answer(allow(browser, link(redirect_uri=WEB)), to=WEB)
    assert browser.get(link(**{"redirect_uri": WEB, **changes})).status_code == 200


def test_a_program_on_the_persons_computer_is_asked_about_each_time(browser: Client, agent: Agent) -> None:
    answer(allow(browser, link()))
    assert browser.get(link()).status_code == 200


def test_an_agent_that_nobody_here_registered_is_asked_about_each_time(browser: Client, agent: Agent) -> None:
    Agent.objects.update(registration_source="dcr")
    page = browser.get(link(redirect_uri=WEB))
    assert "Nobody here has looked at this application" in page.content.decode()
    answer(allow(browser, link(redirect_uri=WEB)), to=WEB)
    assert browser.get(link(redirect_uri=WEB)).status_code == 200


DOCUMENT = "https://app.example/client.json"


@pytest.fixture
def documented(settings: Any) -> Agent:
    """A client that is a document, which was fetched and counts for another day."""
    settings.CLIENT_DOCUMENTS, settings.CLIENT_DOCUMENT_URLS = "any", ()
    return PublicAgentFactory.create(
        client_id=DOCUMENT,
        registration_source="cimd",
        document_digest="0" * 64,
        cimd_expires_at=timezone.now() + timedelta(days=1),
    )


@pytest.mark.network
def test_a_document_that_nobody_listed_is_fetched_for_who_is_signed_in(
    browser: Client, settings: Any, tmp_path: Path
) -> None:
    with document_host(tmp_path) as host:
        settings.CLIENT_DOCUMENTS, settings.OUTBOUND_CA_FILE = "any", str(host.authority)
        url = host.publish({"client_name": "App", "redirect_uris": [WEB]})
        wanted = link(client_id=url, redirect_uri=WEB)
        stranger = Client(raise_request_exception=False)
        assert stranger.get(wanted)["Location"].startswith("/login/?next=")
        assert stranger.get(link(client_id=url, redirect_uri=WEB, prompt="none")).status_code == 400
        assert host.asked == []
        assert browser.get(wanted).status_code == 200


@pytest.mark.parametrize("listed", [True, False])
def test_what_was_allowed_to_a_document_is_remembered_where_the_installation_listed_it(
    browser: Client, documented: Agent, settings: Any, *, listed: bool
) -> None:
    settings.CLIENT_DOCUMENT_URLS = (DOCUMENT,) if listed else ()
    url = link(client_id=DOCUMENT, redirect_uri=WEB)
    answer(allow(browser, url), to=WEB)
    assert browser.get(url).status_code == (302 if listed else 200)


def test_a_document_that_changed_is_asked_about_again(browser: Client, documented: Agent, settings: Any) -> None:
    settings.CLIENT_DOCUMENT_URLS = (DOCUMENT,)
    url = link(client_id=DOCUMENT, redirect_uri=WEB)
    answer(allow(browser, url), to=WEB)
    Agent.objects.update(document_digest="1" * 64)
    assert browser.get(url).status_code == 200


def test_a_client_that_looks_otherwise_is_asked_about(browser: Client, agent: Agent) -> None:
    answer(allow(browser, link(redirect_uri=WEB)), to=WEB)
    Agent.objects.update(redirect_uris=agent.redirect_uris + " https://app.example/new")
    assert browser.get(link(redirect_uri=WEB)).status_code == 200


def test_approval_prompt_in_the_link_changes_nothing(browser: Client, agent: Agent, ada: Person) -> None:
    exchange(code_for(ada, agent, scopes=["mcp:connect", "mcp:files:read", "mcp:files:call"]))
    assert browser.get(link(approval_prompt="auto", resource="http://127.0.0.1:8000/mcp/mail")).status_code == 200
    assert browser.get(link(approval_prompt="auto")).status_code == 200
