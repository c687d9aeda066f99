"""A policy in force approves what a look finds and it is written for; everything else waits for people."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access.models import Grant, Membership, Person, Role, Team
from audit.models import Record
from core.actor import Actor
from core.permissions import Permission
from servers.models import Server
from servers.services import edit_server
from servers.surface import Item
from tests.tools.making import actor_of, approve, card, entrust, make_server, poll, reject, served, tool, waiting
from tests.tools.test_measure import distance
from tools import services
from tools.classify import ChangeClass
from tools.models import Definition, Finding, Pin, PolicyRevision, Review, ReviewDecision, Sighting
from tools.policies import Rule
from tools.rules import MOVES_LOUD
from tools.scanner import Confidence, Found, Report, Severity
from tools.services import applying, closing

pytestmark = pytest.mark.django_db

DEVELOPMENT = frozenset({"development"})
WORDS = Rule(frozenset({ChangeClass.WORDING}), DEVELOPMENT, text_max=20)
SCHEMAS = Rule(
    frozenset({ChangeClass.INPUT_SCHEMA_EQUIVALENT, ChangeClass.INPUT_SCHEMA_NARROWED}),
    frozenset({"development", "production"}),
)
PATH = {"type": "object", "properties": {"path": {"type": "string"}}}
NEEDS_PATH = {**PATH, "required": ["path"]}


def in_force(rule: Rule, writer: Actor, confirmer: Actor | None = None, name: str = "small words") -> PolicyRevision:
    """A policy with one revision in force, signed by people who may decide."""
    for signer in (writer, confirmer) if confirmer else (writer,):
        entrust(signer, Permission.REVIEW_DECIDE)
    revision = services.write_policy(name=name, rule=rule, why="Tired of these.", actor=writer)
    policy_id = revision.policy.public_id
    if confirmer is not None:
        services.confirm_revision(policy_id=policy_id, n=1, reason="I agree.", actor=confirmer)
    services.enable_policy(policy_id=policy_id, n=1, reason="Let it work.", actor=writer)
    return revision


@pytest.fixture
def revision(reviewer: Actor) -> PolicyRevision:
    return in_force(WORDS, reviewer)


@pytest.fixture
def approved(server: Server, reviewer: Actor) -> Review:
    """What people approved; every test starts from it."""
    poll(server, tool())
    return approve(waiting(), reviewer)


def by_policy() -> int:
    return ReviewDecision.objects.filter(policy__isnull=False).count()


def shows(server: Server, text: str) -> bool:
    """Let the server show `text`, and say whether agents are served it at once."""
    poll(server, tool(description=text))
    definition = Definition.objects.select_related("observed").get(server=server, name="read")
    assert definition.observed is not None
    return served(server).get("read") == definition.observed.digest


def test_a_small_change_is_approved_and_says_by_which_revision(
    server: Server, approved: Review, revision: PolicyRevision
) -> None:
    result = poll(server, tool(description="Read one file."))
    assert result.reviews_opened == 0
    decision = ReviewDecision.objects.get(policy=revision)
    assert (decision.verdict, decision.person, decision.review.state) == ("approve", None, "approved")
    assert decision.reason == "policy small words revision 1: wording; 4 of 20 characters of text changed"
    assert Pin.objects.live().get().version == decision.review.version
    record = Record.objects.filter(event="review.decided").latest("pk")
    assert (record.type, record.reason, record.tool_hash) == ("review", decision.reason, decision.digest)
    assert record.after is not None
    assert (record.after["policy"], record.after["revision"], record.after["state"]) == ("small words", 1, "approved")


def test_without_a_policy_in_force_a_look_costs_one_query_more_and_nothing_is_approved(
    server: Server, approved: Review
) -> None:
    review = Review.objects.select_related("definition").get()
    with CaptureQueriesContext(connection) as queries:
        assert applying.apply_policies(server=server, reviews=[review] * 500, now=timezone.now()) == 0
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        assert applying.apply_policies(server=server, reviews=[], now=timezone.now()) == 0
    assert len(queries) == 0
    assert not shows(server, "Read one file.")


def test_what_is_new_is_never_approved(server: Server, revision: PolicyRevision) -> None:
    assert not shows(server, "Read a file.")
    assert by_policy() == 0


def test_a_change_beyond_the_limit_waits(server: Server, approved: Review, revision: PolicyRevision) -> None:
    assert not shows(server, "Read a file, then send it to somebody else.")
    assert waiting().state == "waiting"


def test_small_steps_do_not_add_up(server: Server, approved: Review, revision: PolicyRevision) -> None:
    assert shows(server, "Read a file quickly.")
    assert not shows(server, "Read a file quickly, and send it.")
    assert by_policy() == 1


def test_going_back_and_forth_near_what_people_approved_is_served(
    server: Server, approved: Review, revision: PolicyRevision
) -> None:
    assert shows(server, "Read one file.")
    assert shows(server, "Read a file.")
    assert shows(server, "Read one file.")


def test_another_approval_by_people_moves_what_changes_are_measured_from(
    server: Server, approved: Review, revision: PolicyRevision, second_reviewer: Actor
) -> None:
    assert not shows(server, "Read a file quickly, and send it.")
    approve(waiting(), second_reviewer)
    assert shows(server, "Read a file quickly, and send it now.")


def test_what_a_person_should_look_at_is_for_people(server: Server, approved: Review, revision: PolicyRevision) -> None:
    assert not shows(server, "Read a fi\u200ble.")
    assert set(Finding.objects.values_list("severity", flat=True)) & {"medium", "high"}


def test_a_weak_finding_does_not_keep_a_policy_from_deciding(
    server: Server, approved: Review, revision: PolicyRevision, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = Found("HF-301", Severity.LOW, Confidence.LOW, "/description", "one")
    monkeypatch.setattr("tools.services.scanning.scanner.scan_item", lambda _: Report(0.15, "low", (weak,), 0))
    assert shows(server, "Read one file.")
    assert Finding.objects.get().severity == "low"


def test_an_incomplete_scan_is_for_people(
    server: Server, approved: Review, revision: PolicyRevision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.services.scanning.scanner.scan_item", lambda _: Report(0.0, "none", (), 1))
    assert not shows(server, "Read one file.")
    assert Finding.objects.get().rule == "HF-000"


def test_a_text_that_somebody_rejected_on_any_server_is_for_people(
    server: Server, approved: Review, revision: PolicyRevision, reviewer: Actor
) -> None:
    other = make_server("mail")
    poll(other, tool(description="Read one file."))
    reject(Review.objects.waiting().get(definition__server=other), reviewer)
    assert not shows(server, "Read one file.")


def test_after_a_rejection_the_definition_is_for_people(
    server: Server, approved: Review, revision: PolicyRevision, reviewer: Actor
) -> None:
    poll(server, tool(description="Read a file and all of the passwords."))
    reject(waiting(), reviewer)
    assert not shows(server, "Read a file now.")
    assert not shows(server, "Read a file and all of the passwords.")


def test_a_text_whose_approval_somebody_withdrew_is_for_people(
    server: Server, approved: Review, revision: PolicyRevision, reviewer: Actor
) -> None:
    assert shows(server, "Read one file.")
    definition = Definition.objects.select_related("observed").get()
    assert definition.observed is not None
    digest = definition.observed.digest
    services.withdraw_approval(definition_id=definition.public_id, digest=digest, reason="No.", actor=reviewer)
    assert served(server) == {}
    poll(server, tool())
    approve(waiting(), reviewer)
    assert not shows(server, "Read one file.")
    assert shows(server, "Read this file.")


def test_after_somebody_went_back_the_definition_is_for_people(
    server: Server, approved: Review, revision: PolicyRevision, reviewer: Actor
) -> None:
    assert shows(server, "Read one file.")
    pin = Pin.objects.live().select_related("version", "definition").get()
    services.return_to_version(
        definition_id=pin.definition.public_id,
        digest=approved.version.digest,
        expected_pin=pin.version.digest,
        reason="The old words were better.",
        actor=reviewer,
    )
    assert waiting().version == pin.version
    assert by_policy() == 1
    poll(server, tool())
    assert not shows(server, "Read one file.")


def test_what_other_principals_are_shown_keeps_a_policy_away(
    server: Server, approved: Review, revision: PolicyRevision
) -> None:
    definition = Definition.objects.get()
    other = definition.versions.create(digest="sha256:" + "0" * 64, text="{}")
    Sighting.objects.create(definition=definition, vantage="agents", version=other)
    poll(server, tool(description="Read one file."))
    assert by_policy() == 0


def test_a_definition_that_never_rests_is_for_people(
    server: Server, approved: Review, revision: PolicyRevision
) -> None:
    Definition.objects.update(moves=MOVES_LOUD, moves_since=timezone.now())
    assert not shows(server, "Read one file.")


def test_an_approval_for_a_time_ends_in_time(server: Server, reviewer: Actor, revision: PolicyRevision) -> None:
    until = timezone.now() + timedelta(days=1)
    poll(server, tool())
    approve(waiting(), reviewer, approve_until=until)
    assert shows(server, "Read one file.")
    assert Pin.objects.live().get().expires_at == until
    assert shows(server, "Read this file.")
    assert Pin.objects.live().get().expires_at == until


def test_a_change_of_what_has_run_out_is_for_people(server: Server, reviewer: Actor, revision: PolicyRevision) -> None:
    now = timezone.now()
    with time_machine.travel(now - timedelta(hours=2), tick=False):
        poll(server, tool())
        approve(waiting(), reviewer, approve_until=now - timedelta(hours=1))
    assert not shows(server, "Read one file.")


@pytest.mark.parametrize(
    ("values", "is_approved"),
    [({}, True), ({"environment": "production"}, False), ({"environment": "staging"}, False)],
)
def test_text_is_approved_in_development_only(
    server: Server, approved: Review, revision: PolicyRevision, values: dict[str, Any], *, is_approved: bool
) -> None:
    Server.objects.update(**values)
    poll(server, tool(description="Read one file."), asked_for_authentication=True)
    assert (by_policy() == 1) is is_approved


def test_what_people_approved_for_another_environment_is_followed_by_people(
    registrant: Person, reviewer: Actor, revision: PolicyRevision
) -> None:
    """However short the stay in development is, what a policy approves there would be production's afterwards."""
    server = make_server("files", environment="production", registered_by=registrant)
    poll(server, tool(), asked_for_authentication=True)
    approve(waiting(), reviewer)
    edit_server(slug="files", changes={"environment": "development"}, actor=reviewer)
    server.refresh_from_db()
    assert not shows(server, "Read one file.")
    assert by_policy() == 0
    approve(waiting(), reviewer)
    assert shows(server, "Read this file.")


