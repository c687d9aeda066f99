"""What a server does not list to an agent is seen, and withholds nothing."""

import pytest
from django.test import Client

from core.actor import Actor
from core.permissions import Permission
from servers.models import Server
from tests.factories import person_with
from tests.tools.making import approve, poll, served, surface, tool, waiting
from tests.tools.test_api import client_with
from tools import services
from tools.models import Sighting
from tools.services.polling import POLLING
from tools.unlisted import Unlisted, unlisted_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def approved(server: Server, reviewer: Actor) -> Server:
    poll(server, tool("read"), tool("write"))
    for name in ("read", "write"):
        approve(waiting(name), reviewer)
    server.refresh_from_db()
    return server


def sight(server: Server, *names: str, vantage: str = "agent:robot") -> None:
    services.sight(server=server, surface=surface(*map(tool, names), vantage=vantage), actor=POLLING)


def test_to_whom_everything_is_listed_there_is_nothing_to_say(approved: Server) -> None:
    sight(approved, "read", "write")
    assert unlisted_of(approved) == []


def test_what_is_not_listed_is_named_by_vantage_and_withheld_from_nobody(approved: Server) -> None:
    sight(approved, "read")
    sight(approved, vantage="agent:other")
    assert unlisted_of(approved) == [Unlisted("agent:other", ("read", "write")), Unlisted("agent:robot", ("write",))]
    assert sorted(served(approved)) == ["read", "write"]
    assert not Sighting.objects.exists()
    sight(approved, "read", "write")
    assert [each.vantage for each in unlisted_of(approved)] == ["agent:other"]


def test_page_and_api_say_so(approved: Server) -> None:
    sight(approved, "read")
    console = Client()
    console.force_login(person_with(Permission.SERVER_READ, Permission.TOOL_READ, Permission.REVIEW_READ))
    assert "Listed to us, not to" in console.get("/servers/files/").content.decode()
    api = client_with(Permission.SERVER_READ, Permission.TOOL_READ)
    assert api.get("/api/v1/servers/files/unlisted/").json() == [{"vantage": "agent:robot", "names": ["write"]}]
    assert client_with(Permission.SERVER_READ).get("/api/v1/servers/files/unlisted/").status_code == 403
    assert api.get("/api/v1/servers/none/unlisted/").status_code == 404
