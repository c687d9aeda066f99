"""The console's page of the log's months: two people prune an old one there."""

from typing import Any

import psycopg
import pytest
from django.test import Client
from django.utils import timezone

from access.models import Person
from access.services import Holder, ensure_builtin_roles, give_grant
from audit.drafts import shard_of
from audit.models import Record, Removal
from audit.months import months
from audit.services import place_records
from core.actor import Actor, ActorKind
from core.permissions import Permission
from tests.access.doors import SETUP
from tests.audit.old_month import OLD
from tests.factories import PersonFactory

pytestmark = pytest.mark.django_db(transaction=True)
PRUNE, AGREE = f"/audit/months/{OLD}/prune/", f"/audit/months/{OLD}/confirm-pruning/"
WHY = {"reason": "Two years <are> enough."}


def browser(name: str) -> Client:
    person: Person = PersonFactory.create(username=name)
    give_grant(role="administrator", holder=Holder(person=name), actor=SETUP, reason="A test.")
    client = Client()
    client.force_login(person)
    return client


def seen(client: Client) -> str:
    return str(client.get("/audit/months/").content.decode())


def test_two_people_prune_a_month_on_its_page(old_month: psycopg.Connection[Any]) -> None:
    ensure_builtin_roles()
    one, other = browser("ada"), browser("bob")
    place_records()
    listed = seen(one)
    assert (PRUNE in listed, AGREE in listed, "2024-01" in listed) == (True, False, True)
    assert f"/audit/months/{shard_of(timezone.now())}/prune/" not in listed
    assert "/audit/months/" in one.get("/audit/").content.decode()

    one.post(PRUNE, {})
    assert not Removal.objects.exists()
    one.post(PRUNE, WHY)
    asked = seen(other)
    assert (PRUNE in asked, AGREE in asked, "Two years &lt;are&gt; enough." in asked) == (False, True, True)
    assert "Another person has to agree" in one.post(AGREE, follow=True).content.decode()
    assert Record.objects.filter(shard=OLD).count() == 3

    pruned = other.post(AGREE, follow=True).content.decode()
    assert "3 bodies are pruned" in pruned
    assert (AGREE in pruned, PRUNE in pruned, "2024-01" in pruned) == (False, False, True)
    assert not Record.objects.filter(shard=OLD).exists()


def test_a_month_is_due_by_the_retention_that_the_database_goes_by(old_month: psycopg.Connection[Any]) -> None:
    may = Actor(ActorKind.PERSON, "7", "ada", frozenset({Permission.LOG_PRUNE}))
    for kept, is_due in ((12, True), (1200, False), (0, False)):
        old_month.execute("UPDATE audit_retention SET months = %s", [kept])
        assert [(month.shard, month.has_bodies, month.is_due) for month in months(actor=may)] == [(OLD, True, is_due)]
    assert months(actor=Actor(ActorKind.PERSON, "8", "bob", frozenset(Permission) - {Permission.LOG_PRUNE})) == []