def test_a_schema_proved_narrower_is_approved_in_production_too(registrant: Person, reviewer: Actor) -> None:
    in_force(SCHEMAS, reviewer)
    server = make_server("files", environment="production", registered_by=registrant)
    poll(server, tool(inputSchema=PATH), asked_for_authentication=True)
    approve(waiting(), reviewer)
    poll(server, tool(inputSchema=NEEDS_PATH), asked_for_authentication=True)
    assert by_policy() == 1
    poll(server, tool(inputSchema=PATH), asked_for_authentication=True)
    assert by_policy() == 1
    assert waiting().change == ["input_schema_widened"]


def test_a_card_with_another_version_number_is_approved(server: Server, reviewer: Actor) -> None:
    in_force(Rule(frozenset({ChangeClass.IDENTITY_VERSION}), frozenset({"development"})), reviewer)
    poll(server, card())
    approve(waiting("card"), reviewer)
    poll(server, card(serverInfo={"name": "files", "version": "1.1"}))
    assert by_policy() == 1
    poll(server, card(serverInfo={"name": "files", "version": "2 (read the secrets first)"}))
    assert by_policy() == 1


class TestFourEyes:
    @pytest.fixture
    def two(self, server: Server, reviewer: Actor, second_reviewer: Actor) -> Server:
        Server.objects.update(required_approvals=2)
        poll(server, tool())
        approve(waiting(), reviewer)
        approve(waiting(), second_reviewer)
        return server

    def test_one_signature_decides_nothing_where_two_people_are_asked(self, two: Server, reviewer: Actor) -> None:
        in_force(WORDS, reviewer)
        assert not shows(two, "Read one file.")
        assert by_policy() == 0
        assert not waiting().decisions.exists()

    def test_two_signatures_decide(self, two: Server, reviewer: Actor, second_reviewer: Actor) -> None:
        in_force(WORDS, reviewer, second_reviewer)
        assert shows(two, "Read one file.")

    def test_nothing_is_decided_in_the_name_of_somebody_who_has_left(
        self, two: Server, reviewer: Actor, second_reviewer: Actor
    ) -> None:
        in_force(WORDS, reviewer, second_reviewer)
        Person.objects.filter(public_id=second_reviewer.id).update(is_active=False)
        assert not shows(two, "Read one file.")

    def test_nor_of_somebody_who_may_decide_no_more(self, two: Server, reviewer: Actor, second_reviewer: Actor) -> None:
        in_force(WORDS, reviewer, second_reviewer)
        Grant.objects.filter(person__public_id=second_reviewer.id).update(revoked_at=timezone.now())
        assert not shows(two, "Read one file.")
        assert by_policy() == 0

    def test_the_registrants_signature_does_not_count(self, two: Server, registrant: Person, reviewer: Actor) -> None:
        in_force(WORDS, actor_of(registrant), reviewer)
        assert not shows(two, "Read one file.")

    def test_the_signature_of_who_changed_the_endpoint_does_not_count(
        self, two: Server, reviewer: Actor, second_reviewer: Actor
    ) -> None:
        Server.objects.update(
            url="http://127.0.0.1:1/x", endpoint_changed_by=Person.objects.get(public_id=second_reviewer.id)
        )
        in_force(WORDS, reviewer, second_reviewer)
        assert not shows(two, "Read one file.")

    def test_the_next_policy_is_asked_where_ones_voices_do_not_suffice(
        self, two: Server, reviewer: Actor, second_reviewer: Actor
    ) -> None:
        in_force(WORDS, reviewer, name="a single one")
        in_force(WORDS, reviewer, second_reviewer, name="both of us")
        assert shows(two, "Read one file.")
        assert ReviewDecision.objects.get(policy__isnull=False).reason.startswith("policy both of us revision 1")


