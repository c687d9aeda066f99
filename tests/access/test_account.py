"""Second factors: setting them up, signing in by them, and that nothing goes round them."""

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib import auth
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone
from time_machine import travel

from access.account.signing_in import QUESTIONS_PER_MINUTE
from access.models import ConsoleSession, FailedSignIn, Person
from access.second_factor_adapter import Adapter, offers_passkeys
from access.services import suspend, target_of
from access.services.attempts import CODE_LIMIT, WINDOW
from access.services.sign_in import SECOND_STEP
from access.suspended import SuspensionKind
from audit.models import Record
from controlplane import routes
from core.errors import Unavailable
from tests.access.doors import SETUP
from tests.access.signing_in import (
    PASSWORD,
    adds_app,
    app_code,
    codes_on,
    is_signed_in,
    known,
    seed_on,
    signs_in,
)

pytestmark = pytest.mark.django_db
SECOND_STEP_URL = "/sign-in/second-step/"


@pytest.fixture
def ada(db: None) -> Person:
    return known()


def second_step(browser: Client, code: str, **more: Any) -> Any:
    return browser.post(SECOND_STEP_URL, {"code": code, **more})


def events(name: str) -> list[Record]:
    return list(Record.objects.filter(event=name).order_by("pk"))


def test_an_app_is_asked_for_from_the_next_sign_in_on(ada: Person) -> None:
    secret, _codes = adds_app(signs_in())
    browser = Client()
    answer = browser.post("/sign-in/", {"username": "ada", "password": PASSWORD, "next": "/agents/?q=x"})
    assert answer["Location"].startswith(f"{SECOND_STEP_URL}?next=%2Fagents%2F")
    assert not is_signed_in(browser)
    page = browser.get(answer["Location"])
    assert 'value="/agents/?q=x"' in page.content.decode()
    answer = second_step(browser, app_code(secret), next="/agents/?q=x")
    assert answer["Location"] == "/agents/?q=x"
    assert is_signed_in(browser)
    assert [record.after for record in events("second_factor.used")] == [{"kind": "totp"}]
    assert [record.after for record in events("second_factor.added")] == [{"kind": "totp"}]


def test_a_password_alone_opens_no_page_of_somebody_with_a_second_factor(ada: Person) -> None:
    adds_app(signs_in())
    browser = signs_in()
    for url in ("/", "/account/security/", "/account/security/app/", "/people/", "/preferences/"):
        assert browser.get(url)["Location"].startswith("/sign-in/?next="), url


def test_every_door_that_could_begin_a_session_asks_for_the_second_factor(ada: Person) -> None:
    """All routes that ask for nobody, by every method, with the right password and without: none signs in."""
    adds_app(signs_in())
    doors = {route.path for route in routes._all() if route.name in routes.OPEN and "{" not in route.path}
    assert {"/sign-in/", "/login/", "/sign-in/passkey/", SECOND_STEP_URL} <= doors | {"/login/"}
    body = {"username": "ada", "password": PASSWORD, "code": "000000", "passkey": "{}", "login": "ada"}
    for door in sorted(doors):
        for start in (Client, signs_in):
            browser = start()
            browser.get(door, body)
            browser.post(door, body)
            assert not is_signed_in(browser), door
    assert not ConsoleSession.objects.filter(person=ada, second_factor="").exists()


def test_no_page_of_the_library_is_mounted(ada: Person) -> None:
    for path in ("accounts/", "accounts/login/", "accounts/signup/", "accounts/2fa/", "account/2fa/authenticate/"):
        assert Client().get(f"/{path}").status_code == 404
    assert not [name for name in routes.names() if "account_" in name or "mfa_" in name]


def test_the_table_refuses_a_session_that_goes_round_it(ada: Person) -> None:
    adds_app(signs_in())
    with pytest.raises(IntegrityError, match="second factor"), transaction.atomic():
        Client().force_login(ada)


