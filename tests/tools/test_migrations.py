"""What the application's own role cannot do to a decision, even with raw SQL."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from access.models import Person
from core.actor import Actor
from servers.models import Server
from tests.tools.making import approve, poll, tool, waiting
from tools.models import Definition, DefinitionVersion, Pin, Review, ReviewDecision

pytestmark = pytest.mark.django_db


def refused(sql: str, *params: Any) -> str:
    """Run `sql` as the application's role; it must fail. Answers what the database said."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)
    return str(caught.value)


def run(sql: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def person_of(actor: Actor) -> Person:
    return Person.objects.get(public_id=actor.id)


DECIDE = (
    "INSERT INTO tools_reviewdecision (public_id, review_id, person_id, verdict, digest, reason, time)"
    " VALUES (gen_random_uuid(), %s, %s, 'approve', %s, 'because', now())"
)
APPROVE = "UPDATE tools_review SET state = 'approved', closed_at = clock_timestamp() WHERE id = %s"
PIN = (
    "INSERT INTO tools_pin (public_id, definition_id, version_id, review_id, set_at, expires_at, ended_reason)"
    " VALUES (gen_random_uuid(), %s, %s, %s, now(), %s, '')"
)


def pin(review: Review, version: DefinitionVersion | None = None, until: Any = None) -> tuple[Any, ...]:
    return review.definition_id, (version or review.version).pk, review.pk, until


@pytest.fixture
def review(server: Server) -> Review:
    poll(server, tool())
    return waiting()


@pytest.fixture
def four_eyes(server: Server, review: Review) -> Review:
    Server.objects.update(required_approvals=2)
    return review


def test_a_pin_without_any_decision_is_refused(review: Review) -> None:
    assert "approved review" in refused(PIN, *pin(review))
    assert "approvals first" in refused(APPROVE, review.pk)


def test_a_review_cannot_be_inserted_approved(review: Review) -> None:
    sql = (
        "INSERT INTO tools_review (public_id, definition_id, version_id, state, change, risk, required_approvals,"
        " opened_at, closed_at) VALUES (gen_random_uuid(), %s, %s, 'approved', '{}', 'low', 1, now(), now())"
    )
    assert "opens waiting" in refused(sql, review.definition_id, review.version_id)


def test_a_decision_on_another_digest_is_refused(review: Review, reviewer: Actor) -> None:
    other = "sha256:" + "0" * 64
    assert "names the digest" in refused(DECIDE, review.pk, person_of(reviewer).pk, other)


def test_half_of_four_eyes_is_not_enough(four_eyes: Review, reviewer: Actor) -> None:
    run(DECIDE, four_eyes.pk, person_of(reviewer).pk, four_eyes.version.digest)
    assert "approvals first" in refused(APPROVE, four_eyes.pk)
    assert "approved review" in refused(PIN, *pin(four_eyes))


def test_one_person_cannot_be_both_pairs_of_eyes(four_eyes: Review, reviewer: Actor) -> None:
    run(DECIDE, four_eyes.pk, person_of(reviewer).pk, four_eyes.version.digest)
    refused(DECIDE, four_eyes.pk, person_of(reviewer).pk, four_eyes.version.digest)


def test_the_registrant_does_not_count_among_two(four_eyes: Review, registrant: Person, reviewer: Actor) -> None:
    for person in (registrant, person_of(reviewer)):
        run(DECIDE, four_eyes.pk, person.pk, four_eyes.version.digest)
    assert "approvals first" in refused(APPROVE, four_eyes.pk)


def test_the_endpoint_changer_does_not_count_among_two(
    four_eyes: Review, reviewer: Actor, second_reviewer: Actor
) -> None:
    Server.objects.update(url="http://127.0.0.1:1/mcp", endpoint_changed_by=person_of(second_reviewer))
    for actor in (reviewer, second_reviewer):
        run(DECIDE, four_eyes.pk, person_of(actor).pk, four_eyes.version.digest)
    assert "approvals first" in refused(APPROVE, four_eyes.pk)


def test_asking_for_fewer_approvals_later_does_not_loosen_an_open_review(server: Server, reviewer: Actor) -> None:
    Server.objects.update(required_approvals=2)
    server.refresh_from_db()
    poll(server, tool())
    review = waiting()
    Server.objects.update(required_approvals=1)
    run(DECIDE, review.pk, person_of(reviewer).pk, review.version.digest)
    assert "approvals first" in refused(APPROVE, review.pk)


def test_a_pin_of_another_version_than_the_approved_one_is_refused(server: Server, reviewer: Actor) -> None:
    poll(server, tool())
    review = approve(waiting(), reviewer)
    poll(server, tool(description="changed"))
    Pin.objects.update(ended_at="2026-01-01T00:00Z", ended_reason="replaced")
    changed = DefinitionVersion.objects.latest("id")
    assert "exactly its version" in refused(PIN, *pin(review, changed))


def test_a_pin_that_outlives_its_approvals_is_refused(review: Review, reviewer: Actor) -> None:
    limited = DECIDE.replace("reason, time", "reason, time, approve_until").replace("now())", "now(), '2100-01-01Z')")
    run(limited, review.pk, person_of(reviewer).pk, review.version.digest)
    run(APPROVE, review.pk)
    assert "no later" in refused(PIN, *pin(review))
    assert "no later" in refused(PIN, *pin(review, until="2100-01-02Z"))
    run(PIN, *pin(review, until="2100-01-01Z"))


def test_a_definition_has_one_live_pin_and_one_waiting_review(server: Server, reviewer: Actor) -> None:
    poll(server, tool())
    review = approve(waiting(), reviewer)
    assert "sets one pin" in refused(PIN, *pin(review))
    poll(server, tool(description="changed"))
    again = waiting()
    sql = (
        "INSERT INTO tools_review (public_id, definition_id, version_id, state, change, risk, required_approvals,"
        " opened_at) VALUES (gen_random_uuid(), %s, %s, 'waiting', '{}', 'low', 1, now())"
    )
    assert "review_one_waiting" in refused(sql, again.definition_id, again.version_id)


def test_a_temporary_table_cannot_stand_in_for_the_decisions(review: Review, reviewer: Actor) -> None:
    run("CREATE TEMP TABLE tools_reviewdecision AS SELECT %s::bigint AS review_id, 1::bigint AS person_id,"
        " 'approve' AS verdict, %s AS digest", review.pk, review.version.digest)  # fmt: skip
    assert "approvals first" in refused(APPROVE, review.pk)


CLOSED = {
    "a version's text": "UPDATE tools_definitionversion SET text = '{}'",
    "a version's digest": "UPDATE tools_definitionversion SET digest = digest",
    "a version": "DELETE FROM tools_definitionversion",
    "a decision's reason": "UPDATE tools_reviewdecision SET reason = 'other'",
    "a decision": "DELETE FROM tools_reviewdecision",
    "a closed review": "UPDATE tools_review SET state = 'rejected'",
    "a closed review's change": "UPDATE tools_review SET change = '{}'",
    "a review": "DELETE FROM tools_review",
    "a pin's version": "UPDATE tools_pin SET version_id = version_id",
    "a pin's expiry": "UPDATE tools_pin SET expires_at = '2100-01-01Z'",
    "a pin": "DELETE FROM tools_pin",
    "a finding": "DELETE FROM tools_finding",
    "a definition": "DELETE FROM tools_definition",
    "a definition's name": "UPDATE tools_definition SET name = 'other'",
    "all decisions": "TRUNCATE tools_reviewdecision CASCADE",
    "the triggers": "ALTER TABLE tools_pin DISABLE TRIGGER ALL",
    "the guard": "CREATE OR REPLACE FUNCTION tools_pin_guard() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN RETURN NEW; END'",
}


@pytest.mark.parametrize("sql", CLOSED.values(), ids=CLOSED)
def test_what_was_decided_cannot_be_rewritten(server: Server, reviewer: Actor, sql: str) -> None:
    poll(server, tool(description="x\u200by"))
    approve(waiting(), reviewer)
    refused(sql)


def test_a_pin_ends_once(server: Server, reviewer: Actor) -> None:
    poll(server, tool())
    approve(waiting(), reviewer)
    run("UPDATE tools_pin SET ended_at = now(), ended_reason = 'replaced'")
    refused("UPDATE tools_pin SET ended_at = NULL, ended_reason = ''")
    refused("UPDATE tools_pin SET ended_at = now()")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE tools_definition SET observed_id = (SELECT max(id) FROM tools_definitionversion) WHERE name = 'read'",
        "UPDATE tools_definition SET kind = 'other'",
        "UPDATE tools_definition SET present = false",
    ],
)
def test_a_definition_keeps_its_shape(server: Server, sql: str) -> None:
    poll(server, tool("read"), tool("write"))
    refused(sql)


