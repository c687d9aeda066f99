"""Digests of policy: what changed past the services shows at the next change and at the next look."""

import threading
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from access.counted import ACCESS
from access.models import Agent, Grant, PolicyDigest, Revision
from access.services import (
    Holder,
    altered,
    bump_revision,
    create_role,
    give_grant,
    policy_digest,
    register_agent,
    stamp,
    suspend_agent,
    tell_alterations,
    was_left_by_changes,
)
from access.services import grants as grant_services
from audit.models import Record
from core.actor import system_actor
from core.permissions import Permission
from servers.rules import POLICY_ROWS as SERVER_ROWS
from tools.rules import POLICY_ROWS as TOOL_ROWS

ADMIN = system_actor("test", *Permission)


def told() -> list[tuple[str, str]]:
    """Part and reason of what was told, oldest first."""
    records = Record.objects.filter(event="policy.altered").order_by("id")
    return [(record.subject, record.reason) for record in records]


@pytest.fixture
def grant(transactional_db: None) -> Grant:
    """A grant of an agent's, given by the service."""
    agent = register_agent(name="robot", actor=ADMIN).agent
    create_role(name="files", scopes=["mcp:files:call"], actor=ADMIN)
    return give_grant(role="files", holder=Holder(agent=agent.client_id), actor=ADMIN, reason="A test.")


def test_every_change_keeps_the_digests_before_and_after_it(grant: Grant) -> None:
    rows = list(PolicyDigest.objects.filter(part="access"))
    assert [set(row.after) for row in rows] == [{each.table for each in ACCESS}] * len(rows)
    for earlier, later in pairwise(rows):
        assert later.before == earlier.after
        assert later.n > earlier.n
    assert rows[-1].before["access_grant"] != rows[-1].after["access_grant"]
    assert rows[-1].digest == policy_digest("access")
    assert (altered("access"), tell_alterations(), told()) == ((), 0, [])


SILENT = {
    "a grant's limit": ("UPDATE access_grant SET environment = 'staging'", "access_grant"),
    "a grant that comes back": ("UPDATE access_grant SET revoked_at = NULL", ""),
    "a role's scopes": ("UPDATE access_role SET scopes = '{mcp:files:read}' WHERE name = 'files'", "access_role"),
    "a suspended agent": ("UPDATE access_agent SET state = 'suspended'", "access_agent"),
    "a grant that is gone": ("DELETE FROM access_grant", "access_grant"),
    "what decides nothing": ("UPDATE access_grant SET reason = 'Another.'", ""),
}


@pytest.mark.parametrize("name", SILENT)
def test_a_row_changed_by_hand_is_told_at_the_next_look_once_and_by_its_table(
    grant: Grant, owner_connection: psycopg.Connection[Any], name: str
) -> None:
    statement, table = SILENT[name]
    owner_connection.execute(statement)
    assert altered("access") == ((table,) if table else ())
    assert [tell_alterations(), tell_alterations()] == [int(bool(table)), 0]
    assert told() == ([("policy:access", f"Changed past the services: {table}.")] if table else [])


@pytest.mark.parametrize("triggers", ["ENABLE", "DISABLE"])
def test_a_row_changed_without_a_record_is_told_at_the_next_change(
    grant: Grant, owner_connection: psycopg.Connection[Any], triggers: str
) -> None:
    with owner_connection.transaction():
        owner_connection.execute(f"ALTER TABLE access_grant {triggers} TRIGGER access_policy_touch")
        owner_connection.execute("UPDATE access_grant SET environment = 'staging'")
        owner_connection.execute("ALTER TABLE access_grant ENABLE TRIGGER access_policy_touch")
    grant_services.revoke_grant(grant_id=grant.public_id, actor=ADMIN, reason="It ends.")
    assert told() == [("policy:access", "Changed past the services: access_grant.")]
    suspend_agent(client_id=Agent.objects.get().client_id, actor=ADMIN, reason="A test.")
    assert (len(told()), altered("access")) == (1, ())