def test_the_first_policy_by_name_that_approves_decides(server: Server, approved: Review, reviewer: Actor) -> None:
    in_force(Rule(frozenset({ChangeClass.TITLE}), DEVELOPMENT, text_max=5), reviewer, name="a")
    in_force(WORDS, reviewer, name="c")
    in_force(WORDS, reviewer, name="b")
    assert shows(server, "Read one file.")
    assert ReviewDecision.objects.get(policy__isnull=False).reason.startswith("policy b ")


def test_who_decides_for_their_own_team_only_signs_for_its_servers_only(
    server: Server, approved: Review, revision: PolicyRevision, reviewer: Actor
) -> None:
    mine, theirs = (Team.objects.create(slug=slug, name=slug) for slug in ("mine", "theirs"))
    Membership.objects.create(team=mine, person=Person.objects.get(public_id=reviewer.id))
    Role.objects.update(reach="own_teams")
    for team, is_served in ((None, False), (theirs, False), (mine, True)):
        server.owner_team = team
        server.save()
        assert shows(server, f"Read {team}.") is is_served
        poll(server, tool())


def test_a_policy_decides_nothing_that_waited_before_it(server: Server, approved: Review, reviewer: Actor) -> None:
    assert not shows(server, "Read one file.")
    in_force(WORDS, reviewer)
    assert not shows(server, "Read one file.")
    assert by_policy() == 0


