"""What the application's own role cannot do in a policy's name, even with raw SQL."""

from typing import Any

import pytest

from access.models import Person
from core.actor import Actor
from servers.models import Server
from tests.tools.making import actor_of, approve, make_server, poll, tool, waiting
from tests.tools.test_migrations import APPROVE, DECIDE, PIN, person_of, pin, refused, run
from tools import services
from tools.classify import ChangeClass
from tools.models import ChangePolicy, PolicyRevision, Review
from tools.policies import Rule
from tools.scanner import Report

pytestmark = pytest.mark.django_db

WORDS = Rule(frozenset({ChangeClass.WORDING}), frozenset({"development"}), text_max=9)
BY_POLICY = DECIDE.replace("person_id", "policy_id")
BY_NOBODY = DECIDE.replace("person_id, ", "").replace("%s, %s, 'approve'", "%s, 'approve'")
SIGN = "UPDATE tools_policyrevision SET confirmed_by_id = %s, confirmed_at = now() WHERE id = %s"


@pytest.fixture
def review(server: Server, reviewer: Actor) -> Review:
    """A change of wording that waits: too large for any policy, so that only raw SQL could let one decide it."""
    poll(server, tool())
    approve(waiting(), reviewer)
    poll(server, tool(description="Read a file, then count its lines."))
    return waiting()


def policy_of(reviewer: Actor, *, rule: Rule = WORDS, name: str = "words", in_force: bool = True) -> PolicyRevision:
    revision = services.write_policy(name=name, rule=rule, why="Small.", actor=reviewer)
    if in_force:
        services.enable_policy(policy_id=revision.policy.public_id, n=1, reason="Tried it.", actor=reviewer)
    return revision


def by(revision: PolicyRevision, review: Review) -> tuple[Any, ...]:
    return review.pk, revision.pk, review.version.digest


def test_what_the_revision_in_force_names_is_the_most_that_the_database_lets_through(
    review: Review, reviewer: Actor
) -> None:
    run(BY_POLICY, *by(policy_of(reviewer), review))
    run(APPROVE, review.pk)
    run("UPDATE tools_pin SET ended_at = now(), ended_reason = 'replaced'")
    run(PIN, *pin(review))


def test_a_revision_that_is_not_in_force_decides_nothing(review: Review, reviewer: Actor) -> None:
    off = policy_of(reviewer, in_force=False)
    assert "in force" in refused(BY_POLICY, *by(off, review))
    on = policy_of(reviewer, name="on")
    old = PolicyRevision.objects.get(pk=on.pk)
    services.revise_policy(policy_id=on.policy.public_id, rule=WORDS, why="More.", actor=reviewer)
    services.enable_policy(policy_id=on.policy.public_id, n=2, reason="x", actor=reviewer)
    assert "in force" in refused(BY_POLICY, *by(old, review))


ELSEWHERE: dict[str, dict[str, Any]] = {
    "another class": {"classes": frozenset({ChangeClass.TITLE})},
    "another server": {"servers": frozenset({"mail"})},
    "another kind": {"kinds": frozenset({"prompt"})},
}


