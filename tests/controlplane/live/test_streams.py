"""Streams as a browser has them: what comes, who is told, and when they end."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from access.models import ConsoleSession, Person
from access.services import actor_for
from controlplane.live import hub
from core.permissions import Permission
from servers.models import Server
from servers.services import suspend_server
from tests.console.world import World, administrator
from tests.controlplane.live.watching import Console, Stream, ended_call, idle, listening, own_valkey, refused_call
from tests.factories import GrantFactory, MembershipFactory, RoleFactory, TeamFactory, person_with
from tests.gateway.world import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.allow_hosts(["127.0.0.1"])]


@pytest.fixture
def console(transactional_db: None) -> Iterator[Console]:
    with listening() as found:
        yield found


def test_a_call_and_a_refusal_arrive_as_they_are_recorded(console: Console) -> None:
    with console.stream(person_with(Permission.AUDIT_READ)) as stream:
        assert stream.answer.headers["content-type"] == "text/event-stream"
        assert "no-store" in stream.answer.headers["cache-control"]
        stream.next()
        ended_call("read")
        first = stream.calls()
        assert "files</bdi>/<bdi" in first
        assert "12 ms" in first
        refused_call("write")
        assert "no_grant" in stream.calls()


def test_filters_of_the_page_hold_for_its_stream(console: Console) -> None:
    with console.stream(person_with(Permission.AUDIT_READ), "calls=1&decision=denied") as stream:
        stream.next()
        ended_call("read")
        refused_call("write")
        rows = stream.calls()
        assert rows.count("<tr") == 1
        assert "no_grant" in rows


def test_a_reader_of_one_team_is_told_of_that_team_alone(console: Console) -> None:
    reader = person_with("mcp:connect")
    MembershipFactory.create(person=reader, team=TeamFactory.create(slug="blue"))
    GrantFactory.create(role=RoleFactory.create(scopes=[str(Permission.AUDIT_READ)], reach="own_teams"), person=reader)
    with console.stream(reader) as stream:
        stream.next()
        ended_call("secret", owner_team="red")
        ended_call("plain", owner_team="blue")
        rows = stream.calls()
        assert "plain" in rows
        assert "secret" not in rows


def test_who_may_not_read_the_log_is_told_of_no_call(console: Console) -> None:
    with console.stream(person_with(Permission.SERVER_READ)) as stream:
        stream.next()
        ended_call()
        console.leaving = True
        assert not [line for line in stream.rest() if "calls" in line]


def test_counts_and_the_health_of_servers_come_over_the_same_stream(console: Console) -> None:
    world = World(administrator()).build()
    with console.stream(world.admin, "calls=1&health=1") as stream:
        assert stream.next()["counts"]["inbox"] == 2
        world.approve()
        world.settle()
        said: dict[str, Any] = {}
        while "counts" not in said:
            said = stream.next()
        assert said["counts"]["inbox"] == 1
        suspend_server(slug="files", actor=world.actor, reason="An exercise.")
        world.settle()
        while said and "suspended" not in str(said.get("health")):
            said = stream.next()
        assert "suspended" in said["health"]["files"]
        assert Server.objects.get(slug="files").state == "suspended"


def signs_out(person: Person, stream: Stream) -> None:
    stream.browser.post("/sign-out/")


def is_deactivated(person: Person, _stream: Stream) -> None:
    Person.objects.filter(pk=person.pk).update(is_active=False)


def has_another_password(person: Person, _stream: Stream) -> None:
    person.set_password("quite another long password")
    person.save()


def does_nothing(person: Person, _stream: Stream) -> None:
    idle(person)


def is_ended(person: Person, _stream: Stream) -> None:
    ConsoleSession.objects.filter(person=person).delete()


@pytest.mark.parametrize("ends", [signs_out, is_deactivated, has_another_password, does_nothing, is_ended])
def test_a_stream_ends_with_the_session_that_it_was_opened_in(
    console: Console, ends: Callable[[Person, Stream], None]
) -> None:
    person = person_with(Permission.AUDIT_READ)
    with console.stream(person) as stream:
        stream.next()
        ends(person, stream)
        stream.rest()  # it is over, or this waits for ever
    until(lambda: len(console.hub) == 0)


def test_rights_that_are_taken_away_show_no_more_calls(console: Console) -> None:
    person = person_with(Permission.AUDIT_READ)
    with console.stream(person) as stream:
        stream.next()
        person.grants.all().delete()
        until(lambda: not [each for each in console.hub.viewers() if each.actor.permissions])
        ended_call()
        console.leaving = True
        assert not [line for line in stream.rest() if "calls" in line]


def test_a_process_that_stops_ends_its_streams_and_begins_none(console: Console) -> None:
    person = person_with(Permission.AUDIT_READ)
    with console.stream(person) as stream:
        stream.next()
        console.leaving = True
        stream.rest()
    with console.stream(person) as stream:
        assert stream.answer.status_code == 503


def test_a_person_has_so_many_streams_and_no_more(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "STREAMS_EACH", 1)
    person = person_with(Permission.AUDIT_READ)
    with console.stream(person), console.stream(person) as second, console.stream(person_with()) as other:
        assert (second.answer.status_code, other.answer.status_code) == (429, 200)
        assert console.asked(person) == 429


def test_asking_why_opens_no_stream(console: Console) -> None:
    person = person_with(Permission.AUDIT_READ)
    assert [console.asked(person) for _ in range(hub.STREAMS_EACH + 1)] == [200] * (hub.STREAMS_EACH + 1)
    assert len(console.hub) == 0


def test_a_process_has_so_many_streams_and_no_more(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "STREAMS", 1)
    with console.stream(person_with()), console.stream(person_with()) as second:
        assert second.answer.status_code == 503


def test_calls_arrive_while_valkey_is_away_and_when_it_is_back(console: Console) -> None:
    """A stream reads the database alone: no call is lost or told twice, and a change goes on to be told as well."""
    world = World(administrator()).build()
    with own_valkey() as valkey, console.stream(world.admin, "calls=1&health=1") as stream:
        stream.next()
        told: list[str] = []
        for moment in (None, valkey.stop, valkey.start):
            if moment:
                moment()
            ended_call(f"tool-{len(told)}")
            told.append(stream.calls())
        assert [rows.count("<tr") for rows in told] == [1, 1, 1]
        assert all(f"tool-{number}<" in rows for number, rows in enumerate(told))
        valkey.stop()
        suspend_server(slug="files", actor=world.actor, reason="An exercise.")
        world.settle()
        said: dict[str, Any] = {"counts": {}}
        while said and "suspended" not in str(said.get("health")):
            said = stream.next()
        assert said


def test_a_stream_is_no_use_of_its_session(console: Console) -> None:
    person = person_with(Permission.AUDIT_READ)
    with console.stream(person) as stream:
        stream.next()
        seen = ConsoleSession.objects.get(person=person).last_seen_at
        ConsoleSession.objects.filter(person=person).update(last_seen_at=seen.replace(year=2020))
        stream.browser.get("/live/", headers={"Accept": "text/event-stream"})
    assert not ConsoleSession.objects.live().filter(person=person).exists()


def test_who_turned_it_off_or_has_no_session_gets_no_stream(console: Console) -> None:
    browser = Client()
    assert browser.get("/live/").status_code == 302
    browser.force_login(person_with(Permission.AUDIT_READ))
    browser.cookies["live"] = "off"
    assert browser.get("/live/").status_code == 204
    assert actor_for(person_with(Permission.AUDIT_READ)).may(Permission.AUDIT_READ)
