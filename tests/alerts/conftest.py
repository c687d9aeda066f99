"""Actors, and the log. Models load only once Django does, hence the import inside."""

from typing import TYPE_CHECKING

import pytest

from core.actor import Actor, ActorKind
from core.ids import new_id
from core.permissions import Permission

if TYPE_CHECKING:
    from tests.alerts.logs import Log

EVERYTHING = frozenset(str(permission) for permission in Permission)


@pytest.fixture
def operator() -> Actor:
    """Holds every permission."""
    return Actor(kind=ActorKind.PERSON, id=str(new_id()), name="olga", permissions=EVERYTHING)


@pytest.fixture
def owner() -> Actor:
    """Member of team red, and may look after the alerts of its servers."""
    return Actor(
        kind=ActorKind.PERSON,
        id=str(new_id()),
        name="rita",
        team_ids=frozenset({1}),
        team_slugs=frozenset({"red"}),
        own_team_permissions=frozenset({Permission.ALERT_READ.value, Permission.ALERT_ACKNOWLEDGE.value}),
    )


@pytest.fixture
def nobody() -> Actor:
    """May do nothing."""
    return Actor(kind=ActorKind.PERSON, id=str(new_id()), name="nick")


@pytest.fixture
def log(db: None) -> "Log":
    from tests.alerts.logs import Log

    return Log()
