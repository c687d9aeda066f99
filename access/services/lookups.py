"""Rows by the names that callers know. Each raises `NotFound`, and takes any text whatever."""

from typing import TypeVar
from uuid import UUID

from django.db import models

from access.models import Agent, Person, Role, Team
from core.errors import NotFound

M = TypeVar("M", bound=models.Model)


def _one(rows: models.QuerySet[M], what: str, name: str, field: str | None) -> M:
    row = None if "\0" in name else rows.first()
    if row is None:
        raise NotFound(f"There is no {what} '{name[:80]}'.", field=field)
    return row


def person_named(username: str, *, field: str | None = None) -> Person:
    """The person with this user name."""
    return _one(Person.objects.named(username), "person", username, field)


def role_named(name: str, *, field: str | None = None) -> Role:
    """The role with this name."""
    return _one(Role.objects.named(name), "role", name, field)


def agent_with(client_id: str, *, field: str | None = None) -> Agent:
    """The agent with this client id."""
    return _one(Agent.objects.filter(client_id=client_id), "agent", client_id, field)


def team_named(slug_or_name: str, *, field: str | None = None) -> Team:
    """The team with this slug, or with this very name where one team alone has it."""
    by_slug = Team.objects.filter(slug=slug_or_name)
    by_name = Team.objects.filter(name=slug_or_name)
    unambiguous = "\0" not in slug_or_name and not by_slug.exists() and by_name.count() == 1
    return _one(by_name if unambiguous else by_slug, "team", slug_or_name, field)


def locked(model: type[M], public_id: UUID, what: str) -> M:
    """The row with this public id, locked until the transaction ends."""
    row = model._default_manager.select_for_update(of=("self",)).filter(public_id=public_id).first()  # noqa: SLF001 -- Django's documented name
    if row is None:
        raise NotFound(f"There is no such {what}.")
    return row
