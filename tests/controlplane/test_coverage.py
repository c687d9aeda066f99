"""Nobody changes anything, or tries to, without a record: every route that can, with every way in which it can end.

What a gateway's requests leave is in tests/gateway/test_coverage.py.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path, reverse
from django.views.decorators.http import require_POST

from access.services import Holder, give_grant
from audit.events import Event
from audit.models import Record
from controlplane import urls
from controlplane.routes import API, OPEN, Route, routes
from core.console import page
from core.sampling import Sampler
from servers.surface import Problem, Surface
from tests import databases
from tests.access.doors import SETUP, Api
from tests.controlplane.two_of_everything import MINE, THEIRS, Doors, Installation
from tests.factories import PersonFactory
from tests.tools.making import failing

# A conflict is the same request a second time, so it follows what is allowed.
OUTCOMES: Final = (("allowed", "conflict"), ("denied",), ("invalid",), ("missing",), ("unauthenticated",))
# Routes whose requests leave nothing, or only where they are refused; each with its reason.
EXCUSED: Final = {
    "access:preferences": "Cookies of whoever sends it, and nothing of ours.",
    "access:end_other_sessions": "Where there is another one its end is recorded; here there is none.",
    "api:policy-try": "Says what a policy would do, and changes nothing.",
    "api:role-preview": "Says what a change would do, and changes nothing.",
    "api:server-poll": "Asks for a look now; the look records what it finds.",
}
OPEN_EXCUSED: Final = {
    "access_oauth:ServerMetadata": "Reads only.",
    "access_oauth:metadata": "Reads only.",
    "api:schema": "Reads only.",
    "healthz": "Reads only.",
    "readyz": "Reads only.",
}
# Routes whose request leaves nothing where there is nothing to do, because all is as it asks for.
IDLE: Final = {
    "access:end_sessions": "Nobody is signed in there.",
    "api:definition-sensitive": "It is marked already.",
    "api:person-end-sessions": "Nobody is signed in there.",
    "api:review-assign": "They look at it already.",
    "tools:assign": "They look at it already.",
    "tools:mark_sensitive": "It is marked already.",
    "tools:poll": "What the look finds is what is known already.",
}
NOBODY: Final = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def installation(django_db_setup: None, django_db_blocker: Any) -> Iterator[Installation]:
    """In a database of its own: building it is most of what a test here would cost."""
    with databases.filled_copy(django_db_blocker, Installation) as found:
        yield found


@pytest.fixture
def world(installation: Installation, db: None, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """What a test does to it is taken back."""
    monkeypatch.setattr("servers.observe.observe", unanswered)
    everybody_is_sampled(monkeypatch)
    return installation


def everybody_is_sampled(patch: pytest.MonkeyPatch) -> None:
    everything = Sampler(limit=10**9, window=60)
    patch.setattr("controlplane.middleware._STRANGERS", everything)
    for place in ("views._STRANGERS", "register._STRANGERS", "authorize._REFUSALS"):
        patch.setattr(f"access.oauth.{place}", everything)


async def unanswered(*_args: Any, **_options: Any) -> Surface:
    return failing(Problem.REFUSED)


def changing() -> list[Route]:
    """What can change something."""
    return [route for route in routes() if route.method != "GET"]


class Trial:
    """Everybody who may knock, and what was left in the log by it."""

    def __init__(self, world: Installation, *outcomes: str) -> None:
        person = PersonFactory.create(username="tried")
        if "denied" not in outcomes:
            give_grant(role="administrator", holder=Holder(person="tried"), actor=SETUP, reason="A test.")
        self.outcomes = outcomes
        self.fitting: tuple[str, Any] = ("", None)  # the request that is made again
        self.doors = Doors(world, person)
        self.browser = Client(raise_request_exception=False)

    def silent(self, route: Route) -> list[str]:
        """The attempts, with how each was answered, of which no record is left."""
        mark = transaction.savepoint()
        try:
            return [each for outcome in self.outcomes if (each := self._attempt(route, outcome))]
        finally:
            transaction.savepoint_rollback(mark)

    def _attempt(self, route: Route, outcome: str) -> str:
        before = Record.objects.count()
        answer = getattr(self, outcome)(route)
        left = Record.objects.count() - before
        is_idle = route.name in IDLE and answer.status_code < 400
        return "" if left > 0 or is_idle else f"{route} ({route.name}): {outcome}, answered {answer.status_code}"

    def allowed(self, route: Route) -> Any:
        self.fitting = self.doors.fitting(route, MINE)
        return self._enter_fittingly(route)

    def conflict(self, route: Route) -> Any:
        """The same request a second time."""
        return self._enter_fittingly(route)

    def _enter_fittingly(self, route: Route) -> Any:
        address, body = self.fitting
        return self.doors.enter(route, MINE, address=address, body=body)

    def denied(self, route: Route) -> Any:
        return self.doors.enter(route, THEIRS)

    def invalid(self, route: Route) -> Any:
        return self.doors.enter(route, MINE, body={"reason": "", "nonsense": "\0"})

    def missing(self, route: Route) -> Any:
        return self.doors.enter(route, MINE, address=re.sub(r"\{\w+\}", NOBODY, route.path))

    def unauthenticated(self, route: Route) -> Any:
        address = re.sub(r"\{\w+\}", NOBODY, route.path)
        if route.door == API:
            return Api(None).send(route.method, address.removeprefix("/api/v1/"), {})
        return self.browser.post(address, {})


@pytest.mark.parametrize("outcomes", OUTCOMES, ids=" and ".join)
def test_no_route_and_no_outcome_is_silent(world: Installation, outcomes: tuple[str, ...]) -> None:
    trial = Trial(world, *outcomes)
    silent = [each for route in changing() if route.name not in EXCUSED for each in trial.silent(route)]
    assert not silent, "\n".join(silent)


def test_what_is_excused_exists() -> None:
    assert EXCUSED.keys() | IDLE.keys() <= {route.name for route in changing()}
    assert OPEN_EXCUSED.keys() <= OPEN.keys()


def test_no_route_that_asks_for_nobody_is_silent(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What strangers may send leaves a record when it is refused, each time or as a sample."""
    everybody_is_sampled(monkeypatch)
    settings.DYNAMIC_REGISTRATION = "open"
    browser, found = Client(raise_request_exception=False), []
    for name in sorted(OPEN.keys() - OPEN_EXCUSED.keys()):
        before = Record.objects.count()
        address = "/api/v1/nothing/" if name == "api:no-such-route" else reverse(name)
        answer = browser.post(address, {"username": "nobody", "password": "wrong"})
        found += [] if Record.objects.count() > before else [f"{name}: answered {answer.status_code}"]
    assert not found, "\n".join(found)


