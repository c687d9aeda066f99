"""What tests of `access` share. Imports wait for the fixtures: this file is read before Django is set up."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from access.models import Person
    from core.actor import Actor
    from tests.access.document_host import DocumentHost
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


@pytest.fixture
def host(tmp_path: Path, settings: Any) -> "Iterator[DocumentHost]":
    """A host of documents whose authority is known, with every document trusted."""
    from tests.access.document_host import document_host

    with document_host(tmp_path) as running:
        settings.OUTBOUND_CA_FILE = str(running.authority)
        settings.CLIENT_DOCUMENTS = "any"
        yield running
