"""A server's page says how it answered: its looks by day and how long its calls took, drawn and as a table."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from audit.drafts import RecordDraft
from audit.events import Event, RecordType
from core.permissions import Permission
from servers.days import looks_of, note_look
from servers.models import HealthDay, Server
from tests.console.world import Page, World
from tests.factories import person_with
from tests.tools.making import card, poll
from tests.tools.records import counted, draft, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(world: World) -> Server:
    """Looks of three days: all complete, half of them, none."""
    found = Server.objects.get(slug="files")
    HealthDay.objects.filter(server=found).delete()
    for days, looks in ((0, (True, True)), (1, (True, False)), (2, (False,))):
        for number, complete in enumerate(looks):
            moment = timezone.now() - timedelta(days=days, seconds=number)
            note_look(found, time=moment, latency_ms=10 * (days + 1), error_class="" if complete else "timeout")
    return found


def test_each_day_has_its_looks_and_a_day_without_one_has_none(server: Server) -> None:
    assert [day.share for day in looks_of(server)[-4:]] == [None, 0, 0.5, 1]


def test_they_are_drawn_and_stand_in_a_table(server: Server, console: Client) -> None:
    html = console.get("/servers/files/").content.decode()
    page = Page(html)
    assert page.inline == []
    assert html.count('class="chart__ok"') == html.count('class="chart__some"') + 1 == 1
    assert html.count('class="chart__bad"') == 2
    assert f"{timezone.now().date().isoformat()}: 2 of 2 looks complete" in html
    assert "How it answered" in page.text


def test_durations_are_of_calls_that_ended_and_for_who_may_read_the_log(server: Server, console: Client) -> None:
    said = "How long calls took"
    assert said not in console.get("/servers/files/").content.decode()
    ended = {
        "type": RecordType.OUTCOME,
        "event": Event.CALL_COMPLETED,
        "server": "files",
        "kind": "tool",
        "tool": "read",
    }
    write(RecordDraft(**draft({**ended, "latency_ms": taken})) for taken in (10, 30))
    counted()
    html = console.get("/servers/files/").content.decode()
    assert f"{said}: at most about 30 ms (95th percentile)" in html
    assert f"{timezone.now().date().isoformat()} 2 10 ms 3" in " ".join(Page(html).text.split())
    blind = Client()
    blind.force_login(person_with(Permission.SERVER_READ, Permission.TOOL_READ))
    html = blind.get("/servers/files/").content.decode()
    assert said not in html


def test_who_a_server_says_that_it_is_stands_beside_it_as_foreign_text(server: Server, console: Client) -> None:
    poll(server, card(serverInfo={"name": "files", "title": "<b>Files</b>\u202e", "version": "2.1"}))
    html = console.get("/servers/files/").content.decode()
    assert "<b>Files</b>" not in html
    assert "Says that it is <b>Files</b> RLO 2.1 Server card" in " ".join(Page(html).text.split())
    poll(server, card(serverInfo={"name": ["files"], "version": 2}))
    assert "Says that it is \u2013 Server card" in " ".join(
        Page(console.get("/servers/files/").content.decode()).text.split()
    )


def test_a_server_that_showed_no_card_says_nothing_of_itself(server: Server, console: Client) -> None:
    assert "Says that it is" not in Page(console.get("/servers/files/").content.decode()).text


def test_which_credentials_there_are_is_said_where_some_are_asked_for(server: Server, console: Client) -> None:
    Server.objects.filter(pk=server.pk).update(state="needs_credentials")
    said = "The server asks for some; Holdfast keeps none for servers."
    assert said in Page(console.get("/servers/files/").content.decode()).text
