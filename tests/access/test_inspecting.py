"""A token that turned up somewhere is told apart: whose, alive or not, and why. Its value is kept and shown nowhere."""

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from traceback import walk_tb
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.views.debug import SafeExceptionReporterFilter

from access import services
from access.keys import token_key
from access.models import AccessToken, Agent, ApiToken, Person, ProtectedResource, RefreshToken
from access.services import TokenState
from access.services.api_tokens import insert_api_token
from access.suspended import SuspensionKind
from access.token_format import TokenKind, mint
from audit.models import Record
from core.actor import Actor
from core.errors import PermissionDenied
from tests.access.doors import SETUP, Api, problem
from tests.access.flow import RESOURCE, ask, code_for, exchange, refresh
from tests.console.world import Page
from tests.factories import (
    AgentFactory,
    MembershipFactory,
    PersonFactory,
    ProtectedResourceFactory,
    PublicAgentFactory,
    TeamFactory,
    actor_with,
    person_with,
)

pytestmark = pytest.mark.django_db
READS = ("agent:read", "person:read", "token:manage", "audit:read")


@pytest.fixture
def app(db: None) -> Agent:
    ProtectedResourceFactory.create(server_slug="files")
    agent: Agent = PublicAgentFactory.create(client_id="app", name="Letter writer")
    return agent


@pytest.fixture
def ada(db: None) -> Person:
    return PersonFactory.create(username="ada")


@pytest.fixture
def pair(app: Agent, ada: Person) -> dict[str, str]:
    """What a client got that acts for Ada."""
    body: dict[str, str] = exchange(code_for(ada, app)).json()
    return body


@pytest.fixture
def own(ada: Person) -> str:
    """An API token of Ada's."""
    return insert_api_token(ada, actor=SETUP, scopes=["server:read"], name="nightly")[1]


@pytest.fixture
def auditor(db: None) -> Actor:
    return actor_with(*READS)


def state(token: str, actor: Actor) -> TokenState | None:
    found = services.inspect_token(token=token, actor=actor)
    return found.state if found else None


def bots_token() -> str:
    """An access token of an agent that acts for itself."""
    AgentFactory.create(client_id="bot")
    form = {"grant_type": "client_credentials", "resource": RESOURCE, "client_id": "bot", "client_secret": "secret"}
    return str(ask(form).json()["access_token"])


def past(**distance: float) -> Any:
    return timezone.now() - timedelta(**distance)


# --- what it is ----------------------------------------------------------------------------------------------------


def test_an_access_token_says_whose_it_is_and_what_it_is_good_for(
    pair: dict[str, str], app: Agent, ada: Person, auditor: Actor
) -> None:
    found, row = services.inspect_token(token=pair["access_token"], actor=auditor), AccessToken.objects.get()
    assert found is not None
    assert (found.kind, found.state, found.public_id) == (TokenKind.ACCESS, TokenState.ACTIVE, row.public_id)
    assert (found.agent, found.person, found.resource, found.scopes) == (app, ada, RESOURCE, ("mcp:connect",))
    assert (found.issued_at, found.expires_at, found.last_used_at) == (row.created, row.expires, None)


def test_an_agent_that_acts_for_itself_acts_for_nobody(app: Agent, auditor: Actor) -> None:
    found = services.inspect_token(token=bots_token(), actor=auditor)
    assert found is not None
    assert (found.state, found.for_person, found.person) == (TokenState.ACTIVE, False, None)


def test_a_refresh_token_ends_when_it_is_left_or_its_family_is_old(
    pair: dict[str, str], auditor: Actor, settings: Any
) -> None:
    found, row = services.inspect_token(token=pair["refresh_token"], actor=auditor), RefreshToken.objects.get()
    assert found is not None
    idle = timedelta(seconds=settings.OAUTH2_PROVIDER["REFRESH_TOKEN_EXPIRE_SECONDS"])
    assert (found.kind, found.state, found.expires_at) == (TokenKind.REFRESH, TokenState.ACTIVE, row.created + idle)
    assert found.subject == f"token:{row.public_id}"


