"""Finding things by parts of their names."""

import pytest

from access.services import actor_for
from controlplane.find.reading import MOST, find
from core.permissions import Permission
from tests.console.world import World, administrator, tool
from tests.factories import person_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db: None) -> World:
    return World(administrator(username="ada")).build()


def kinds(world: World, question: str) -> list[tuple[str, str]]:
    return [(each.kind, each.name) for each in find(world.actor, question)]


def test_every_word_is_part_of_the_name_or_of_the_server(world: World) -> None:
    assert ("server", "Files") in kinds(world, "file")
    assert kinds(world, "files/read") == [("definition", "read")]
    assert ("review", "read") in kinds(world, "read fil")
    assert ("agent", "ci-bot") in kinds(world, "CI")
    assert ("role", "files-reader") in kinds(world, "reader")
    assert kinds(world, "ada") == [("person", "ada")]
    assert kinds(world, "read nowhere") == kinds(world, "") == kinds(world, "\0") == []


def test_what_begins_with_the_question_comes_first_and_no_more_than_twenty_come(world: World) -> None:
    world.show([*world.tools, *(tool(f"a-read-{number}") for number in range(30))])
    found = kinds(world, "read")
    assert found[0][1] == "read"
    assert len(found) == MOST


def test_nothing_is_found_that_the_reader_may_not_see(world: World) -> None:
    assert find(actor_for(person_with("mcp:connect")), "files") == []
    seen = find(actor_for(person_with(Permission.SERVER_READ)), "files")
    assert [each.kind for each in seen] == ["server"]