def test_what_one_transaction_changes_in_several_steps_is_its_own(grant: Grant) -> None:
    with transaction.atomic():
        Grant.objects.update(environment="staging")
        bump_revision("access")
        Grant.objects.update(environment="production")
        Grant.objects.update(environment="")
        Agent.objects.update(state="suspended")
        bump_revision("access")
    assert (told(), altered("access")) == ([], ())


def test_what_was_rolled_back_is_no_change(grant: Grant) -> None:
    with transaction.atomic():
        before = transaction.savepoint()
        Grant.objects.update(environment="staging")
        transaction.savepoint_rollback(before)
        Agent.objects.update(state="suspended")
        bump_revision("access")
    assert (told(), altered("access")) == ([], ())


def test_a_look_waits_for_a_change_that_is_under_way(grant: Grant) -> None:
    looked: list[int] = []

    def look() -> None:
        looked.append(tell_alterations())
        connection.close()

    with transaction.atomic():
        Grant.objects.update(environment="staging")
        bump_revision("access")
        other = threading.Thread(target=look)
        other.start()
    other.join(60)
    assert (looked, told()) == ([0], [])


def test_digests_are_never_changed_and_forged_ones_are_told(
    grant: Grant, owner_connection: psycopg.Connection[Any]
) -> None:
    for statement in ("UPDATE access_policydigest SET n = 0", "DELETE FROM access_policydigest"):
        with pytest.raises(psycopg.errors.RestrictViolation, match="never changed"):
            owner_connection.execute(statement)
    # What an attacker would have to do: change a row and forge the digest that the change left.
    owner_connection.execute("UPDATE access_grant SET environment = 'staging'")
    digest = policy_digest("access")
    owner_connection.execute(
        "INSERT INTO access_policydigest (part, n, format, before, after, digest, mac, made_at) "
        "SELECT part, n + 1, format, after, after, %s, mac, now() FROM access_policydigest "
        "WHERE part = 'access' ORDER BY id DESC LIMIT 1",
        [digest],
    )
    assert altered("access") == ("access_policydigest",)
    assert not was_left_by_changes(stamp(digest, "0" * 64), slug="files")
    assert tell_alterations() == 1
    assert (altered("access"), len(told())) == ((), 1)


def test_a_part_without_digests_begins_with_those_of_now(grant: Grant) -> None:
    Revision.objects.create(part="server:files", n=7)
    assert (tell_alterations(), told()) == (0, [])
    row = PolicyDigest.objects.get(part="server:files")
    assert (row.n, row.before) == (7, {})


def test_only_stamps_of_digests_that_changes_left_are_known(grant: Grant) -> None:
    Revision.objects.create(part="server:files", n=7)
    tell_alterations()
    left = stamp(policy_digest("access"), policy_digest("server:files"))
    assert was_left_by_changes(left, slug="files")
    assert not was_left_by_changes(left, slug="other")
    for wrong in ("", left[:-1], "0" + left[1:] if left[0] != "0" else "1" + left[1:], left.replace(".", ""), "."):
        assert not was_left_by_changes(wrong, slug="files")


@pytest.mark.django_db
def test_triggers_note_the_rows_that_are_counted_in_the_same_words() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgtype, encode(tgargs, 'escape') FROM pg_trigger "
            "WHERE tgfoid = 'access_policy_touch'::regproc"
        )
        found = cursor.fetchall()
    noted: dict[str, int] = {}
    arguments: dict[str, set[tuple[str, ...]]] = {}
    for table, kinds, encoded in found:
        noted[table] = noted.get(table, 0) | kinds
        words = (" ".join(part.split()) for part in encoded.split("\\000")[1:-1])
        arguments.setdefault(table, set()).add(tuple(words))
    counted = (*ACCESS, *SERVER_ROWS, *TOOL_ROWS)
    assert arguments == {each.table: {(each.chosen, each.where, each.key)} for each in counted}
    row, insert, delete, update = 1, 4, 8, 16
    assert set(noted.values()) == {row | insert | delete | update}