def test_an_api_token_says_whose_it_is_and_when_it_was_used(own: str, ada: Person, auditor: Actor) -> None:
    assert services.authenticate_api_token(own) is not None
    found, row = services.inspect_token(token=own, actor=auditor), ApiToken.objects.get()
    assert found is not None
    assert (found.kind, found.state, found.person) == (TokenKind.API, TokenState.ACTIVE, ada)
    assert (found.name, found.scopes, found.agent) == ("nightly", ("server:read",), None)
    assert found.last_used_at == row.last_used_at is not None
    assert found.subject == f"api_token:{row.public_id}"


# --- whether it is alive -------------------------------------------------------------------------------------------

Change = Callable[[], object]
STOPPED: dict[str, tuple[Change, TokenState]] = {
    "its agent is suspended": (
        lambda: Agent.objects.filter(client_id="app").update(state="suspended"),
        TokenState.AGENT_SUSPENDED,
    ),
    "its person is deactivated": (
        lambda: Person.objects.filter(username="ada").update(is_active=False),
        TokenState.PERSON_INACTIVE,
    ),
    "the kill switch holds its agent": (
        lambda: services.suspend(
            target=services.target_of(kind=SuspensionKind.AGENT, name="app"),
            actor=SETUP,
            reason="A test.",
        ),
        TokenState.SUSPENDED,
    ),
    "its endpoint is gone": (lambda: ProtectedResource.objects.update(active=False), TokenState.ENDPOINT_GONE),
}


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize(("change", "expected"), STOPPED.values(), ids=STOPPED)
def test_what_stops_an_agent_stops_its_tokens(
    pair: dict[str, str], auditor: Actor, kind: str, change: Change, expected: TokenState
) -> None:
    assert state(pair[kind], auditor) is TokenState.ACTIVE
    change()
    assert state(pair[kind], auditor) is expected


def test_an_access_token_expires_and_once_it_is_cleared_away_is_unknown(pair: dict[str, str], auditor: Actor) -> None:
    AccessToken.objects.update(expires=past(seconds=1))
    assert state(pair["access_token"], auditor) is TokenState.EXPIRED
    AccessToken.objects.all().delete()
    assert state(pair["access_token"], auditor) is None


def test_a_refresh_token_is_exchanged_revoked_or_expired(pair: dict[str, str], auditor: Actor) -> None:
    newer = refresh(pair["refresh_token"]).json()["refresh_token"]
    found = services.inspect_token(token=pair["refresh_token"], actor=auditor)
    assert found is not None
    assert (found.state, found.last_used_at is not None) == (TokenState.EXCHANGED, True)
    assert state(newer, auditor) is TokenState.ACTIVE
    RefreshToken.objects.update(family_began_at=past(days=settings.REFRESH_TOKEN_DAYS))
    assert state(newer, auditor) is TokenState.EXPIRED
    ask({"token": newer, "client_id": "app"}, to="revoke")
    assert state(newer, auditor) is TokenState.REVOKED


def test_looking_at_an_exchanged_token_ends_nothing(pair: dict[str, str], auditor: Actor) -> None:
    newer = refresh(pair["refresh_token"]).json()
    state(pair["refresh_token"], auditor)
    assert state(newer["refresh_token"], auditor) is TokenState.ACTIVE
    assert state(newer["access_token"], auditor) is TokenState.ACTIVE


def test_an_api_token_is_revoked_expired_or_stopped_with_its_person(own: str, ada: Person, auditor: Actor) -> None:
    services.ensure_builtin_roles()
    root = services.Holder(person=PersonFactory.create(username="root").username)
    services.give_grant(role="administrator", holder=root, actor=SETUP, reason="A test.")
    kind = SuspensionKind.PERSON
    stopped = services.suspend(target=services.target_of(kind=kind, name="ada"), actor=SETUP, reason="A test.")
    assert state(own, auditor) is TokenState.SUSPENDED
    services.lift(suspension_id=stopped.public_id, actor=SETUP, reason="A test.")
    Person.objects.filter(pk=ada.pk).update(is_active=False)
    assert state(own, auditor) is TokenState.PERSON_INACTIVE
    ApiToken.objects.update(expires_at=past(seconds=1))
    assert state(own, auditor) is TokenState.EXPIRED
    ApiToken.objects.update(revoked_at=past(seconds=1))
    assert state(own, auditor) is TokenState.REVOKED


# --- who sees it ---------------------------------------------------------------------------------------------------


