import json

import pytest
from django.utils import timezone

from access.models import Agent, Grant, Person
from access.services import create_first_administrator
from controlplane.demo.data import Demo, DemoError, create_demo_data
from servers.models import Server
from tests.controlplane.demo.running import demo_server
from tools.models import Definition, Review

pytestmark = [pytest.mark.network, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def addresses():
    with demo_server("notes") as notes, demo_server("weather") as weather:
        yield f"{notes}/mcp", f"{weather}/mcp"


@pytest.fixture
def demo(addresses, tmp_path):
    create_first_administrator(username="admin", password="a password of the tests")
    notes, weather = addresses
    return Demo(notes, weather, reviewer_password="another password of the tests", agent_file=tmp_path / "agent")


def test_notes_is_approved_and_weather_waits(demo):
    made = create_demo_data(demo=demo, administrator="admin")
    assert len(made) == 7
    assert set(Server.objects.values_list("slug", "environment")) == {
        ("notes", "development"),
        ("weather", "development"),
    }
    waiting = Review.objects.waiting().values_list("definition__server__slug", flat=True)
    assert set(waiting) == {"weather"}
    assert Definition.objects.filter(server__slug="notes", pins__ended_at__isnull=True).distinct().count() == 9
    assert Person.objects.filter(username="reviewer").exists()


def test_the_agent_holds_the_role_and_its_secret_is_kept_privately(demo):
    create_demo_data(demo=demo, administrator="admin")
    kept = json.loads(demo.agent_file.read_text(encoding="utf-8"))
    agent = Agent.objects.get(client_id=kept["client_id"])
    assert Grant.objects.live().filter(agent=agent, role__name="demo-assistant").exists()
    assert demo.agent_file.stat().st_mode & 0o077 == 0


def test_people_may_use_the_demo_servers_until_somebody_says_otherwise(demo):
    create_demo_data(demo=demo, administrator="admin")
    live = Grant.objects.live().filter(role__name="demo-assistant", person__isnull=False)
    assert set(live.values_list("person__username", flat=True)) == {"admin", "reviewer"}
    live.update(revoked_at=timezone.now())
    assert create_demo_data(demo=demo, administrator="admin") == []


def test_run_again_it_changes_nothing(demo):
    create_demo_data(demo=demo, administrator="admin")
    assert create_demo_data(demo=demo, administrator="admin") == []


def test_servers_that_moved_are_followed_and_must_be_approved_anew(demo, addresses):
    create_demo_data(demo=demo, administrator="admin")
    moved = Demo(addresses[0].replace("/mcp", "/mcp/"), addresses[1], demo.reviewer_password, demo.agent_file)
    made = create_demo_data(demo=moved, administrator="admin")
    assert [sentence.split(" to ")[0] for sentence in made] == ["server 'notes' moved"]


def test_a_server_that_does_not_answer_is_a_sentence(demo):
    nowhere = Demo("http://127.0.0.1:9/mcp", demo.weather_url, demo.reviewer_password, demo.agent_file)
    with pytest.raises(DemoError, match="'notes' could not be polled"):
        create_demo_data(demo=nowhere, administrator="admin")
