"""Signed-in browsers and a small installation. Imports wait for the fixtures: this file is read before Django is."""

from typing import TYPE_CHECKING

import pytest
from django.test import Client

if TYPE_CHECKING:
    from tests.console.world import World


@pytest.fixture
def world(db: None) -> "World":
    from tests.console.world import World, administrator

    return World(administrator(username="ada")).build()


@pytest.fixture
def console(world: "World") -> Client:
    """A browser in which the administrator is signed in."""
    client = Client()
    client.force_login(world.admin)
    return client