def test_only_who_reads_agents_asks_and_a_refusal_is_on_record(pair: dict[str, str]) -> None:
    with pytest.raises(PermissionDenied):
        services.inspect_token(token=pair["access_token"], actor=actor_with("audit:read", "token:manage"))
    assert Record.objects.filter(event="action.denied").count() == 1
    assert not Record.objects.filter(event="token.inspected").exists()


def test_what_one_may_not_see_is_answered_and_recorded_like_what_is_unknown(pair: dict[str, str], own: str) -> None:
    team = TeamFactory.create()
    member = MembershipFactory.create(team=team, person=PersonFactory.create(username="olga")).person
    services.ensure_builtin_roles()
    services.give_grant(role="owner", holder=services.Holder(person="olga"), actor=SETUP, reason="A test.")
    api = Api(member, ["agent:read"])
    unknown = [mint(kind, token_key()) for kind in TokenKind]
    tokens = [pair["access_token"], pair["refresh_token"], own, *unknown, "hf.rubbish"]
    answers = {api.post("tokens/inspect/", {"token": token}).content for token in tokens}
    assert len(answers) == 1
    told = {(record.subject, record.agent, str(record.after)) for record in inspected()}
    assert told == {("token:unknown", "", "{'state': 'unknown'}")}
    Agent.objects.filter(client_id="app").update(owner_team=team)
    assert api.post("tokens/inspect/", {"token": pair["access_token"]}).json()["active"] is True


def test_somebody_whom_one_may_not_see_is_not_named(pair: dict[str, str]) -> None:
    found = services.inspect_token(token=pair["access_token"], actor=actor_with("agent:read"))
    assert found is not None
    assert (found.for_person, found.person) == (True, None)


def test_another_s_api_token_is_seen_by_who_manages_tokens_and_its_person(own: str, ada: Person) -> None:
    assert state(own, actor_with("agent:read", "person:read")) is None
    assert state(own, actor_with("agent:read", "token:manage")) is TokenState.ACTIVE
    themselves = person_with("agent:read")
    mine = insert_api_token(themselves, actor=SETUP, scopes=[], name="")[1]
    assert state(mine, services.actor_for(themselves)) is TokenState.ACTIVE


def test_rubbish_costs_no_look_into_the_tables_of_tokens(auditor: Actor) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert state("hf.rubbish", auditor) is None
    assert not [query for query in captured if "token_checksum" in query["sql"]]


# --- it is kept nowhere --------------------------------------------------------------------------------------------


def inspected() -> list[Record]:
    return list(Record.objects.filter(event="token.inspected"))


def test_asking_is_one_record_with_the_id_of_the_token(pair: dict[str, str], auditor: Actor) -> None:
    before = Record.objects.count()
    state(pair["access_token"], auditor)
    (record,) = inspected()
    assert Record.objects.count() == before + 1
    assert (record.subject, record.agent) == (f"token:{AccessToken.objects.get().public_id}", "app")
    assert record.after == {"state": "active"}


def shown(browser: Client, token: str) -> Any:
    return browser.post("/tokens/inspect/", {"token": token})