def test_a_policy_that_was_disabled_approves_no_more_and_keeps_what_it_approved(
    server: Server, approved: Review, revision: PolicyRevision, reviewer: Actor
) -> None:
    assert shows(server, "Read one file.")
    services.disable_policy(policy_id=revision.policy.public_id, reason="Enough.", actor=reviewer)
    assert list(served(server)) == ["read"]
    assert not shows(server, "Read this file.")


class TestFailure:
    """Whatever fails, the change is held and waits; and what failed is logged."""

    def test_of_one_change_leaves_it_waiting_and_decides_the_others(
        self, server: Server, reviewer: Actor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        poll(server, tool("a"), tool("b"))
        for name in ("a", "b"):
            approve(waiting(name), reviewer)
        in_force(WORDS, reviewer)
        close = closing.close_if_decided

        def fails_for_a(server: Server, review: Review, *args: Any, **values: Any) -> bool:
            done = close(server, review, *args, **values)
            if review.definition.name == "a":
                raise RuntimeError("a defect")
            return done

        monkeypatch.setattr(applying, "close_if_decided", fails_for_a)
        result = poll(server, tool("a", "Read one file."), tool("b", "Read one file."))
        assert (result.complete, result.reviews_opened) == (True, 1)
        assert not waiting("a").decisions.exists()
        assert list(served(server)) == ["b"]
        assert "no policy could decide" in caplog.text

    def test_of_measuring_leaves_it_waiting(
        self, server: Server, approved: Review, revision: PolicyRevision, monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        def fails(*_args: object, **_values: object) -> None:
            raise RecursionError("a defect that hostile text found")

        monkeypatch.setattr("tools.services.judging.measure", fails)
        assert not shows(server, "Read one file.")
        assert "could not be measured" in caplog.text

    def test_of_everything_leaves_all_waiting(
        self, server: Server, approved: Review, revision: PolicyRevision, monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        def fails(*_args: object, **_values: object) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")

        monkeypatch.setattr(applying, "cases", fails)
        assert not shows(server, "Read one file.")
        assert waiting().state == "waiting"
        assert "could not be applied" in caplog.text

    def test_running_out_of_time_leaves_it_waiting(
        self, server: Server, approved: Review, revision: PolicyRevision, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(applying, "_SECONDS", 0.0)
        assert not shows(server, "Read one file.")


def test_the_facts_are_read_in_a_number_of_queries_that_does_not_grow(server: Server, reviewer: Actor) -> None:
    in_force(WORDS, reviewer)

    def queries(count: int) -> int:
        names = [f"t{count}-{number}" for number in range(count)]
        poll(server, *(tool(name) for name in names))
        for name in names:
            approve(waiting(name), reviewer)
        items = [tool(name, "Read a file, then do something else entirely with it.") for name in names]
        with CaptureQueriesContext(connection) as captured:
            poll(server, *items)
        return len(captured)

    queries(1)  # what it leaves is there to be compared with
    assert queries(3) == queries(12)


def described(text: str) -> Item:
    return tool(description=text)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "one", "two", "a b", "ab", "it now"]), st.sampled_from("opppp")), max_size=10
    )
)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_what_is_served_is_never_far_from_what_people_approved(steps: list[tuple[str, str]]) -> None:
    """Whatever the server shows in turn and whenever people approve: no ratchet, through the whole stack."""
    people, _ = Person.objects.get_or_create(username="walter")
    actor = actor_of(people)
    name = f"s{Server.objects.count()}"
    server = make_server(name)
    if not PolicyRevision.objects.exists():
        in_force(Rule(frozenset({ChangeClass.WORDING}), DEVELOPMENT, text_max=8), actor)
    poll(server, described("Read a file"))
    approve(Review.objects.waiting().get(definition__server=server), actor)
    approved = text = "Read a file"
    for word, what in steps:
        text = f"{text} {word}" if len(text) < 60 else f"Read {word}"
        poll(server, described(text))
        held = Review.objects.waiting().filter(definition__server=server).select_related("version").first()
        if what == "o" and held is not None:
            approve(held, actor)
            approved = text
        for pin in Pin.objects.live().filter(definition__server=server).select_related("version"):
            shown = pin.version.text.split('"description":"')[1].split('"')[0]
            assert distance(approved, shown) <= 8
