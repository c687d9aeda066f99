"""Sessions of people: how they end by themselves, who sees them, who ends them."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from time_machine import travel

from access.models import ConsoleSession, Person
from access.services import clear_expired, deactivate_person
from access.sessions import SEEN_RESOLUTION, SessionStore
from audit.models import Record
from tests.access.doors import SETUP, Api
from tests.access.signing_in import adds_app, is_signed_in, known, signs_in
from tests.factories import GrantFactory, MembershipFactory, RoleFactory

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
IDLE = timedelta(minutes=settings.SESSION_IDLE_MINUTES)


@pytest.fixture
def ada(db: None) -> Person:
    return known(admin=True)


@pytest.fixture
def eve(db: None) -> Person:
    return known("eve")


def test_a_session_that_does_nothing_ends(ada: Person) -> None:
    with travel(1_800_000_000, tick=False) as clock:
        browser = signs_in()
        for _ in range(3):
            clock.shift(IDLE - timedelta(seconds=1))
            assert is_signed_in(browser)
        clock.shift(IDLE + timedelta(seconds=1))
        assert not is_signed_in(browser)


def test_a_session_in_use_ends_after_eight_hours(ada: Person) -> None:
    with travel(1_800_000_000, tick=False) as clock:
        browser = signs_in()
        for _ in range(8 * 3 - 1):
            clock.shift(timedelta(minutes=20))
            assert is_signed_in(browser)
            assert browser.post("/account/sessions/end-others/").status_code == 302  # saves nothing that prolongs it
        clock.shift(timedelta(minutes=20, seconds=1))
        assert not is_signed_in(browser)


def test_when_it_was_seen_is_written_once_a_minute(ada: Person) -> None:
    with travel(1_800_000_000, tick=False) as clock:
        browser = signs_in()
        began = timezone.now()
        clock.shift(SEEN_RESOLUTION)
        is_signed_in(browser)
        assert ConsoleSession.objects.get().last_seen_at == began
        clock.shift(1)
        is_signed_in(browser)
        assert ConsoleSession.objects.get().last_seen_at == timezone.now()


def test_housekeeping_clears_away_what_is_over(ada: Person) -> None:
    with travel(1_800_000_000, tick=False) as clock:
        signs_in()
        Session.objects.create(session_key="x" * 32, session_data="", expire_date=timezone.now())
        clock.shift(IDLE + timedelta(seconds=1))
        kept = signs_in()
        clear_expired()
        assert ConsoleSession.objects.count() == 1
        assert is_signed_in(kept)
    assert not Session.objects.exists()


def test_the_page_says_where_one_is_signed_in(ada: Person) -> None:
    elsewhere = signs_in(**{"User-Agent": FIREFOX})
    browser = signs_in()
    page = browser.get("/account/security/").content.decode()
    assert "Firefox, Linux" in page
    assert "127.0.0.1" in page
    assert page.count("This one") == 1
    assert is_signed_in(elsewhere)


@pytest.mark.parametrize("named", ["<script>alert(1)</script>", "x" * 10_000, "\u202eabc", "", "\t\x7f"])
def test_whatever_a_browser_calls_itself_is_shown_as_text(ada: Person, named: str) -> None:
    browser = Client()
    browser.post("/sign-in/", {"username": "ada", "password": "correct horse battery staple"}, HTTP_USER_AGENT=named)
    page = browser.get("/account/security/")
    assert page.status_code == 200
    assert "<script>alert" not in page.content.decode()


def test_one_ends_one_of_ones_own_or_all_others(ada: Person) -> None:
    first, second, third, browser = signs_in(), signs_in(), signs_in(), signs_in()
    row = SessionStore(first.cookies["session"].value)
    row.load()
    assert row.row is not None
    answer = browser.post(f"/account/sessions/{row.row.public_id}/end/", {"next": "/account/security/"})
    assert answer["Location"] == "/account/security/"
    assert [is_signed_in(each) for each in (first, second, third, browser)] == [False, True, True, True]
    browser.post("/account/sessions/end-others/")
    assert [is_signed_in(each) for each in (first, second, third, browser)] == [False, False, False, True]
    assert [record.after for record in Record.objects.filter(event="session.ended").order_by("pk")] == [
        {"sessions": 1},
        {"sessions": 2},
    ]


def test_nobody_else_sees_or_ends_a_session_but_who_manages_people(ada: Person, eve: Person) -> None:
    hers, his = signs_in("eve"), signs_in()
    row = ConsoleSession.objects.get(person=ada)
    assert hers.post(f"/account/sessions/{row.public_id}/end/").status_code == 404
    assert hers.post(f"/account/sessions/{uuid4()}/end/").status_code == 404
    assert hers.get(f"/people/{ada.public_id}/sign-in/").status_code == 403
    assert is_signed_in(his)
    assert "127.0.0.1" in his.get(f"/people/{eve.public_id}/sign-in/").content.decode()
    his.post(f"/people/{eve.public_id}/sessions/end/")
    assert not is_signed_in(hers)
    record = Record.objects.get(event="session.ended")
    assert (record.decision, record.after) == ("allowed", {"sessions": 1})
    assert record.principal != record.subject


def test_one_page_says_of_a_person_what_they_hold_and_where_they_are_signed_in(ada: Person, eve: Person) -> None:
    signs_in("eve")
    member = MembershipFactory.create(person=eve)
    GrantFactory.create(role=RoleFactory.create(name="own-role"), person=eve, reason="For the night.")
    GrantFactory.create(role=RoleFactory.create(name="team-role"), team=member.team, person=None, agent=None)
    GrantFactory.create(role=RoleFactory.create(name="over"), person=eve, revoked_at=timezone.now())
    page = signs_in().get(f"/people/{eve.public_id}/sign-in/").content.decode()
    for part in ("own-role", "For the night.", "team-role", str(member.team), "Last sign-in", "127.0.0.1"):
        assert part in page, part
    assert "over</bdi>" not in page


def test_deactivation_leaves_no_session_behind(ada: Person, eve: Person) -> None:
    hers = signs_in("eve")
    deactivate_person(username="eve", actor=SETUP, reason="She left.")
    assert not ConsoleSession.objects.filter(person=eve).exists()
    assert not is_signed_in(hers)


def test_an_administrator_resets_what_somebody_lost(ada: Person, eve: Person) -> None:
    hers = signs_in("eve")
    adds_app(hers)
    assert not is_signed_in(signs_in("eve"))
    browser = signs_in()
    assert "Authenticator app" in browser.get(f"/people/{eve.public_id}/sign-in/").content.decode()
    browser.post(f"/people/{eve.public_id}/second-factors/reset/", {"reason": "She lost her phone."})
    assert not is_signed_in(hers)
    assert is_signed_in(signs_in("eve"))
    again = browser.post(f"/people/{eve.public_id}/second-factors/reset/", {"reason": "Again."}, follow=True)
    assert "has no second factor" in again.content.decode()


def test_who_may_do_less_resets_nobody_who_may_do_more(ada: Person) -> None:
    from tests.access.signing_in import PASSWORD
    from tests.factories import person_with

    adds_app(signs_in())
    helper = person_with("person:manage", "person:read", username="helper")
    helper.set_password(PASSWORD)
    helper.save()
    url = f"/people/{ada.public_id}/second-factors/reset/"
    assert signs_in("helper").post(url, {"reason": "Let me in."}).status_code == 403
    assert not is_signed_in(signs_in())


def test_the_api_ends_sessions_and_resets_second_factors(ada: Person, eve: Person) -> None:
    api, hers = Api(ada), signs_in("eve")
    assert Api(eve).send("POST", "people/ada/end-sessions/", {}).status_code == 403
    adds_app(hers)
    assert api.send("POST", "people/eve/end-sessions/", {}).status_code == 204
    assert not is_signed_in(hers)
    assert api.send("POST", "people/eve/reset-second-factors/", {}).status_code == 400
    assert api.send("POST", "people/eve/reset-second-factors/", {"reason": "Lost."}).status_code == 204
    assert is_signed_in(signs_in("eve"))
    assert api.send("POST", "people/eve/reset-second-factors/", {"reason": "Again."}).status_code == 409
    assert api.send("POST", "people/nobody/end-sessions/", {}).status_code == 404