@pytest.mark.parametrize("values", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_policy_decides_only_what_it_is_written_for(review: Review, reviewer: Actor, values: dict[str, Any]) -> None:
    make_server("mail")
    rule = Rule(**{"classes": WORDS.classes, "environments": WORDS.environments, "text_max": 9, **values})
    assert "written for" in refused(BY_POLICY, *by(policy_of(reviewer, rule=rule), review))


def test_a_policy_for_development_decides_nothing_in_production(review: Review, reviewer: Actor) -> None:
    revision = policy_of(reviewer)
    Server.objects.update(environment="production")
    assert "written for" in refused(BY_POLICY, *by(revision, review))


FOUND = (
    "INSERT INTO tools_finding (public_id, version_id, rule, severity, confidence, field, evidence, found_at)"
    " VALUES (gen_random_uuid(), %s, %s, %s, 'high', '/description', '', now())"
)


@pytest.mark.parametrize(
    ("rule", "severity"), [("HF-301", "medium"), ("HF-101", "high"), ("HF-105", "critical"), ("HF-000", "low")]
)
def test_a_policy_decides_nothing_that_a_person_should_look_at(
    review: Review, reviewer: Actor, rule: str, severity: str
) -> None:
    run(FOUND, review.version_id, rule, severity)
    assert "written for" in refused(BY_POLICY, *by(policy_of(reviewer), review))


def test_a_weak_finding_leaves_a_change_to_a_policy(review: Review, reviewer: Actor) -> None:
    run(FOUND, review.version_id, "HF-301", "low")
    run(BY_POLICY, *by(policy_of(reviewer), review))


def test_many_weak_findings_together_are_for_people(
    server: Server, reviewer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll(server, tool())
    approve(waiting(), reviewer)
    monkeypatch.setattr("tools.services.scanning.scanner.scan_item", lambda _: Report(0.4, "medium", (), 0))
    poll(server, tool(description="Read one file."))
    run("UPDATE tools_review SET state = 'superseded', closed_at = clock_timestamp() WHERE state = 'waiting'")
    columns = "definition_id, version_id, base_id, vantage, change, required_approvals, opened_at, times"
    run(
        f"INSERT INTO tools_review (public_id, state, risk, {columns})"
        f" SELECT gen_random_uuid(), 'waiting', 'low', {columns} FROM tools_review WHERE state = 'superseded'"
    )
    assert "written for" in refused(BY_POLICY, *by(policy_of(reviewer), waiting()))


def test_a_policy_decides_nothing_new_or_with_a_finding(server: Server, reviewer: Actor) -> None:
    revision = policy_of(reviewer, rule=Rule(WORDS.classes, WORDS.environments, text_max=9))
    run("UPDATE tools_changepolicy SET in_force_id = NULL")
    run(
        "INSERT INTO tools_policyrevision (public_id, policy_id, n, classes, kinds, environments, servers, text_max,"
        " written_by_id, why, written_at) SELECT gen_random_uuid(), policy_id, 2, '{new,wording}', kinds,"
        " environments, servers, text_max, written_by_id, why, now() FROM tools_policyrevision WHERE id = %s",
        revision.pk,
    )
    greedy = PolicyRevision.objects.get(n=2)
    run("UPDATE tools_changepolicy SET in_force_id = %s", greedy.pk)
    poll(server, tool())
    new = waiting()
    assert "written for" in refused(BY_POLICY, *by(greedy, new))
    approve(new, reviewer)
    poll(server, tool(description="Read a fi\u200ble, then count its lines."))
    found = waiting()
    assert found.change == ["wording"]
    assert "written for" in refused(BY_POLICY, *by(greedy, found))


def test_a_policy_decides_nothing_of_high_risk(server: Server, reviewer: Actor) -> None:
    revision = policy_of(reviewer, in_force=False)
    run(
        "INSERT INTO tools_policyrevision (public_id, policy_id, n, classes, kinds, environments, servers, text_max,"
        " written_by_id, why, written_at) SELECT gen_random_uuid(), policy_id, 2, '{annotations_loosened}', kinds,"
        " environments, servers, text_max, written_by_id, why, now() FROM tools_policyrevision WHERE id = %s",
        revision.pk,
    )
    greedy = PolicyRevision.objects.get(n=2)
    run("UPDATE tools_changepolicy SET in_force_id = %s", greedy.pk)
    poll(server, tool())
    approve(waiting(), reviewer)
    poll(server, tool(annotations={"readOnlyHint": True}))
    assert waiting().risk == "high"
    assert "written for" in refused(BY_POLICY, *by(greedy, waiting()))


def test_a_decision_is_somebodys_or_a_policys_and_a_policy_never_says_no(review: Review, reviewer: Actor) -> None:
    revision = policy_of(reviewer)
    assert "decision_by_person_or_policy" in refused(BY_NOBODY, review.pk, review.version.digest)
    both = DECIDE.replace("person_id", "person_id, policy_id").replace("%s, %s, 'approve'", "%s, %s, %s, 'approve'")
    args = (review.pk, person_of(reviewer).pk, revision.pk, review.version.digest)
    assert "decision_by_person_or_policy" in refused(both, *args)
    assert "decision_by_person_or_policy" in refused(BY_POLICY.replace("'approve'", "'reject'"), *by(revision, review))


def test_a_policy_decides_another_digest_as_little_as_people_do(review: Review, reviewer: Actor) -> None:
    assert "names the digest" in refused(BY_POLICY, review.pk, policy_of(reviewer).pk, "sha256:" + "0" * 64)


class TestFourEyes:
    @pytest.fixture
    def two(self, review: Review) -> Review:
        Server.objects.update(required_approvals=2)
        return review

    def test_one_signature_is_half_an_approval(self, two: Review, reviewer: Actor) -> None:
        run(BY_POLICY, *by(policy_of(reviewer), two))
        assert "approvals first" in refused(APPROVE, two.pk)

    def test_a_person_and_the_policy_that_they_wrote_are_one_voice(self, two: Review, reviewer: Actor) -> None:
        run(BY_POLICY, *by(policy_of(reviewer), two))
        run(DECIDE, two.pk, person_of(reviewer).pk, two.version.digest)
        assert "approvals first" in refused(APPROVE, two.pk)

    def test_two_policies_of_one_writer_are_one_voice(self, two: Review, reviewer: Actor) -> None:
        for name in ("a", "b"):
            run(BY_POLICY, *by(policy_of(reviewer, name=name), two))
        assert "approvals first" in refused(APPROVE, two.pk)

    def test_the_registrants_signature_does_not_count(self, two: Review, registrant: Person, reviewer: Actor) -> None:
        revision = policy_of(actor_of(registrant))
        run(SIGN, person_of(reviewer).pk, revision.pk)
        run(BY_POLICY, *by(revision, two))
        assert "approvals first" in refused(APPROVE, two.pk)

    def test_nobody_confirms_what_they_wrote(self, two: Review, reviewer: Actor) -> None:
        revision = policy_of(reviewer)
        assert "confirmed_by_another" in refused(SIGN, person_of(reviewer).pk, revision.pk)


def test_a_revision_never_changes_but_for_one_signature(
    review: Review, reviewer: Actor, second_reviewer: Actor
) -> None:
    revision = policy_of(reviewer)
    for column, value in (
        ("classes", "'{wording,new}'"), ("environments", "'{production}'"), ("text_max", "200"), ("why", "'other'"),
        ("written_by_id", str(person_of(second_reviewer).pk)), ("servers", "'{mail}'"), ("n", "7"),
    ):  # fmt: skip
        sql = f"UPDATE tools_policyrevision SET {column} = {value}"
        assert "only ever confirmed" in refused(sql), column
    assert "only ever confirmed" in refused("DELETE FROM tools_policyrevision")
    refused("TRUNCATE tools_policyrevision CASCADE")
    run(SIGN, person_of(second_reviewer).pk, revision.pk)
    third = Person.objects.create(username="tara")
    assert "only ever confirmed" in refused(SIGN, third.pk, revision.pk)
    assert "only ever confirmed" in refused(
        "UPDATE tools_policyrevision SET confirmed_by_id = NULL, confirmed_at = NULL"
    )


def test_a_policy_keeps_its_name_and_puts_its_own_revisions_in_force(reviewer: Actor) -> None:
    one, other = policy_of(reviewer, name="one"), policy_of(reviewer, name="other", in_force=False)
    assert "keeps its name" in refused("UPDATE tools_changepolicy SET name = 'renamed'")
    sql = "UPDATE tools_changepolicy SET in_force_id = %s WHERE id = %s"
    assert "its own revisions" in refused(sql, one.pk, other.policy_id)
    refused("DELETE FROM tools_changepolicy")
    refused("TRUNCATE tools_changepolicy CASCADE")
    assert ChangePolicy.objects.count() == 2


EMPTY = {
    "no class": ("classes", "'{}'"),
    "no environment": ("environments", "'{}'"),
    "no reason": ("why", "' '"),
}


@pytest.mark.parametrize(("column", "value"), EMPTY.values(), ids=EMPTY)
def test_a_revision_says_what_where_and_why(reviewer: Actor, column: str, value: str) -> None:
    columns = ["classes", "kinds", "environments", "servers", "text_max", "written_by_id", "why"]
    values = [value if name == column else name for name in columns]
    policy_of(reviewer)
    sql = (
        f"INSERT INTO tools_policyrevision (public_id, policy_id, n, written_at, {', '.join(columns)})"
        f" SELECT gen_random_uuid(), policy_id, 2, now(), {', '.join(values)} FROM tools_policyrevision"
    )
    assert "policy_revision_says" in refused(sql)
