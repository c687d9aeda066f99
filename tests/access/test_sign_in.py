"""Signing in and out of the console."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import auth
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from time_machine import travel

from access import services
from access.middleware import ActorMiddleware
from access.models import FailedSignIn, Person
from access.services.attempts import LIMIT, WINDOW
from access.sessions import SessionStore
from audit.models import Record
from core.actor import ANONYMOUS, Actor
from core.errors import Invalid
from tests.factories import person_with

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"


@pytest.fixture
def ada(db: None) -> Person:
    person = person_with("server:read", username="ada")
    person.set_password(PASSWORD)
    person.save()
    return person


def request_from(address: str = "192.0.2.1", session: Any = None) -> HttpRequest:
    request = RequestFactory().post("/sign-in/", REMOTE_ADDR=address)
    request.session = session or SessionStore()
    request.user = auth.get_user(request)
    return request


def fail(username: str = "ada", address: str = "192.0.2.1") -> None:
    with pytest.raises(Invalid):
        services.sign_in(request=request_from(address), username=username, password="wrong")


def seen_actor(request: HttpRequest) -> Actor:
    seen: list[Actor] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request.actor)  # type: ignore[attr-defined]  # ours
        return HttpResponse()

    ActorMiddleware(view)(request)
    return seen[0]


def test_the_right_password_starts_a_session_of_its_own(ada: Person) -> None:
    request = request_from()
    request.session["kept"] = True
    request.session.save()
    before = request.session.session_key
    assert services.sign_in(request=request, username="ADA", password=PASSWORD) == ada
    assert request.session.session_key != before
    assert request.user == ada
    assert seen_actor(request).permissions == {"server:read"}
    record = Record.objects.get(event="person.signed_in")
    assert (record.type, record.decision, record.client_ip) == ("auth", "allowed", "192.0.2.1")


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("ada", "wrong"),
        ("ada", ""),
        ("absent", PASSWORD),
        ("a\0", PASSWORD),
        ("ada", "\0"),
        ("", ""),
        ("x" * 10_000, "y"),
        ("\ud800", "\ud800"),
        ("my password", ""),
    ],
)
def test_a_failure_is_recorded_without_what_was_typed(ada: Person, username: str, password: str) -> None:
    with pytest.raises(Invalid):
        services.sign_in(request=request_from(), username=username, password=password)
    record = Record.objects.get(event="person.sign_in_failed")
    assert (record.type, record.decision, record.principal) == ("auth", "denied", "anonymous")
    assert "password" not in f"{record.subject}{record.after}"


def test_a_deactivated_person_cannot_sign_in(ada: Person) -> None:
    Person.objects.update(is_active=False)
    with pytest.raises(Invalid):
        services.sign_in(request=request_from(), username="ada", password=PASSWORD)


def test_ten_failures_lock_that_name_from_that_address_for_a_while(ada: Person) -> None:
    with travel(1_800_000_000, tick=False) as clock:
        for _ in range(LIMIT):
            fail()
        with pytest.raises(services.TooManyAttempts):
            services.sign_in(request=request_from(), username="Ada", password=PASSWORD)
        services.sign_in(request=request_from("192.0.2.2"), username="ada", password=PASSWORD)
        clock.shift(WINDOW + timedelta(seconds=1))
        services.sign_in(request=request_from(), username="ada", password=PASSWORD)
    assert not FailedSignIn.objects.exists()


def test_success_forgets_earlier_failures(ada: Person) -> None:
    fail()
    services.sign_in(request=request_from(), username="ada", password=PASSWORD)
    assert not FailedSignIn.objects.exists()


def test_signing_out_ends_the_session_and_is_recorded(ada: Person) -> None:
    request = request_from()
    services.sign_in(request=request, username="ada", password=PASSWORD)
    services.sign_out(request=request)
    assert not request.user.is_authenticated
    assert Record.objects.filter(event="person.signed_out").count() == 1
    services.sign_out(request=request)
    assert Record.objects.filter(event="person.signed_out").count() == 1


def test_whoever_has_no_session_is_nobody_and_costs_no_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert seen_actor(request_from()) is ANONYMOUS


def test_deactivation_ends_a_running_session(ada: Person) -> None:
    request = request_from()
    services.sign_in(request=request, username="ada", password=PASSWORD)
    request.session.save()
    Person.objects.update(is_active=False)
    again = request_from(session=SessionStore(request.session.session_key))
    assert seen_actor(again) is ANONYMOUS
    assert auth.SESSION_KEY not in again.session


def test_a_new_password_ends_running_sessions(ada: Person) -> None:
    request = request_from()
    services.sign_in(request=request, username="ada", password=PASSWORD)
    request.session.save()
    services.set_password(username="ada", password="another long password", actor=services.actor_for(ada))
    assert seen_actor(request_from(session=SessionStore(request.session.session_key))) is ANONYMOUS