def test_the_owner_role_cannot_rewrite_a_decision_either(
    make_decided: Callable[[], None], owner_connection: Any
) -> None:
    make_decided()
    for sql in ("UPDATE tools_reviewdecision SET reason = 'x'", "DELETE FROM tools_reviewdecision"):
        with pytest.raises(Exception, match="append-only"):
            owner_connection.execute(sql)
    assert ReviewDecision.objects.count() == 1


@pytest.fixture
def make_decided() -> Callable[[], None]:
    def make() -> None:
        from tests.tools.making import actor_of, make_server

        server = make_server("files")
        poll(server, tool())
        approve(waiting(), actor_of(Person.objects.create(username="ravi")))
        assert Definition.objects.count() == 1

    return make


def test_a_server_cannot_be_revived_with_pins_or_reviews_in_force(server: Server, reviewer: Actor) -> None:
    poll(server, tool())
    approve(waiting(), reviewer)
    Server.objects.update(state="retired")
    assert "revived without" in refused(
        "UPDATE servers_server SET state = 'active', registered_at = clock_timestamp(), registered_by_id = NULL"
    )


def test_an_approval_that_was_used_up_sets_no_second_pin(server: Server, reviewer: Actor) -> None:
    poll(server, tool())
    review = approve(waiting(), reviewer)
    Pin.objects.update(ended_at="2026-01-01T00:00Z", ended_reason="replaced")
    assert "one pin" in refused(PIN, *pin(review))
