"""What tests of `access` share. Imports wait for the fixtures: this file is read before Django is set up."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from access.models import Person
    from core.actor import Actor
    from tests.access.doors import Api


@pytest.fixture
def boss(db: None) -> "Person":
    """A person who holds every permission, by the built-in role of administrators alone."""
    from access.services import Holder, ensure_builtin_roles, give_grant
    from tests.access.doors import SETUP
    from tests.factories import PersonFactory

    ensure_builtin_roles()
    person = PersonFactory.create(username="boss")
    give_grant(role="administrator", holder=Holder(person="boss"), actor=SETUP, reason="A test.")
    return person


@pytest.fixture
def admin(boss: "Person") -> "Actor":
    """`boss` as an actor."""
    from access.services import actor_for

    return actor_for(boss)


@pytest.fixture
def api(boss: "Person") -> "Api":
    """The API as an administrator sees it."""
    from tests.access.doors import Api

    return Api(boss)