def test_a_code_is_used_once(ada: Person) -> None:
    secret, _codes = adds_app(signs_in())
    code = app_code(secret)
    assert second_step(signs_in(), code).status_code == 302
    answer = second_step(signs_in(), code)
    assert answer.status_code == 422
    assert "wrong or was used already" in answer.content.decode()
    assert len(events("second_factor.failed")) == 1


def test_the_code_that_set_an_app_up_is_used_already(ada: Person) -> None:
    browser = signs_in()
    secret = seed_on(browser.get("/account/security/app/"))
    code = app_code(secret)
    browser.post("/account/security/app/", {"code": code})
    assert second_step(signs_in(), code).status_code == 422


def test_an_older_code_does_not_count_after_a_newer_one(ada: Person) -> None:
    secret, _codes = adds_app(signs_in())
    with travel(timezone.now() + timedelta(minutes=5), tick=False):
        assert second_step(signs_in(), app_code(secret, step=1)).status_code == 302
        assert second_step(signs_in(), app_code(secret, step=0)).status_code == 422


@pytest.mark.parametrize("spelled", ["{0}", "{0} ", "{1} {2}", "{1}-{2}"])
def test_a_code_may_be_typed_as_apps_show_it(ada: Person, spelled: str) -> None:
    secret, _codes = adds_app(signs_in())
    code = app_code(secret)
    assert second_step(signs_in(), spelled.format(code, code[:3], code[3:])).status_code == 302


