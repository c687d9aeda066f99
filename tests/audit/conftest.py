"""Actors and drafts for tests of the audit log."""

import pytest

from core.actor import Actor, ActorKind
from core.ids import new_id
from core.permissions import Permission


@pytest.fixture
def ada() -> Actor:
    """A person who may read the log."""
    return Actor(
        kind=ActorKind.PERSON, id=str(new_id()), name="ada", permissions=frozenset({Permission.AUDIT_READ.value})
    )


@pytest.fixture
def bob() -> Actor:
    """A person without permissions."""
    return Actor(kind=ActorKind.PERSON, id=str(new_id()), name="bob")
