"""People and servers that the tests of this app share. Models load only once Django does, hence the imports inside."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from access.models import Person
    from core.actor import Actor
    from servers.models import Server


@pytest.fixture
def registrant(db: None) -> "Person":
    from access.models import Person

    return Person.objects.create(username="rita")


@pytest.fixture
def reviewer(db: None) -> "Actor":
    return _actor("ravi")


@pytest.fixture
def second_reviewer(db: None) -> "Actor":
    return _actor("sara")


@pytest.fixture
def server(registrant: "Person") -> "Server":
    from tests.tools.making import make_server

    return make_server("files", registered_by=registrant)


def _actor(username: str) -> "Actor":
    from access.models import Person
    from tests.tools.making import actor_of

    return actor_of(Person.objects.create(username=username))