@pytest.mark.parametrize(
    "code",
    [
        "",
        "0",
        "abcdef",
        "\0",
        "\ud800",
        "\uff11\uff12\uff13\uff14\uff15\uff16",
        "9" * 41,
        "9" * 1_000_000,
        "'; --",
        "-" * 10,
        "%00",
    ],
)
def test_whatever_is_no_code_signs_nobody_in(ada: Person, code: str) -> None:
    adds_app(signs_in())
    browser = signs_in()
    answer = second_step(browser, code.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
    assert answer.status_code in {400, 422}
    assert not is_signed_in(browser)


def test_five_wrong_codes_lock_the_second_step_for_a_while_from_everywhere(ada: Person) -> None:
    with travel(1_800_000_000, tick=False) as clock:
        secret, _codes = adds_app(signs_in())
        for _ in range(CODE_LIMIT):
            assert second_step(signs_in(), "000000").status_code == 422
        browser = signs_in()
        assert second_step(browser, app_code(secret)).status_code == 429
        assert browser.post(SECOND_STEP_URL, {"code": app_code(secret)}, REMOTE_ADDR="192.0.2.9").status_code == 429
        clock.shift(WINDOW + timedelta(seconds=1))
        assert second_step(signs_in(), app_code(secret)).status_code == 302
    reasons = [record.reason for record in events("second_factor.failed")]
    assert reasons == ["wrong code"] * CODE_LIMIT + ["too many attempts"]
    assert not FailedSignIn.objects.exists()


def test_the_second_step_waits_for_minutes_and_no_longer(ada: Person) -> None:
    with travel(1_800_000_000, tick=False) as clock:
        secret, _codes = adds_app(signs_in())
        browser = signs_in()
        clock.shift(SECOND_STEP + timedelta(seconds=1))
        answer = second_step(browser, app_code(secret), next="/agents/")
        assert answer["Location"] == "/sign-in/?next=/agents/"
        assert not is_signed_in(browser)


def test_a_new_password_ends_a_second_step_that_waits(ada: Person) -> None:
    secret, _codes = adds_app(signs_in())
    browser = signs_in()
    ada.set_password("another long password")
    ada.save()
    assert second_step(browser, app_code(secret))["Location"].startswith("/sign-in/")


def test_who_was_deactivated_does_not_get_past_the_second_step(ada: Person) -> None:
    secret, _codes = adds_app(signs_in())
    browser = signs_in()
    Person.objects.update(is_active=False)
    assert second_step(browser, app_code(secret))["Location"].startswith("/sign-in/")
    assert not is_signed_in(browser)


def test_who_is_suspended_gets_past_no_step(ada: Person) -> None:
    secret, _codes = adds_app(signs_in())
    browser = signs_in()
    known("boss", admin=True)  # there is always an administrator
    suspend(target=target_of(kind=SuspensionKind.PERSON, name="ada"), actor=SETUP, reason="Stop.")
    assert second_step(browser, app_code(secret))["Location"].startswith("/sign-in/")
    assert not is_signed_in(browser)


def test_the_session_has_another_key_after_each_step(ada: Person) -> None:
    secret, _codes = adds_app(signs_in())
    browser = Client()
    seen = []
    browser.post("/sign-in/", {"username": "ada", "password": PASSWORD})
    seen.append(browser.session.session_key)
    second_step(browser, app_code(secret))
    seen.append(browser.session.session_key)
    assert len(set(seen)) == 2
    assert ConsoleSession.objects.filter(person=ada).count() == 2  # that of the set-up, and this


def test_a_recovery_code_stands_in_once(ada: Person) -> None:
    _secret, codes = adds_app(signs_in())
    browser = signs_in()
    assert second_step(browser, codes[3]).status_code == 302
    assert second_step(signs_in(), codes[3]).status_code == 422
    assert "9 codes are left" in browser.get("/account/security/").content.decode()
    assert events("second_factor.used")[0].after == {"kind": "recovery_code"}


def test_new_recovery_codes_end_the_old_ones(ada: Person) -> None:
    browser = signs_in()
    _secret, old = adds_app(browser)
    new = codes_on(browser.post("/account/security/recovery-codes/"))
    assert len(new) == 10
    assert not set(new) & set(old)
    assert second_step(signs_in(), old[0]).status_code == 422
    assert second_step(signs_in(), new[0]).status_code == 302


def test_recovery_codes_stand_in_for_a_factor_and_are_none(ada: Person) -> None:
    browser = signs_in()
    browser.post("/account/security/recovery-codes/")
    assert not Authenticator.objects.exists()


def test_a_wrong_first_code_adds_nothing_and_shows_the_same_seed(ada: Person) -> None:
    browser = signs_in()
    secret = seed_on(browser.get("/account/security/app/"))
    answer = browser.post("/account/security/app/", {"code": "000000"})
    assert answer.status_code == 422
    assert seed_on(answer) == secret
    assert not Authenticator.objects.exists()


def test_the_picture_is_drawn_without_style_or_script(ada: Person) -> None:
    browser = signs_in()
    page = browser.get("/account/security/app/").content.decode()
    drawn = re.search(r'<svg class="qr".*?</svg>', page)
    assert drawn is not None
    assert "style" not in drawn[0]
    assert drawn[0].count("h1v1h-1z") > 200


def test_adding_a_factor_ends_the_other_sessions_and_not_this_one(ada: Person) -> None:
    elsewhere, browser = signs_in(), signs_in()
    adds_app(browser)
    assert is_signed_in(browser)
    assert not is_signed_in(elsewhere)
    assert ConsoleSession.objects.get(person=ada).second_factor == "totp"
    assert [record.after for record in events("session.ended")] == [{"sessions": 1}]


def test_without_the_app_the_password_alone_signs_in_again(ada: Person) -> None:
    browser = signs_in()
    adds_app(browser)
    browser.post("/account/security/app/remove/")
    assert not Authenticator.objects.exists()
    assert is_signed_in(signs_in())
    assert events("second_factor.removed")[0].after == {"kind": "totp"}


def test_there_is_one_app_at_a_time(ada: Person) -> None:
    browser = signs_in()
    adds_app(browser)
    secret = seed_on(browser.get("/account/security/app/"))
    assert browser.post("/account/security/app/", {"code": app_code(secret)}).status_code == 409


@pytest.mark.parametrize("path", ["app/remove/", "passkeys/1/remove/", "passkeys/9223372036854775807/remove/"])
def test_what_is_not_there_cannot_be_removed(ada: Person, path: str) -> None:
    assert signs_in().post(f"/account/security/{path}").status_code == 404


def test_nobody_removes_a_passkey_of_somebody_else(ada: Person) -> None:
    other = known("eve")
    row = Authenticator.objects.create(user=other, type="webauthn", data={"name": "hers", "credential": {}})
    assert signs_in().post(f"/account/security/passkeys/{row.pk}/remove/").status_code == 404
    assert Authenticator.objects.filter(pk=row.pk).exists()


def test_no_seed_and_no_code_stands_in_the_database_in_plain(ada: Person, django_db_blocker: Any) -> None:
    browser = signs_in()
    waiting = seed_on(browser.get("/account/security/app/"))
    held = _everything_stored()
    assert waiting not in held
    secret, codes = adds_app(browser)
    second_step(signs_in(), codes[0])
    held = _everything_stored()
    for said in (
        secret,
        *codes,
        *(code.replace("-", "") for code in codes),
        browser.cookies["session"].value,
        PASSWORD,
    ):
        assert said not in held


def _everything_stored() -> str:
    """All rows of all tables as text; what a session holds is decoded, for it is only packed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
        tables = [name for (name,) in cursor.fetchall()]
        texts = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            texts += [text for (text,) in cursor.fetchall()]
    from access.sessions import SessionStore

    texts += [str(SessionStore().decode(row.session_data)) for row in ConsoleSession.objects.all()]
    return "\n".join(texts)


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("totp", {"secret": "JBSWY3DPEHPK3PXP"}),
        ("totp", {}),
        ("recovery_codes", {"seed": "ab12", "used_mask": 0}),
        ("recovery_codes", {"migrated_codes": ["12345678"]}),
    ],
)
def test_the_table_refuses_a_seed_in_plain(ada: Person, type_: str, data: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="second_factor_not_in_plain"), transaction.atomic():
        Authenticator.objects.create(user=ada, type=type_, data=data)


def test_the_table_refuses_a_session_key_in_plain(ada: Person) -> None:
    with pytest.raises(IntegrityError, match="console_session_key_is_sha256"), transaction.atomic():
        ConsoleSession.objects.create(
            session_key="k" * 32, session_data="", expire_date=timezone.now(), public_id=ada.public_id
        )


def test_a_seed_of_another_key_is_a_sentence_and_no_crash(ada: Person, settings: Any) -> None:
    adds_app(signs_in())
    settings.SECRETS_KEY = b"1" * 32
    with pytest.raises(Unavailable, match="key has changed"):
        Adapter().decrypt(Authenticator.objects.get(type="totp").data["secret"])
    browser = signs_in()
    answer = second_step(browser, "123456")
    assert answer.status_code == 503
    assert "Somebody who manages people" in answer.content.decode()


@pytest.mark.parametrize(
    ("url", "offered"),
    [
        ("https://holdfast.example", True),
        ("https://holdfast.example:8443", True),
        ("http://localhost:8000", True),
        ("http://127.0.0.1:8000", False),
        ("http://[::1]:8000", False),
        ("https://192.0.2.1", False),
        ("http://holdfast.example", False),
    ],
)
def test_passkeys_are_offered_where_browsers_make_them(settings: Any, url: str, *, offered: bool) -> None:
    settings.PUBLIC_URL = url
    assert offers_passkeys() is offered


GARBAGE = [
    "", "{}", "[]", "null", "1", '"x"', "{", "\0", "{" * 10_000, "[" * 100_000, "9" * 30_000,
    '{"id": 1, "rawId": 2, "type": "public-key", "response": 3}',
    '{"id": "YQ", "rawId": "YQ", "type": "public-key", "response": {}}',
    '{"id": "YQ", "rawId": "YQ", "type": "public-key", "response": {"userHandle": 1}}',
    '{"id": "YQ", "rawId": "YQ", "type": "public-key", "response": {"userHandle": "!!!"}}',
    '{"id": "YQ", "rawId": "YQ", "type": "public-key", "response": {"clientDataJSON": "YQ", "attestationObject": "YQ"}}',
    '{"id": "YQ", "rawId": "YQ", "response": {"clientDataJSON": "e30", "authenticatorData": "YQ", "signature": "YQ"}}',
    '{"id": "YQ", "rawId": "YQ", "type": "public-key", "response": {"clientDataJSON": "e30", "attestationObject": "oA"}}',
]  # fmt: skip


@pytest.mark.parametrize("answer", GARBAGE, ids=range(len(GARBAGE)))
def test_no_answer_of_a_browser_whatever_breaks_anything(ada: Person, settings: Any, answer: str) -> None:
    settings.PUBLIC_URL = "http://localhost:8000"
    stranger = Client()
    assert stranger.post("/sign-in/passkey/options/").json()["publicKey"]["rpId"] == "localhost"
    assert stranger.post("/sign-in/passkey/", {"passkey": answer}).status_code in {400, 422}
    browser = signs_in()
    assert "data-options" in browser.get("/account/security/passkeys/add/").content.decode()
    assert browser.post("/account/security/passkeys/add/", {"passkey": answer}).status_code in {400, 422}
    secret, _codes = adds_app(browser)
    waiting = signs_in()
    assert waiting.post(SECOND_STEP_URL, {"passkey": answer}).status_code in {400, 422}
    assert not is_signed_in(stranger)
    assert not is_signed_in(waiting)
    assert second_step(waiting, app_code(secret)).status_code == 302


def test_questions_for_passkeys_are_limited_for_an_address(settings: Any) -> None:
    settings.PUBLIC_URL = "http://localhost:8000"
    asked = [Client().post("/sign-in/passkey/options/").status_code for _ in range(QUESTIONS_PER_MINUTE + 1)]
    assert asked == [200] * QUESTIONS_PER_MINUTE + [429]


def test_an_answer_without_a_question_is_none(ada: Person) -> None:
    answer = Client().post("/sign-in/passkey/", {"passkey": GARBAGE[6]})
    assert answer.status_code == 422
    assert "does not sign you in" in answer.content.decode()
    assert events("person.sign_in_failed")[0].reason == "wrong passkey"


def test_one_address_is_limited_over_all_names_and_one_name_over_all_addresses(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("access.services.attempts.ADDRESS_LIMIT", 4)
    monkeypatch.setattr("access.services.attempts.NAME_LIMIT", 6)
    known("eve")

    def tries(name: str, address: str, password: str = "wrong") -> int:
        return int(
            Client().post("/sign-in/", {"username": name, "password": password}, REMOTE_ADDR=address).status_code
        )

    assert [tries(f"name{number}", "192.0.2.1") for number in range(5)] == [422] * 4 + [429]
    assert tries("eve", "192.0.2.1", PASSWORD) == 429
    assert tries("eve", "192.0.2.2", PASSWORD) == 302
    assert [tries("ada", f"198.51.100.{number}") for number in range(7)] == [422] * 6 + [429]
    assert tries("ada", "198.51.100.99", PASSWORD) == 429
    assert tries("eve", "198.51.100.99", PASSWORD) == 302
    limited = Record.objects.filter(event="person.sign_in_failed", reason="too many attempts")
    assert limited.count() == 2


def test_who_signs_in_rightly_uses_up_no_ones_attempts(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.services.attempts.ADDRESS_LIMIT", 3)
    for _ in range(5):
        assert is_signed_in(signs_in())
    assert not FailedSignIn.objects.exists()


def test_signing_in_anew_is_not_what_an_old_cookie_does(ada: Person) -> None:
    browser = signs_in()
    cookie = browser.cookies["session"].value
    browser.post("/sign-out/")
    thief = Client()
    thief.cookies["session"] = cookie
    assert not is_signed_in(thief)
    assert auth.SESSION_KEY not in thief.session
