"""Actors and drafts for tests of the audit log."""

from typing import Any

import psycopg
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


@pytest.fixture
def old_month(owner_connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A month of two years ago with three placed records, and a retention of a year; the owner's connection."""
    from audit.services import place_records
    from tests.audit.old_month import make_old, write_old

    make_old(owner_connection)
    for _ in range(3):
        write_old()
    place_records()
    return owner_connection
