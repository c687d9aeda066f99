"""What does the most harm in the wrong hands asks again who somebody is, and loses nothing that was typed."""

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from time_machine import Traveller, travel

from access.account.fresh import FRESH
from access.models import Grant, Person, Role, Suspension
from access.services import actor_for, suspend, target_of
from access.suspended import SuspensionKind
from audit.models import Record
from servers.models import Server
from tests.access.signing_in import PASSWORD, adds_app, app_code, known, signs_in
from tests.console.world import World
from tools.models import Review

pytestmark = pytest.mark.django_db
ROLE = {
    "name": "new-role",
    "scopes": "mcp:files:read",
    "reach": "installation",
    "description": 'Line 1\r\nLine <2> & "3"',
}
PERSON = {"username": "grace", "password": "a very long new password", "display_name": "Grace <b>", "role": "reader"}


@pytest.fixture
def clock() -> Iterator[Traveller]:
    with travel(1_800_000_000, tick=False) as clock:
        yield clock


@pytest.fixture
def ada(clock: Traveller, db: None) -> Person:
    return known(admin=True)


def later(clock: Traveller) -> None:
    """Past ten minutes, with a look at a page in between."""
    clock.shift(FRESH + timedelta(seconds=1))


def carried(page: Any) -> dict[str, list[str]]:
    """The form that waits in the page."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.content.decode()):
        if name != "csrfmiddlewaretoken":
            found.setdefault(name, []).append(html.unescape(value))
    return found


def asks(answer: Any) -> bool:
    return answer.status_code == 403 and "Is it you?" in answer.content.decode()


def test_within_ten_minutes_nothing_is_asked(ada: Person, clock: Traveller) -> None:
    browser = signs_in()
    clock.shift(FRESH - timedelta(seconds=1))
    assert browser.post("/roles/create/", ROLE).status_code == 302
    assert Role.objects.filter(name="new-role").exists()


def test_later_the_form_waits_for_the_password_and_is_then_carried_out(ada: Person, clock: Traveller) -> None:
    browser = signs_in()
    later(clock)
    page = browser.post("/roles/create/", ROLE)
    assert asks(page)
    assert not Role.objects.filter(name="new-role").exists()
    kept = carried(page)
    assert {name: values[0] for name, values in kept.items() if name in ROLE} == ROLE
    before = browser.session.session_key
    answer = browser.post("/roles/create/", {**kept, "again-password": PASSWORD})
    assert answer.status_code == 302
    assert Role.objects.get(name="new-role").description == ROLE["description"].strip()
    assert browser.session.session_key != before
    assert Record.objects.get(event="person.reauthenticated").after == {"by": "password"}
    assert browser.post("/roles/create/", {**ROLE, "name": "another"}).status_code == 302


def test_a_wrong_password_is_told_and_the_form_still_waits(ada: Person, clock: Traveller) -> None:
    browser = signs_in()
    later(clock)
    kept = carried(browser.post("/roles/create/", ROLE))
    page = browser.post("/roles/create/", {**kept, "again-password": "wrong"})
    assert page.status_code == 422
    assert "This password is wrong" in page.content.decode()
    assert carried(page) == kept
    empty = browser.post("/roles/create/", {**kept, "again-password": ""})
    assert empty.status_code == 422
    assert not Role.objects.filter(name="new-role").exists()


def test_guessing_at_it_is_limited(ada: Person, clock: Traveller) -> None:
    browser = signs_in()
    later(clock)
    answers = [browser.post("/roles/create/", {**ROLE, "again-password": "wrong"}).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
    assert browser.post("/roles/create/", {**ROLE, "again-password": PASSWORD}).status_code == 429


def test_a_password_in_the_form_is_typed_anew_and_stands_in_no_page(ada: Person, clock: Traveller) -> None:
    browser = signs_in()
    later(clock)
    page = browser.post("/people/create/", PERSON)
    assert asks(page)
    assert PERSON["password"] not in page.content.decode()
    answer = browser.post("/people/create/", {**carried(page), "again-password": PASSWORD})
    assert answer.status_code == 422
    said = answer.content.decode()
    assert 'value="grace"' in said
    assert "Grace &lt;b&gt;" in said
    assert PASSWORD not in said
    assert browser.post("/people/create/", PERSON).status_code == 302


def test_letting_something_go_on_asks_again_and_stopping_it_does_not(ada: Person, clock: Traveller) -> None:
    actor = actor_for(known("ben", admin=True))
    stopped = suspend(target=target_of(kind=SuspensionKind.EVERYTHING, name=""), actor=actor, reason="A drill.")
    browser = signs_in()
    later(clock)
    path = f"/suspensions/{stopped.public_id}/lift/"
    page = browser.post(path, {"reason": "Over."})
    assert asks(page)
    assert Suspension.objects.live().exists()
    assert browser.post(path, {**carried(page), "again-password": PASSWORD}).status_code == 302
    assert not Suspension.objects.live().exists()
    later(clock)
    again = {"kind": "everything", "name": "", "reason": "Once more."}
    assert browser.post("/suspensions/", again).status_code == 302
    assert Suspension.objects.live().exists()


def test_a_code_does_as_well_and_once(ada: Person, clock: Traveller) -> None:
    browser = signs_in()
    secret, codes = adds_app(browser)
    later(clock)
    page = browser.post("/roles/create/", ROLE)
    assert 'name="again-code"' in page.content.decode()
    code = app_code(secret)
    assert browser.post("/roles/create/", {**ROLE, "again-code": code}).status_code == 302
    later(clock)
    body = {**ROLE, "name": "third"}
    assert browser.post("/roles/create/", {**body, "again-code": code}).status_code == 422
    assert browser.post("/roles/create/", {**body, "again-code": codes[0]}).status_code == 302


def test_proving_it_again_makes_no_strong_session_weak(ada: Person, clock: Traveller) -> None:
    browser = signs_in()
    adds_app(browser)
    later(clock)
    browser.post("/roles/create/", {**ROLE, "again-password": PASSWORD})
    assert Client.session.fget(browser)["sign_in"]["second_factor"] == "totp"  # type: ignore[attr-defined]


RISKY = {
    "give a grant": ("/grants/give/", {"role": "reader", "holder": "person:ada", "reason": "Why not."}),
    "register an agent": ("/agents/register/", {"name": "bot"}),
    "replace a secret": ("/agents/01900000-0000-7000-8000-000000000000/rotate-secret/", {"reason": "Why not."}),
    "add a person": ("/people/create/", PERSON),
    "new recovery codes": ("/account/security/recovery-codes/", {}),
    "remove the app": ("/account/security/app/remove/", {}),
    "remove a passkey": ("/account/security/passkeys/1/remove/", {}),
    "add an app": ("/account/security/app/", {"code": "1"}),
    "add a passkey": ("/account/security/passkeys/add/", {"passkey": "{}"}),
}


@pytest.mark.parametrize("what", RISKY)
def test_each_of_them_asks(ada: Person, clock: Traveller, what: str) -> None:
    url, body = RISKY[what]
    browser = signs_in()
    assert not asks(browser.post(url, body))
    later(clock)
    assert asks(browser.post(url, body))


def test_somebody_elses_reset_asks(ada: Person, clock: Traveller) -> None:
    eve = known("eve")
    adds_app(signs_in("eve"))
    browser = signs_in()
    later(clock)
    url = f"/people/{eve.public_id}/second-factors/reset/"
    page = browser.post(url, {"reason": "She lost her phone."})
    assert asks(page)
    browser.post(url, {**carried(page), "again-password": PASSWORD})
    record = Record.objects.get(event="second_factor.removed")
    assert (record.reason, record.after) == ("She lost her phone.", {"reset": ["recovery_codes", "totp"]})


def test_who_may_not_is_told_so_and_asked_nothing(ada: Person, clock: Traveller) -> None:
    known("eve")
    browser = signs_in("eve")
    later(clock)
    answer = browser.post("/roles/create/", ROLE)
    assert answer.status_code == 403
    assert "Is it you?" not in answer.content.decode()


def test_looking_at_a_page_asks_nothing(ada: Person, clock: Traveller) -> None:
    browser = signs_in()
    later(clock)
    assert browser.get("/roles/create/").status_code == 200


@pytest.fixture
def world(ada: Person) -> World:
    return World(ada).build()


def decide(browser: Client, review: Review, **more: str) -> Any:
    body = {"verdict": "approve", "digest": review.version.digest, "reason": "Read it.", **more}
    return browser.post(f"/reviews/{review.public_id}/", body)


def test_deciding_asks_on_a_production_server_and_on_no_other(world: World, clock: Traveller) -> None:
    browser = signs_in()
    adds_app(browser)
    later(clock)
    assert decide(browser, world.waiting("read")).status_code == 302
    Server.objects.update(environment="production")
    review = world.waiting("write")
    page = decide(browser, review)
    assert asks(page)
    glass = {"digest": review.version.digest, "reason": "Now.", "hours": "1"}
    assert asks(browser.post(f"/reviews/{review.public_id}/break-glass/", glass))
    ticked = {"review": f"{review.public_id} {review.version.digest}", "verdict": "approve", "reason": "Read it."}
    assert not asks(browser.post("/reviews/decide/", ticked))  # shows what it would be
    assert asks(browser.post("/reviews/decide/", {**ticked, "confirmed": "on"}))
    assert asks(browser.post(f"/definitions/{review.definition.public_id}/return/", {}))
    browser.post(f"/reviews/{review.public_id}/", {**carried(page), "again-password": PASSWORD})
    review.refresh_from_db()
    assert review.state == "approved"


def test_an_api_token_is_asked_nothing(ada: Person, clock: Traveller) -> None:
    from access.services import create_first_administrator

    _person, token = create_first_administrator(username="ada", password=PASSWORD)
    later(clock)
    answer = Client().post(
        "/api/v1/grants/",
        {"role": "reader", "person": "ada", "expires_at": None},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 201, answer.content
    assert Grant.objects.filter(role__name="reader").exists()
