"""What people allowed: kept once, taken back by them or by who manages the agent, gone with the person."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from access import services
from access.models import AccessToken, Agent, AuthorizationCode, Consent, ConsumedCode, Person, RefreshToken, Revision
from access.services.consents import Wish, code_by_consent, endpoints_for, give_consent
from access.tokens import verify_access_token
from audit.models import Record
from core.actor import Actor
from core.errors import Conflict, Invalid, NotFound
from core.permissions import Permission
from core.sampling import Sampler
from tests.access.doors import Api, problem
from tests.access.flow import CHALLENGE, RESOURCE, ask, exchange, refresh
from tests.factories import (
    GrantFactory,
    MembershipFactory,
    PersonFactory,
    ProtectedResourceFactory,
    PublicAgentFactory,
    RoleFactory,
    TeamFactory,
    person_with,
)

pytestmark = pytest.mark.django_db
WEB = "https://app.example/callback"


@pytest.fixture(autouse=True)
def nobody_was_refused_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.oauth.views._STRANGERS", Sampler(limit=100, window=60))


@pytest.fixture(autouse=True)
def resource(db: None) -> None:
    ProtectedResourceFactory.create(server_slug="files")


@pytest.fixture
def agent(db: None) -> Agent:
    return PublicAgentFactory.create(client_id="app", name="App")


@pytest.fixture
def ada(db: None) -> Person:
    return person_with("mcp:files:call", username="ada")


def wish(person: Person, agent: Agent, **changes: Any) -> Wish:
    values = {"redirect_uri": WEB, "registered_uri": WEB, "resource": RESOURCE, "scopes": ("mcp:connect",)}
    return Wish(person=person, agent=agent, code_challenge=CHALLENGE, **{**values, **changes})


def allow(person: Person, agent: Agent, **changes: Any) -> str:
    return give_consent(wish=wish(person, agent, **changes), actor=services.actor_for(person))


def pair(person: Person, agent: Agent, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = exchange(allow(person, agent, **changes), redirect_uri=None).json()
    return body


# --- given and remembered ------------------------------------------------------------------------------------------


def test_allowing_the_same_again_keeps_one_consent_and_makes_it_younger(ada: Person, agent: Agent) -> None:
    allow(ada, agent)
    Consent.objects.update(given_at=timezone.now() - timedelta(days=29))
    allow(ada, agent)
    consent = Consent.objects.get()
    assert timedelta(days=29) < consent.ends_at - timezone.now() <= timedelta(days=30)
    allow(ada, agent, scopes=("mcp:files:read",))
    assert Consent.objects.count() == 2


def test_what_was_allowed_is_remembered_until_it_ends(ada: Person, agent: Agent) -> None:
    assert code_by_consent(wish=wish(ada, agent)) is None
    allow(ada, agent)
    assert code_by_consent(wish=wish(ada, agent)) is not None
    assert code_by_consent(wish=wish(PersonFactory.create(), agent)) is None
    now = timezone.now()
    Consent.objects.update(given_at=now - timedelta(days=30), ends_at=now)
    assert code_by_consent(wish=wish(ada, agent)) is None


@pytest.mark.parametrize("stopped", ["person", "agent"])
def test_nobody_allows_anything_once_one_of_both_was_stopped(ada: Person, agent: Agent, stopped: str) -> None:
    allow(ada, agent)
    if stopped == "person":
        Person.objects.update(is_active=False)
    else:
        Agent.objects.update(state="suspended")
    with pytest.raises(Conflict):
        allow(ada, agent)
    with pytest.raises(Conflict):
        code_by_consent(wish=wish(ada, agent))


def test_a_person_is_offered_the_endpoints_that_their_live_grants_reach(ada: Person) -> None:
    for slug in ("mail", "old", "team"):
        ProtectedResourceFactory.create(server_slug=slug, active=slug != "old")
    GrantFactory.create(person=ada, role=RoleFactory.create(scopes=["mcp:mail:read"]), revoked_at=timezone.now())
    GrantFactory.create(person=ada, role=RoleFactory.create(scopes=["mcp:old:read"]))
    membership = MembershipFactory.create(person=ada)
    GrantFactory.create(team=membership.team, role=RoleFactory.create(scopes=["mcp:team:tool:x"]))
    assert [found.server_slug for found in endpoints_for(ada)] == ["files", "team"]
    assert endpoints_for(PersonFactory.create()) == []


# --- taken back ----------------------------------------------------------------------------------------------------


def test_taking_back_ends_every_token_and_code_of_the_agent_there(ada: Person, agent: Agent) -> None:
    tokens, code = pair(ada, agent), allow(ada, agent, scopes=("mcp:files:call",))
    consent = Consent.objects.order_by("pk").first()
    assert consent is not None
    services.revoke_consent(consent_id=consent.public_id, actor=services.actor_for(ada))
    assert not Consent.objects.live().exists()
    assert verify_access_token(tokens["access_token"]) is None
    assert refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert exchange(code).json()["error"] == "invalid_grant"
    record = Record.objects.get(event="consent.revoked")
    assert (record.agent, record.after["tokens_ended"]) == ("app", 2)  # type: ignore[index]
    assert Revision.objects.get(part="access").n == 1


def test_other_people_and_other_endpoints_keep_theirs(ada: Person, agent: Agent) -> None:
    ProtectedResourceFactory.create(server_slug="mail")
    bob = person_with("mcp:files:call", username="bob")
    kept = [
        pair(bob, agent),
        exchange(allow(ada, agent, resource=RESOURCE[:-5] + "mail"), redirect_uri=None, resource=None).json(),
    ]
    pair(ada, agent)
    consent = Consent.objects.get(person=ada, resource=RESOURCE)
    services.revoke_consent(consent_id=consent.public_id, actor=services.actor_for(ada))
    assert all(refresh(tokens["refresh_token"]).status_code == 200 for tokens in kept)


def test_a_consent_is_taken_back_once(ada: Person, agent: Agent) -> None:
    allow(ada, agent)
    consent_id = Consent.objects.get().public_id
    services.revoke_consent(consent_id=consent_id, actor=services.actor_for(ada))
    with pytest.raises(Conflict):
        services.revoke_consent(consent_id=consent_id, actor=services.actor_for(ada))


def test_another_persons_consent_is_not_there(ada: Person, agent: Agent) -> None:
    allow(ada, agent)
    bob = services.actor_for(PersonFactory.create())
    for consent_id in (Consent.objects.get().public_id, uuid.uuid4()):
        with pytest.raises(NotFound):
            services.revoke_consent(consent_id=consent_id, actor=bob)


def test_who_manages_agents_takes_back_anybodys_with_a_reason(ada: Person, agent: Agent, admin: Actor) -> None:
    allow(ada, agent)
    consent_id = Consent.objects.get().public_id
    with pytest.raises(Invalid):
        services.revoke_consent(consent_id=consent_id, actor=admin)
    services.revoke_consent(consent_id=consent_id, actor=admin, reason="Odd calls.")
    assert Record.objects.get(event="consent.revoked").reason == "Odd calls."


def test_the_managers_of_a_team_reach_its_agents_only(ada: Person, agent: Agent) -> None:
    team = TeamFactory.create()
    manager = MembershipFactory.create(team=team).person
    role = RoleFactory.create(scopes=[Permission.AGENT_MANAGE], reach="own_teams")
    GrantFactory.create(person=manager, role=role)
    allow(ada, agent)
    assert not Consent.objects.visible_to(services.actor_for(manager)).exists()
    Agent.objects.update(owner_team=team)
    assert Consent.objects.visible_to(services.actor_for(manager)).exists()


def test_a_retired_server_takes_along_what_people_allowed_there(ada: Person, agent: Agent, admin: Actor) -> None:
    ProtectedResourceFactory.create(server_slug="mail")
    tokens, code = pair(ada, agent), allow(ada, agent)
    kept = allow(ada, agent, resource=RESOURCE.removesuffix("files") + "mail")
    with transaction.atomic():
        services.withdraw_server_scopes(slug="files", actor=admin, reason="Retired.")
        services.withdraw_server_scopes(slug="absent", actor=admin, reason="Retired.")
    assert [consent.resource for consent in Consent.objects.live()] == [RESOURCE.removesuffix("files") + "mail"]
    assert verify_access_token(tokens["access_token"]) is None
    assert refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert exchange(code, redirect_uri=None).json()["error"] == "invalid_grant"
    assert exchange(kept, redirect_uri=None, resource=None).status_code == 200


# --- the doors -----------------------------------------------------------------------------------------------------


def test_the_page_shows_a_person_their_own_and_takes_it_back(ada: Person, agent: Agent) -> None:
    allow(ada, agent)
    allow(person_with("mcp:files:call", username="bob"), agent, scopes=("mcp:files:read",))
    browser = Client()
    browser.force_login(ada)
    text = browser.get("/applications/").content.decode()
    assert RESOURCE in text
    assert "Connect to the server" in text
    assert "bob" not in text.replace("combobox", "")
    consent = Consent.objects.get(person=ada)
    browser.post(f"/applications/{consent.public_id}/revoke/")
    assert "Nothing was allowed" in browser.get("/applications/").content.decode()
    theirs = Consent.objects.get(person__username="bob")
    assert browser.post(f"/applications/{theirs.public_id}/revoke/").status_code == 404
    assert browser.get(f"/applications/{theirs.public_id}/revoke/").status_code == 405
    assert Client().get("/applications/").status_code == 302


def test_the_page_asks_an_administrator_for_a_reason(ada: Person, agent: Agent, boss: Person) -> None:
    allow(ada, agent)
    browser = Client()
    browser.force_login(boss)
    assert 'name="reason"' in browser.get("/applications/").content.decode()
    browser.post(f"/applications/{Consent.objects.get().public_id}/revoke/", {"reason": "Odd calls."})
    assert not Consent.objects.live().exists()


def test_the_page_costs_the_same_for_one_and_for_many(
    ada: Person, agent: Agent, django_assert_max_num_queries: Any
) -> None:
    browser = Client()
    browser.force_login(ada)
    for number in range(20):
        allow(ada, agent, scopes=(f"mcp:files:tool:t{number}",))
    with django_assert_max_num_queries(12):
        browser.get("/applications/")


def test_the_api_lists_shows_and_takes_back(ada: Person, agent: Agent, api: Api) -> None:
    allow(ada, agent)
    mine, stranger = Api(ada), Api(PersonFactory.create())
    (listed,) = mine.get("consents/").json()["results"]
    assert (listed["agent"], listed["person"], listed["resource"]) == ("app", "ada", RESOURCE)
    assert (listed["scopes"], listed["revoked_at"]) == (["mcp:connect"], None)
    path = f"consents/{listed['id']}/"
    assert stranger.get("consents/").json()["results"] == []
    assert (stranger.get(path).status_code, stranger.post(f"{path}revoke/").status_code) == (404, 404)
    assert problem(api.post(f"{path}revoke/"))[:2] == (400, "invalid")
    assert mine.post(f"{path}revoke/").json()["revoked_at"] is not None
    assert problem(mine.post(f"{path}revoke/"))[:2] == (409, "conflict")
    assert Api(None).get("consents/").status_code == 401
    assert mine.send("DELETE", path).status_code == 405


# --- whoever is stopped is out at every door --------------------------------------------------------------------------


def test_somebody_deactivated_is_locked_out_at_every_door_at_once(ada: Person, agent: Agent, admin: Actor) -> None:
    tokens, code = pair(ada, agent), allow(ada, agent)
    browser = Client()
    browser.force_login(ada)
    services.deactivate_person(username="ada", actor=admin, reason="Left.")
    for _ in range(2):
        assert verify_access_token(tokens["access_token"]) is None
        assert refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
        assert exchange(code, redirect_uri=None).json()["error"] == "invalid_grant"
        assert not Consent.objects.live().exists()
        assert browser.get("/applications/").status_code == 302
        if not Person.objects.get(username="ada").is_active:
            services.reactivate_person(username="ada", actor=admin, reason="Back: and nothing comes back with them.")


def test_a_suspended_agent_loses_codes_and_tokens_for_good(ada: Person, agent: Agent, admin: Actor) -> None:
    tokens, code = pair(ada, agent), allow(ada, agent)
    services.suspend_agent(client_id="app", actor=admin, reason="Odd calls.")
    services.resume_agent(client_id="app", actor=admin, reason="Explained.")
    assert verify_access_token(tokens["access_token"]) is None
    assert refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert exchange(code, redirect_uri=None).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoking_one_token_ends_its_family(ada: Person, agent: Agent, kind: str) -> None:
    tokens = pair(ada, agent)
    newer = refresh(tokens["refresh_token"]).json()
    assert ask({"token": newer[kind], "client_id": "app"}, to="revoke").status_code == 200
    for body in (tokens, newer):
        assert verify_access_token(body["access_token"]) is None
        assert refresh(body["refresh_token"]).json()["error"] == "invalid_grant"
    assert Record.objects.get(event="token.revoked").reason == "revoked by the client"
    assert Revision.objects.get(part="access").n == 1


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_another_client_cannot_revoke_it(ada: Person, agent: Agent, kind: str) -> None:
    PublicAgentFactory.create(client_id="other")
    tokens = pair(ada, agent)
    assert ask({"token": tokens[kind], "client_id": "other"}, to="revoke").status_code == 200
    assert refresh(tokens["refresh_token"]).status_code == 200


def test_a_refused_revocation_is_recorded(ada: Person, agent: Agent) -> None:
    assert ask({"client_id": "app"}, to="revoke").status_code == 400
    assert Record.objects.get(event="token.refused").agent == "app"


# --- clearing away -------------------------------------------------------------------------------------------------


def test_codes_and_sealed_pairs_are_forgotten_in_time_and_families_when_they_are_too_old(
    ada: Person, agent: Agent
) -> None:
    tokens = pair(ada, agent)
    allow(ada, agent)
    refresh(tokens["refresh_token"])
    services.clear_expired()
    assert (ConsumedCode.objects.count(), AuthorizationCode.objects.count()) == (1, 1)
    assert RefreshToken.objects.filter(successor__isnull=False).exists()
    past = timezone.now() - timedelta(minutes=11)
    ConsumedCode.objects.update(consumed_at=past)
    AuthorizationCode.objects.update(expires=past)
    RefreshToken.objects.filter(superseded_at__isnull=False).update(superseded_at=past)
    AccessToken.objects.update(expires=timezone.now() - timedelta(days=2))
    assert services.clear_expired() == 1
    assert not ConsumedCode.objects.exists()
    assert not AuthorizationCode.objects.exists()
    assert not RefreshToken.objects.filter(successor__isnull=False).exists()
    assert RefreshToken.objects.count() == 2
    RefreshToken.objects.update(family_began_at=timezone.now() - timedelta(days=32))
    assert services.clear_expired() == 3
    assert not RefreshToken.objects.exists()


def test_a_replay_is_noticed_however_long_ago_the_access_token_was_cleared(ada: Person, agent: Agent) -> None:
    tokens = pair(ada, agent)
    newer = refresh(tokens["refresh_token"]).json()
    with transaction.atomic():
        AccessToken.objects.update(expires=timezone.now() - timedelta(days=2))
        RefreshToken.objects.filter(superseded_at__isnull=False).update(
            superseded_at=timezone.now() - timedelta(days=2)
        )
    services.clear_expired()
    assert refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert refresh(newer["refresh_token"]).json()["error"] == "invalid_grant"
