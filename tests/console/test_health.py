"""A server's page says how it answered: its looks by day and how long its newest calls took, drawn and as a table."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from audit.drafts import RecordDraft
from audit.events import Event, RecordType
from core.permissions import Permission
from servers.models import HealthSample, Server
from tests.console.world import Page, World
from tests.factories import person_with
from tests.tools.records import draft, write
from tools.views.health import DAYS, days_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(world: World) -> Server:
    """Looks of three days: all complete, half of them, none."""
    found = Server.objects.get(slug="files")
    HealthSample.objects.filter(server=found).delete()
    for days, looks in ((0, (True, True)), (1, (True, False)), (2, (False,))):
        for number, complete in enumerate(looks):
            moment = timezone.now() - timedelta(days=days, seconds=number)
            HealthSample.objects.create(server=found, time=moment, ok=complete, latency_ms=10 * (days + 1))
    return found


def test_each_day_has_its_looks_and_a_day_without_one_has_none(server: Server) -> None:
    days = days_of(server)
    assert len(days) == DAYS
    assert [day.share for day in days[-4:]] == [None, 0, 0.5, 1]


def test_they_are_drawn_and_stand_in_a_table(server: Server, console: Client) -> None:
    html = console.get("/servers/files/").content.decode()
    page = Page(html)
    assert page.inline == []
    assert html.count('class="chart__ok"') == html.count('class="chart__some"') + 1 == 1
    assert html.count('class="chart__bad"') == 2
    assert f"{timezone.now().date().isoformat()}: 2 of 2 looks complete" in html
    assert "How it answered" in page.text


def test_durations_are_of_calls_that_ended_and_for_who_may_read_the_log(server: Server, console: Client) -> None:
    said = "Its newest 2 calls: half took at most 20 ms, 95 of 100 at most 29 ms."
    assert "newest" not in Page(console.get("/servers/files/").content.decode()).text
    ended = {
        "type": RecordType.OUTCOME,
        "event": Event.CALL_COMPLETED,
        "server": "files",
        "kind": "tool",
        "tool": "read",
    }
    write(RecordDraft(**draft({**ended, "latency_ms": taken})) for taken in (10, 30))
    assert said in Page(console.get("/servers/files/").content.decode()).text
    blind = Client()
    blind.force_login(person_with(Permission.SERVER_READ, Permission.TOOL_READ))
    assert said not in Page(blind.get("/servers/files/").content.decode()).text
