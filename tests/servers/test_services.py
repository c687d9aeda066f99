"""Registering, editing and stopping servers."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from access.models import Person, ProtectedResource, Revision, Team
from audit.models import Record
from core.actor import Actor, ActorKind
from core.errors import Conflict, DomainError, Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from servers import services
from servers.limits import BOUNDS, CallLimits
from servers.models import Server
from servers.rules import POLICY_ROWS
from servers.services import Registration
from servers.tags import tags_of

pytestmark = pytest.mark.django_db

FILES = Registration(
    slug="files", name="Files", url="http://127.0.0.1:9999/mcp", environment="development", required_approvals=1
)


@pytest.fixture
def person() -> Person:
    return Person.objects.create(username="olga")


@pytest.fixture
def actor(person: Person) -> Actor:
    return Actor(ActorKind.PERSON, str(person.public_id), "olga", frozenset(Permission))


@pytest.fixture
def server(actor: Actor) -> Server:
    return services.register_server(registration=FILES, actor=actor)


def _revision(slug: str) -> int:
    return Revision.objects.get(part=f"server:{slug}").n


def test_a_registered_server_waits_for_its_first_observation(server: Server, person: Person) -> None:
    assert (server.state, server.registered_by, server.endpoint_changed_by) == ("registered", person, None)
    assert ProtectedResource.objects.get(server_slug="files").active


def test_registering_leaves_one_record_and_one_revision(server: Server) -> None:
    record = Record.objects.get(event="server.registered")
    assert (record.server, record.type, (record.after or {}).get("url")) == ("files", "config", FILES.url)
    assert _revision("files") == 1


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("slug", "Files", "small letters"),
        ("slug", "a" * 25, "at most 24"),
        ("name", " ", "1 to 200"),
        ("url", "", "http or https"),
        ("url", "ftp://127.0.0.1/", "http or https"),
        ("url", "http://user:pw@127.0.0.1/mcp", "no user"),
        ("url", "http://127.0.0.1:99999/mcp", "not a URL"),
        ("url", "http://127.0.0.1/mcp\x00", "plain ASCII"),
        ("url", "http://exämple/mcp", "plain ASCII"),
        ("url", "http://[::1/mcp", "not a URL"),
        ("transport", "sse", "deprecated"),
        ("transport", "stdio", "runs commands"),
        ("transport", "carrier-pigeon", "one of"),
        ("environment", "moon", "one of"),
        ("required_approvals", 3, "One or two"),
        ("required_approvals", True, "One or two"),
        ("poll_interval", 1, "5 to 86400"),
        ("drift_mode", "serve_anything", "one of"),
        ("intention", "sometimes", "one of"),
        ("answers", "believe", "one of"),
        ("capture", {"everything": True}, "no setting"),
        ("tags", ["two words"], "no tag"),
        ("tags", "payments", "list of words"),
        ("team", "nobody", "no team"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(actor: Actor, field: str, value: Any, complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint) as refused:
        services.register_server(registration=replace(FILES, **{field: value}), actor=actor)
    assert refused.value.field == field
    assert not Server.objects.exists()


def test_limits_that_do_not_fit_are_refused_each_at_its_field_and_nothing_is_written(actor: Actor) -> None:
    wrong = replace(FILES, concurrent_calls=0, idle_seconds=301, answer_bytes="16 MiB")  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="concurrent_calls: A whole number from 1 to 500") as refused:
        services.register_server(registration=wrong, actor=actor)
    assert refused.value.details == {
        "answer_bytes": "A whole number from 4096 to 67108864.",
        "concurrent_calls": "A whole number from 1 to 500.",
        "idle_seconds": "At most the 300 seconds that a whole call may take.",
    }
    assert not Server.objects.exists()


def test_stdio_that_names_no_url_is_told_that_it_is_stdio(actor: Actor) -> None:
    with pytest.raises(Invalid, match="runs commands") as refused:
        services.register_server(registration=replace(FILES, transport="stdio", url=""), actor=actor)
    assert refused.value.field == "transport"


def test_http_is_refused_where_no_network_is_allowed(actor: Actor, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ()
    with pytest.raises(Invalid, match="Only https"):
        services.register_server(registration=FILES, actor=actor)


def test_a_slug_is_never_given_to_a_second_server(server: Server, actor: Actor) -> None:
    with pytest.raises(Conflict, match="taken"):
        services.register_server(registration=replace(FILES, url="http://127.0.0.1:1/"), actor=actor)


def test_registering_a_retired_slug_revives_the_same_row(server: Server, actor: Actor) -> None:
    services.retire_server(slug="files", actor=actor, reason="moved")
    assert not ProtectedResource.objects.get(server_slug="files").active
    again = services.register_server(registration=replace(FILES, name="Files 2"), actor=actor)
    assert (again.pk, again.state, again.name) == (server.pk, "registered", "Files 2")
    assert ProtectedResource.objects.get(server_slug="files").active


def test_another_team_does_not_take_a_retired_slug_over_with_its_history(actor: Actor, person: Person) -> None:
    theirs, mine = (Team.objects.create(slug=slug, name=slug) for slug in ("theirs", "mine"))
    services.register_server(registration=replace(FILES, team="theirs"), actor=actor)
    services.retire_server(slug="files", actor=actor, reason="gone")
    own = frozenset({Permission.SERVER_REGISTER.value})
    owner = Actor(ActorKind.PERSON, str(person.public_id), "olga", frozenset(), own, frozenset({mine.pk}))
    with pytest.raises(PermissionDenied):
        services.register_server(registration=replace(FILES, team="mine"), actor=owner)
    both = replace(owner, team_ids=frozenset({mine.pk, theirs.pk}))
    assert services.register_server(registration=replace(FILES, team="mine"), actor=both).owner_team == mine


def test_what_agents_get_while_a_change_waits_is_chosen_recorded_and_noticed(server: Server, actor: Actor) -> None:
    assert server.drift_mode == "block"
    before = _revision("files")
    services.edit_server(slug="files", changes={"drift_mode": "serve_pinned"}, actor=actor, reason="Noisy wording.")
    assert Server.objects.get(slug="files").drift_mode == "serve_pinned"
    record = Record.objects.get(event="server.edited")
    assert ((record.before or {})["drift_mode"], (record.after or {})["drift_mode"]) == ("block", "serve_pinned")
    assert _revision("files") == before + 1
    assert Server.objects.get(slug="files").state == server.state


def test_which_calls_must_say_why_is_chosen_recorded_and_noticed(server: Server, actor: Actor) -> None:
    assert server.intention == "none"
    before = _revision("files")
    services.edit_server(slug="files", changes={"intention": "sensitive"}, actor=actor, reason="It moves money.")
    assert Server.objects.get(slug="files").intention == "sensitive"
    record = Record.objects.get(event="server.edited")
    assert ((record.before or {})["intention"], (record.after or {})["intention"]) == ("none", "sensitive")
    assert _revision("files") == before + 1


def test_what_becomes_of_answers_is_chosen_recorded_and_noticed(server: Server, actor: Actor) -> None:
    assert server.answers == "record"
    before = _revision("files")
    services.edit_server(slug="files", changes={"answers": "withhold"}, actor=actor, reason="It reads mail.")
    assert Server.objects.get(slug="files").answers == "withhold"
    record = Record.objects.get(event="server.edited")
    assert ((record.before or {})["answers"], (record.after or {})["answers"]) == ("record", "withhold")
    assert _revision("files") == before + 1


def test_tags_are_given_at_registration_changed_later_and_recorded(actor: Actor) -> None:
    services.register_server(registration=replace(FILES, tags=["PCI", "payments", "pci"]), actor=actor)
    assert Server.objects.get(slug="files").tags == ["payments", "pci"]
    assert (Record.objects.get(event="server.registered").after or {})["tags"] == ["payments", "pci"]
    services.edit_server(slug="files", changes={"tags": ["vendor:acme", "pci"]}, actor=actor, reason="No cards.")
    assert Server.objects.get(slug="files").tags == ["pci", "vendor:acme"]
    record = Record.objects.get(event="server.edited")
    assert (record.before or {})["tags"] == ["payments", "pci"]
    assert (record.after or {})["tags"] == ["pci", "vendor:acme"]


def test_tags_that_are_none_change_nothing(server: Server, actor: Actor) -> None:
    with pytest.raises(Invalid, match="no tag"):
        services.edit_server(slug="files", changes={"name": "New", "tags": ["fine", "<b>"]}, actor=actor)
    assert (Server.objects.get().name, Server.objects.get().tags) == (FILES.name, [])


def test_no_policy_is_decided_by_tags() -> None:
    assert [rows.columns for rows in POLICY_ROWS if "tags" in rows.columns] == []


def test_servers_are_found_by_each_of_their_tags(actor: Actor) -> None:
    services.register_server(registration=replace(FILES, tags=["payments", "pci"]), actor=actor)
    services.register_server(registration=replace(FILES, slug="mail", tags=["pci-old"]), actor=actor)
    found = {
        tag: [each.slug for each in Server.objects.tagged(tag)] for tag in ("pci", " PAYMENTS", "pci-old", "p", "")
    }
    assert found == {"pci": ["files"], " PAYMENTS": ["files"], "pci-old": ["mail"], "p": [], "": []}


def test_what_is_kept_of_calls_is_chosen_recorded_and_noticed(server: Server, actor: Actor) -> None:
    assert server.capture == {}
    before = _revision("files")
    services.edit_server(slug="files", changes={"capture": {"arguments": True}}, actor=actor, reason="A dispute.")
    kept = {"arguments": True, "result": False, "otherwise": "encrypt", "rules": []}
    assert Server.objects.get(slug="files").capture == kept
    record = Record.objects.get(event="server.edited")
    assert ((record.before or {})["capture"], (record.after or {})["capture"]) == ({}, kept)
    assert _revision("files") == before + 1


def test_limits_are_changed_recorded_and_noticed_and_the_rest_stays(server: Server, actor: Actor) -> None:
    assert server.limits == CallLimits()
    Server.objects.filter(pk=server.pk).update(state="active")
    before = _revision("files")
    changes = {"total_seconds": 90, "concurrent_calls": 8}
    services.edit_server(slug="files", changes=changes, actor=actor, reason="It hangs.")
    edited = Server.objects.get(slug="files")
    assert edited.limits == CallLimits(total_seconds=90, concurrent_calls=8)
    assert edited.state == "active"
    assert _revision("files") == before + 1
    record = Record.objects.get(event="server.edited")
    was, is_ = record.before or {}, record.after or {}
    assert {name: (was[name], is_[name]) for name in is_ if was[name] != is_[name]} == {
        "total_seconds": (300, 90),
        "concurrent_calls": (64, 8),
    }


def test_a_changed_limit_is_judged_with_those_that_stay(server: Server, actor: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        services.edit_server(slug="files", changes={"name": "F", "total_seconds": 59}, actor=actor)
    assert list(refused.value.details) == ["first_byte_seconds", "idle_seconds"]
    assert (Server.objects.get().name, Server.objects.get().limits) == ("Files", CallLimits())
    together = {"total_seconds": 59, "first_byte_seconds": 59, "idle_seconds": 9}
    services.edit_server(slug="files", changes=together, actor=actor)
    assert Server.objects.get().limits == CallLimits(**together)


def test_who_may_not_edit_a_server_does_not_change_its_limits(server: Server, actor: Actor) -> None:
    reader = replace(actor, permissions=frozenset({Permission.SERVER_READ.value}))
    with pytest.raises(PermissionDenied, match="server:edit"):
        services.edit_server(slug="files", changes={"concurrent_calls": 500}, actor=reader)
    assert Server.objects.get().concurrent_calls == 64


def test_a_revived_server_begins_with_what_is_said_at_its_registration(server: Server, actor: Actor) -> None:
    services.edit_server(slug="files", changes={"drift_mode": "serve_pinned"}, actor=actor)
    services.retire_server(slug="files", actor=actor, reason="Old.")
    assert services.register_server(registration=FILES, actor=actor).drift_mode == "block"


def test_four_eyes_are_not_edited_away_by_who_could_not_retire_the_server(server: Server, actor: Actor) -> None:
    editor = replace(actor, permissions=actor.permissions - {Permission.SERVER_RETIRE})
    services.edit_server(slug="files", changes={"required_approvals": 2}, actor=editor)
    with pytest.raises(PermissionDenied, match="server:retire"):
        services.edit_server(slug="files", changes={"required_approvals": 1}, actor=editor)
    services.edit_server(slug="files", changes={"required_approvals": 2, "name": "F"}, actor=editor)
    services.edit_server(slug="files", changes={"required_approvals": 1}, actor=actor)


def test_nobody_moves_a_server_to_where_they_may_do_more_to_it(server: Server, actor: Actor) -> None:
    mine = Team.objects.create(slug="mine", name="Mine")
    editor = replace(actor, permissions=frozenset({"server:read", "server:edit"}), team_ids=frozenset({mine.pk}))
    mover = replace(editor, own_team_permissions=frozenset({"review:decide"}))
    with pytest.raises(PermissionDenied, match="review:decide"):
        services.edit_server(slug="files", changes={"team": "mine"}, actor=mover)
    services.edit_server(slug="files", changes={"team": "mine"}, actor=editor)
    services.edit_server(slug="files", changes={"team": "mine", "name": "F"}, actor=mover)


def test_a_new_endpoint_starts_observation_over_and_names_who_moved_it(
    server: Server, person: Person, actor: Actor
) -> None:
    Server.objects.filter(pk=server.pk).update(state="active", protocol_era="modern", reachable=True)
    edited = services.edit_server(slug="files", changes={"url": "http://127.0.0.1:1/mcp"}, actor=actor, reason="moved")
    assert (edited.state, edited.protocol_era, edited.reachable) == ("registered", "", None)
    assert edited.endpoint_changed_by == person
    assert (Record.objects.get(event="server.edited").before or {})["url"] == FILES.url


def test_the_endpoint_key_goes_with_the_url(server: Server, actor: Actor) -> None:
    assert server.endpoint_key == "http://127.0.0.1:9999/mcp"
    services.edit_server(slug="files", changes={"url": "HTTP://127.0.0.1:80/a/../mcp/"}, actor=actor)
    assert Server.objects.get().endpoint_key == "http://127.0.0.1/mcp"
    services.edit_server(slug="files", changes={"name": "F"}, actor=actor)
    assert Server.objects.get().endpoint_key == "http://127.0.0.1/mcp"


def test_editing_a_suspended_server_does_not_resume_it(server: Server, actor: Actor) -> None:
    services.suspend_server(slug="files", actor=actor, reason="incident")
    edited = services.edit_server(slug="files", changes={"url": "http://127.0.0.1:1/mcp"}, actor=actor)
    assert edited.state == "suspended"


def test_another_environment_is_looked_at_again_before_the_server_serves(server: Server, actor: Actor) -> None:
    Server.objects.filter(pk=server.pk).update(state="active")
    edited = services.edit_server(slug="files", changes={"environment": "production"}, actor=actor)
    assert (edited.state, edited.endpoint_changed_by) == ("registered", None)


def test_production_is_not_edited_away_by_who_could_not_retire_the_server(server: Server, actor: Actor) -> None:
    editor = replace(actor, permissions=actor.permissions - {Permission.SERVER_RETIRE})
    for environment in ("staging", "production"):
        services.edit_server(slug="files", changes={"environment": environment}, actor=editor)
    for environment in ("staging", "development"):
        with pytest.raises(PermissionDenied, match="server:retire"):
            services.edit_server(slug="files", changes={"environment": environment}, actor=editor)
    services.edit_server(slug="files", changes={"environment": "production", "name": "F"}, actor=editor)
    services.edit_server(slug="files", changes={"environment": "development"}, actor=actor)


def test_it_is_kept_when_the_environment_last_changed(server: Server, actor: Actor) -> None:
    services.edit_server(
        slug="files", changes={"environment": "development", "url": "http://127.0.0.1:1/"}, actor=actor
    )
    assert Server.objects.get().environment_changed_at is None
    moment = timezone.now() + timedelta(hours=1)
    with time_machine.travel(moment, tick=False):
        services.edit_server(slug="files", changes={"environment": "staging"}, actor=actor)
    services.edit_server(slug="files", changes={"environment": "staging", "name": "F"}, actor=actor)
    assert Server.objects.get().environment_changed_at == moment


def test_a_new_name_leaves_the_state_alone(server: Server, actor: Actor) -> None:
    Server.objects.filter(pk=server.pk).update(state="active")
    assert services.edit_server(slug="files", changes={"name": "F"}, actor=actor).state == "active"


@pytest.mark.parametrize("field", ["slug", "state", "registered_by", "lease_token"])
def test_nothing_else_can_be_edited(server: Server, actor: Actor, field: str) -> None:
    with pytest.raises(Invalid, match="cannot be changed"):
        services.edit_server(slug="files", changes={field: "x"}, actor=actor)


def test_suspending_and_resuming_ask_for_a_reason_and_leave_records(server: Server, actor: Actor) -> None:
    with pytest.raises(Invalid, match="why"):
        services.suspend_server(slug="files", actor=actor, reason="  ")
    assert services.suspend_server(slug="files", actor=actor, reason="incident 7").state == "suspended"
    with pytest.raises(Conflict):
        services.suspend_server(slug="files", actor=actor, reason="again")
    assert services.resume_server(slug="files", actor=actor, reason="over").state == "registered"
    with pytest.raises(Conflict):
        services.resume_server(slug="files", actor=actor, reason="again")
    events = list(Record.objects.filter(server="files").order_by("id").values_list("event", "reason"))
    assert events[1:] == [("server.suspended", "incident 7"), ("server.resumed", "over")]
    assert _revision("files") == 3


def test_a_person_without_the_permission_is_refused_and_the_refusal_is_recorded(server: Server, person: Person) -> None:
    reader = Actor(ActorKind.PERSON, str(person.public_id), "olga", frozenset({Permission.SERVER_READ.value}))
    with pytest.raises(PermissionDenied):
        services.suspend_server(slug="files", actor=reader, reason="because")
    assert Record.objects.get(type="deny").subject == "server:files"
    server.refresh_from_db()
    assert server.state == "registered"


def test_an_owner_acts_on_servers_of_own_teams_only(server: Server, person: Person) -> None:
    mine = Team.objects.create(slug="mine", name="Mine")
    theirs = Team.objects.create(slug="theirs", name="Theirs")
    own = frozenset({Permission.SERVER_READ.value, Permission.SERVER_REGISTER.value, Permission.SERVER_SUSPEND.value})
    owner = Actor(ActorKind.PERSON, str(person.public_id), "olga", frozenset(), own, frozenset({mine.pk}))
    services.register_server(registration=replace(FILES, slug="mine", team="mine"), actor=owner)
    with pytest.raises(PermissionDenied):
        services.register_server(registration=replace(FILES, slug="theirs", team="theirs"), actor=owner)
    with pytest.raises(NotFound):
        services.suspend_server(slug="files", actor=owner, reason="not mine")
    assert services.suspend_server(slug="mine", actor=owner, reason="mine").state == "suspended"
    assert list(Server.objects.visible_to(owner)) == [Server.objects.get(slug="mine")]
    assert theirs.pk not in owner.team_ids


def test_a_retired_server_is_neither_edited_nor_resumed(server: Server, actor: Actor) -> None:
    services.retire_server(slug="files", actor=actor, reason="gone")
    for attempt in (
        lambda: services.edit_server(slug="files", changes={"name": "x"}, actor=actor),
        lambda: services.resume_server(slug="files", actor=actor, reason="x"),
        lambda: services.suspend_server(slug="files", actor=actor, reason="x"),
    ):
        with pytest.raises(DomainError):
            attempt()


@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("url", "", "server_url_or_template"),
        ("template", "a", "server_url_or_template"),
        ("state", "excellent", "server_state_known"),
        ("environment", "moon", "server_environment_known"),
        ("required_approvals", 0, "server_approvals_one_or_two"),
        ("poll_interval", 1, "server_poll_interval_bounded"),
        ("lease_token", "00000000-0000-7000-8000-000000000000", "server_lease_paired"),
        *((name, low - 1, f"server_{name}_bounded") for name, (low, _) in BOUNDS.items()),
        *((name, high + 1, f"server_{name}_bounded") for name, (_, high) in BOUNDS.items()),
        *((name, 301, "server_waits_within_total") for name in ("first_byte_seconds", "idle_seconds")),
    ],
)
def test_the_database_itself_refuses_what_must_never_be(
    server: Server, column: str, value: Any, constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Server.objects.filter(pk=server.pk).update(**{column: value})


@pytest.mark.parametrize(
    ("tags", "constraint"),
    [
        (["Payments"], "server_tags_well_formed"),
        (["two words"], "server_tags_well_formed"),
        (["<b>"], "server_tags_well_formed"),
        (["a\nb"], "server_tags_well_formed"),
        (["a "], "server_tags_well_formed"),
        (["p\u0430y"], "server_tags_well_formed"),
        (["x" * 41], "server_tags_well_formed"),
        ([f"t{number:02}" for number in range(21)], "server_tags_well_formed"),
        (["pci", "payments"], "server_tags_sorted"),
        (["pci", "pci"], "server_tags_sorted"),
    ],
)
def test_the_database_keeps_tags_in_their_form(server: Server, tags: list[str], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Server.objects.filter(pk=server.pk).update(tags=tags)


@pytest.mark.parametrize("tags", [[""], [None], ["a", None], None])
def test_the_database_takes_no_tag_that_is_nothing(server: Server, tags: Any) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        Server.objects.filter(pk=server.pk).update(tags=tags)


def test_the_database_takes_every_list_that_the_rule_makes(server: Server) -> None:
    words = ["b", "a", "B-1", "a.b", "a:b", "a_b", "a-b", "ab", "1", "-", "_", ":", ".", "x" * 40, "a" * 39, "aa"]
    for tags in (tags_of(words), tags_of([f"{number}" for number in range(20)]), []):
        Server.objects.filter(pk=server.pk).update(tags=tags)
        assert Server.objects.get(pk=server.pk).tags == tags


def test_a_slug_that_is_none_is_refused_by_the_database(server: Server) -> None:
    with pytest.raises(IntegrityError, match="server_slug_well_formed"), transaction.atomic():
        Server.objects.create(slug="Bad Slug", name="x", url="http://127.0.0.1/", environment="development")