def test_what_was_pasted_is_in_no_answer_no_record_no_row_and_no_log(
    pair: dict[str, str], own: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    person = person_with(*READS)
    browser, api = Client(), Api(person)
    browser.force_login(person)
    pasted = [
        pair["access_token"],
        pair["refresh_token"],
        own,
        mint(TokenKind.API, token_key()),
        "hf.canary" + "x" * 600,
    ]
    for token in pasted:
        for answer in (shown(browser, token), api.post("tokens/inspect/", {"token": token})):
            assert token not in answer.content.decode()
            assert token not in str(answer.headers)
        assert api.post("tokens/inspect/", {"token": [token]}).status_code == 400
    assert len(inspected()) == 8
    said = [bytes(record.body).decode() for record in Record.objects.all()] + [caplog.text]
    assert not [token for token in pasted for text in said if token in text]


def test_no_report_of_an_error_shows_what_was_pasted(
    own: str, auditor: Actor, monkeypatch: pytest.MonkeyPatch, rf: RequestFactory
) -> None:
    def breaks(**_fact: Any) -> None:
        raise ValueError("broken")

    monkeypatch.setattr("access.services.inspecting.record", breaks)
    with pytest.raises(ValueError, match="broken") as caught:
        services.inspect_token(token=own, actor=auditor)
    ours = [frame for frame, _ in walk_tb(caught.tb) if "tests" not in Path(frame.f_code.co_filename).parts]
    told = [str(SafeExceptionReporterFilter().get_traceback_frame_variables(rf.get("/"), frame)) for frame in ours]
    # Beside the frame of the decorator, which is cleansed by its name, those of the services.
    assert len(told) > 2
    assert own not in "".join(told)


# --- the page ------------------------------------------------------------------------------------------------------


@pytest.fixture
def console(db: None) -> Client:
    browser = Client()
    browser.force_login(person_with(*READS, "agent:manage", "person:manage"))
    return browser


def text(answer: Any) -> str:
    page = answer.content.decode()
    assert Page(page).inline == []
    return " ".join(page.split())


def test_the_page_says_what_it_is_and_leads_to_whose_it_is(
    console: Client, pair: dict[str, str], app: Agent, ada: Person
) -> None:
    answer = shown(console, pair["access_token"])
    page = text(answer)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    for told in ("Access token of an agent", "Alive.", RESOURCE, "Connect to the server", "Letter writer", "ada"):
        assert told in page
    links = {link.get("href") for link in Page(page).named("a")}
    expected = {f"/agents/{app.public_id}/", f"/people/{ada.public_id}/sign-in/", "/audit/?agent=app"}
    assert expected <= links
    assert str(AccessToken.objects.get().public_id) in page


def test_the_page_ends_an_api_token_with_a_reason(console: Client, own: str) -> None:
    row = ApiToken.objects.get()
    page = text(shown(console, own))
    assert "End this token" in page
    assert f'action="/tokens/{row.public_id}/revoke/"' in page
    console.post(f"/tokens/{row.public_id}/revoke/", {"reason": "Leaked."})
    page = text(shown(console, own))
    assert "Not alive." in page
    assert "It was revoked." in page
    assert "What ends it" not in page


def test_the_page_says_nothing_of_what_is_unknown(console: Client) -> None:
    page = text(shown(console, mint(TokenKind.ACCESS, token_key())))
    assert "Not known" in page
    assert "Access token of an agent" not in page


def test_the_field_is_never_filled_and_takes_no_token_from_an_address(console: Client, own: str) -> None:
    asked = text(console.get("/tokens/inspect/", {"token": own}))
    field = next(each for each in Page(asked).named("input") if each.get("name") == "token")
    assert (field["type"], field["autocomplete"], "value" in field) == ("password", "off", False)
    assert own not in asked
    assert inspected() == []
    assert shown(console, "").status_code == 422
    assert shown(console, "x" * 501).status_code == 422


def test_a_form_of_another_site_asks_nothing(own: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person_with(*READS))
    assert shown(browser, own).status_code == 403
    assert inspected() == []


def test_only_who_may_ask_is_led_there(console: Client, db: None) -> None:
    for path in ("/tokens/", "/agents/"):
        assert "/tokens/inspect/" in text(console.get(path))
    browser = Client()
    browser.force_login(person_with("token:manage"))
    assert "/tokens/inspect/" not in text(browser.get("/tokens/"))
    assert browser.get("/tokens/inspect/").status_code == 403


# --- the API -------------------------------------------------------------------------------------------------------


def test_the_api_says_the_same(pair: dict[str, str], own: str) -> None:
    api = Api(person_with(*READS))
    told = api.post("tokens/inspect/", {"token": pair["refresh_token"]}).json()
    assert (told["active"], told["state"], told["kind"]) == (True, "active", "refresh")
    assert (told["agent"], told["person"], told["resource"]) == ("app", "ada", RESOURCE)
    told = api.post("tokens/inspect/", {"token": own}).json()
    assert (told["kind"], told["agent"], told["scopes"]) == ("api", None, ["server:read"])
    told = api.post("tokens/inspect/", {"token": "hf.rubbish"}).json()
    assert (told["active"], told["state"]) == (False, "unknown")
    assert {value for name, value in told.items() if name not in ("active", "state")} == {None}
    assert problem(api.post("tokens/inspect/", {})) == (400, "invalid", ["token"])