@require_POST
@page()
def silent(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@require_POST
@page()
def broken(request: HttpRequest) -> HttpResponse:
    raise ValueError


urlpatterns = [path("silent/", silent, name="silent"), path("broken/", broken, name="broken"), path("", include(urls))]


def test_a_silent_route_fails_this_test_and_a_broken_one_is_on_record(world: Installation) -> None:
    with override_settings(ROOT_URLCONF=__name__):
        trial = Trial(world, "allowed")
        planted = [route for route in changing() if route.name in ("silent", "broken")]
        assert len(planted) == 2
        assert [trial.silent(route) for route in planted] == [[], ["POST /silent/ (silent): allowed, answered 200"]]


def test_whoever_is_known_is_recorded_each_time_and_strangers_in_a_sample(
    world: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlplane.middleware._STRANGERS", Sampler(limit=3, window=60))
    trial = Trial(world, "denied")
    route = next(route for route in changing() if route.name == "api:team-list")
    refused = Record.objects.filter(event=Event.REQUEST_REFUSED.value)
    for _ in range(5):
        trial.unauthenticated(route)
        trial.invalid(route)
    assert refused.filter(actor="anonymous").count() == 3
    assert Record.objects.exclude(actor="anonymous").filter(subject="page:/api/v1/teams/").count() == 5


def test_a_refused_form_says_who_sent_it_and_nothing_of_what_was_typed(world: Installation) -> None:
    trial = Trial(world, "missing")
    route = next(route for route in changing() if route.name == "access:resume_agent")
    answer = trial.doors.enter(route, MINE, body={"reason": "a secret"})
    record = Record.objects.filter(event=Event.REQUEST_REFUSED.value).newest_first()[0]
    assert answer.status_code == 302  # the next page says what was wrong
    assert (record.reason, record.after) == ("conflict", {"method": "POST", "status": 302})
    assert record.client_ip == "127.0.0.1"
    assert b"a secret" not in bytes(record.body)
