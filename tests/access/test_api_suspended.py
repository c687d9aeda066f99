"""What the API says of things that the kill switch holds."""

from typing import Any

import pytest

from access.services import target_of
from access.services.suspensions import suspend
from access.suspended import SuspensionKind
from core.actor import system_actor
from core.permissions import Permission
from tests.access.doors import Api
from tests.console.world import administrator
from tests.factories import AgentFactory, PersonFactory
from tests.tools.making import make_server
from tools.services import suspend as suspend_by_name

pytestmark = pytest.mark.django_db
HOST = system_actor("host", Permission.SUSPENSION_SET, Permission.SERVER_READ)


def rows(api: Api, path: str, key: str) -> dict[str, Any]:
    return {row[key]: (row["suspended"], row.get("state", "")) for row in api.get(path).json()["results"]}


def test_servers_agents_and_people_say_that_they_are_suspended_beside_their_own_state() -> None:
    api = Api(administrator(username="boss"))
    bots = [AgentFactory.create().client_id for _ in range(2)]
    PersonFactory.create(username="ada")
    for slug in ("files", "mail"):
        make_server(slug, state="active")
    assert not any(held for held, _ in rows(api, "servers/", "slug").values())
    suspend_by_name(kind="server", name="files", actor=HOST, reason="x")
    for kind, name in ((SuspensionKind.AGENT, bots[0]), (SuspensionKind.PERSON, "ada")):
        suspend(target=target_of(kind=kind, name=name), actor=HOST, reason="x")
    assert rows(api, "servers/", "slug") == {"files": (True, "active"), "mail": (False, "active")}
    assert rows(api, "agents/", "client_id") == {bots[0]: (True, "active"), bots[1]: (False, "active")}
    assert rows(api, "people/", "username") == {"boss": (False, ""), "ada": (True, "")}
    assert api.get("servers/files/").json()["suspended"] is True
