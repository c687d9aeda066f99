"""What agents were shown otherwise than the poller, over the API."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import Team
from core.actor import Actor, ActorKind
from core.permissions import Permission
from servers.models import Server
from tests.tools.making import approve, poll, surface, tool, waiting
from tests.tools.test_api import client_of, client_with
from tools import services
from tools.services.polling import POLLING

pytestmark = pytest.mark.django_db
PATH = "/api/v1/servers/files/sightings/"


@pytest.fixture
def differing(server: Server, reviewer: Actor) -> Server:
    """A server that shows an agent another text, a tool more and, at last, a tool less."""
    poll(server, tool(), tool("write"))
    for name in ("read", "write"):
        approve(waiting(name), reviewer)
    server.refresh_from_db()
    for items in ([tool("write", "Else.")], []):
        shown = surface(tool(description="Else."), tool("more"), *items, vantage="agent:robot")
        services.sight(server=server, surface=shown, actor=POLLING)
    return server


def test_the_list_says_who_was_shown_what_and_which_review_waits(differing: Server) -> None:
    review = waiting()
    found = {row["name"]: row for row in client_with(*Permission).get(PATH).json()["results"]}
    assert found["read"]["digest"] == review.version.digest
    assert found["read"]["review"] == str(review.public_id)
    assert {name: (row["differs"], row["withholds"]) for name, row in found.items()} == {
        "read": (True, True),
        "more": (True, True),
        "write": (True, False),
    }
    assert (found["write"]["digest"], found["more"]["poller_digest"]) == (None, None)
    assert {row["vantage"] for row in found.values()} == {"agent:robot"}


def test_only_who_may_see_the_server_and_its_tools_sees_them(differing: Server) -> None:
    team = Team.objects.create(slug="ops", name="Ops")
    assert client_with(Permission.SERVER_READ).get(PATH).status_code == 403
    assert client_with(Permission.TOOL_READ).get(PATH).status_code == 403
    reads = frozenset({Permission.SERVER_READ, Permission.TOOL_READ})
    member = Actor(ActorKind.PERSON, "x", "x", own_team_permissions=reads, team_ids=frozenset({team.pk}))
    assert client_of(member).get(PATH).status_code == 404
    Server.objects.update(owner_team=team)
    assert len(client_of(member).get(PATH).json()["results"]) == 3
    assert client_with(*Permission).get("/api/v1/servers/none/sightings/").status_code == 404


def test_the_number_of_queries_does_not_grow_with_the_rows(differing: Server) -> None:
    client = client_with(*Permission)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(PATH).status_code == 200
        return len(captured)

    before = queries()
    for n in range(5):
        shown = surface(tool(description=f"Else {n}."), vantage=f"agent:{n}")
        services.sight(server=differing, surface=shown, actor=POLLING)
    assert queries() == before
