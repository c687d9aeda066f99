"""API tokens and teams in the console."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from access.models import ApiToken, Membership, Team
from access.services import Holder, ensure_builtin_roles, give_grant
from access.services.api_tokens import insert_api_token
from access.sessions import ABOUT
from audit.models import Record
from tests.access.doors import SETUP
from tests.console.world import Page
from tests.factories import GrantFactory, MembershipFactory, PersonFactory, RoleFactory, TeamFactory, person_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def console(db: None) -> Client:
    """An administrator who signed in with a second factor."""
    ensure_builtin_roles()
    person = PersonFactory.create(username="ada")
    give_grant(role="administrator", holder=Holder(person="ada"), actor=SETUP, reason="A test.")
    client = Client()
    client.force_login(person)
    session = client.session
    session[ABOUT] = {"second_factor": "totp", "authenticated_at": timezone.now().isoformat()}
    session.save()
    return client


def text(answer: Any) -> str:
    page = answer.content.decode()
    assert Page(page).inline == []
    return str(page)


def test_a_token_is_shown_once_and_works_within_its_scopes(console: Client) -> None:
    end = timezone.now() + timedelta(days=1)
    form = {"name": "nightly report", "scopes": ["server:read"], "expires_at": f"{end:%Y-%m-%dT%H:%M}"}
    made = text(console.post("/tokens/create/", form))
    (token,) = set(re.findall(r"hfp_\w+", made))
    row = ApiToken.objects.get()
    assert (row.person.username, row.scopes, row.name) == ("ada", ["server:read"], "nightly report")
    bearer: Any = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    assert Client().get("/api/v1/servers/", **bearer).status_code == 200
    assert Client().get("/api/v1/agents/", **bearer).status_code == 403
    listed = text(console.get("/tokens/"))
    assert "nightly report" in listed
    assert token not in listed
    row.refresh_from_db()
    assert row.last_used_at is not None
    console.post(f"/tokens/{row.public_id}/revoke/", {"reason": "Done."})
    assert Client().get("/api/v1/servers/", **bearer).status_code == 401


def test_a_token_needs_a_name_and_an_end_that_is_still_to_come(console: Client) -> None:
    for form in ({"name": ""}, {"name": "old", "expires_at": "2020-01-01T00:00"}, {"name": "x", "scopes": ["rob"]}):
        assert console.post("/tokens/create/", form).status_code == 422
    assert not ApiToken.objects.exists()


def test_who_signed_in_by_a_password_alone_makes_none(db: None) -> None:
    browser = Client()
    browser.force_login(PersonFactory.create(username="alan"))
    assert "needs a second factor" in text(browser.get("/tokens/"))
    assert browser.post("/tokens/create/", {"name": "x"}).status_code == 403
    assert not ApiToken.objects.exists()


def test_everybody_sees_and_ends_their_own_tokens_alone(console: Client) -> None:
    theirs = insert_api_token(PersonFactory.create(username="grace"), actor=SETUP, scopes=[], name="grace's")[0]
    browser = Client()
    browser.force_login(PersonFactory.create(username="alan"))
    assert "grace&#x27;s" not in text(browser.get("/tokens/"))
    assert browser.post(f"/tokens/{theirs.public_id}/revoke/").status_code in (403, 404)
    assert "never" in text(console.get("/tokens/"))
    theirs.refresh_from_db()
    assert theirs.revoked_at is None


def test_a_team_is_made_and_people_go_in_and_out(console: Client) -> None:
    PersonFactory.create(username="grace")
    assert console.post("/teams/create/", {"slug": "ops"})["Location"] == "/teams/ops/"
    console.post("/teams/ops/members/", {"username": "grace"})
    assert "grace" in text(console.get("/teams/ops/"))
    twice = console.post("/teams/ops/members/", {"username": "grace"})
    assert (twice.status_code, "in the team already" in text(twice)) == (409, True)
    assert console.post("/teams/ops/members/", {"username": "nobody"}).status_code == 404
    console.post("/teams/ops/members/grace/remove/")
    assert not Membership.objects.exists()
    events = Record.objects.filter(event__startswith="membership.").order_by("pk").values_list("event", flat=True)
    assert list(events) == ["membership.added", "membership.removed"]


def test_a_team_shows_its_roles_and_who_sees_it(console: Client) -> None:
    team = TeamFactory.create(slug="ops")
    GrantFactory.create(role=RoleFactory.create(name="keeper"), team=team, person=None, agent=None)
    member = MembershipFactory.create(team=team, person=person_with("role:read", username="grace")).person
    assert "keeper" in text(console.get("/teams/ops/"))
    browser = Client()
    browser.force_login(member)
    assert browser.get("/teams/").status_code == 403
    reader = Client()
    reader.force_login(person_with("team:read", username="rita"))
    assert "Add to the team" not in text(reader.get("/teams/ops/"))
    assert reader.post("/teams/ops/members/", {"username": "rita"}).status_code == 403
    assert Team.objects.get().members.count() == 1
