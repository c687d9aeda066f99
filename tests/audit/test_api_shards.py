"""Months of the log over the API: two people prune one, and what may not be is told."""

from typing import Any

import psycopg
import pytest
from django.db import transaction

from access.services import Holder, ensure_builtin_roles, give_grant
from audit.models import Record
from tests.access.doors import SETUP, Api
from tests.audit.old_month import OLD
from tests.factories import PersonFactory

WHY = {"reason": "Two years are enough."}


def administrator(name: str) -> Api:
    person = PersonFactory.create(username=name)
    give_grant(role="administrator", holder=Holder(person=name), actor=SETUP, reason="A test.")
    with transaction.atomic():  # the token is put in without its service
        return Api(person)


@pytest.mark.django_db(transaction=True)
def test_two_administrators_prune_a_month_and_one_does_not(old_month: psycopg.Connection[Any]) -> None:
    ensure_builtin_roles()
    one, other = administrator("ada"), administrator("bob")
    asked = one.send("POST", f"audit/shards/{OLD}/prune/", WHY)
    assert (asked.status_code, asked.json()["shard"], asked.json()["reason"]) == (201, OLD, WHY["reason"])
    shown = other.get("audit/shards/").json()["results"][-1]
    assert (shown["shard"], shown["has_bodies"], shown["is_due"], shown["asked"]) == (OLD, True, True, asked.json())

    assert one.send("POST", f"audit/shards/{OLD}/confirm-pruning/", {}).status_code == 409
    agreed = other.send("POST", f"audit/shards/{OLD}/confirm-pruning/", {})
    assert (agreed.status_code, agreed.json()) == (200, {"bodies": 3})
    shown = other.get("audit/shards/").json()["results"][-1]
    assert (shown["shard"], shown["has_bodies"], shown["is_due"], shown["asked"]) == (OLD, False, False, None)
    assert Record.objects.get(event="log.pruned").subject == f"shard:{OLD}"


@pytest.mark.django_db
def test_what_does_not_fit_is_told() -> None:
    ensure_builtin_roles()
    api = administrator("ada")
    bodies: list[Any] = [{}, {"reason": " "}, [], {"reason": "x" * 2001}]
    assert {api.send("POST", f"audit/shards/{OLD}/prune/", body).status_code for body in bodies} == {400}
    for shard in (OLD, 0, 202613, 10**12 + 1, 10**40 + 1, "9" * 5000, "x", -1):
        for verb in ("prune", "confirm-pruning"):
            assert api.send("POST", f"audit/shards/{shard}/{verb}/", WHY).status_code in (400, 404), shard
    assert api.get(f"audit/shards/{OLD}/prune/").status_code == 405
