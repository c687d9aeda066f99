"""What grants are used for is counted once, from the records of calls and from nothing else."""

import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction

from access.models import AgentUse, Grant, GrantUse, UseCursor
from access.rules import Rule
from audit.drafts import RecordDraft
from audit.events import Event, RecordType
from audit.models import Leaf, Record
from audit.services import place_records
from servers.days import calls_of
from servers.surface import Item, Kind
from tests.factories import AgentFactory, GrantFactory, RoleFactory
from tests.tools.making import make_server, poll, tool
from tests.tools.records import called, connected, counted, days_ago, draft, named, write
from tools.models import Definition
from tools.services import count_uses, using

pytestmark = pytest.mark.django_db


@pytest.fixture
def grant(db: None) -> Grant:
    role = RoleFactory.create(name="callers", scopes=["mcp:files:call"])
    return GrantFactory.create(role=role, agent=AgentFactory.create(client_id="bot"))


@pytest.fixture
def read(db: None) -> Definition:
    poll(make_server("files"), tool("read"), tool("write"))
    return Definition.objects.select_related("server", "observed").get(name="read")


def uses(grant: Grant) -> dict[str, int]:
    return dict(GrantUse.objects.filter(grant=grant).values_list("scope", "calls"))


def test_a_call_counts_for_every_grant_that_carried_it_and_for_the_definition(grant: Grant, read: Definition) -> None:
    other = GrantFactory.create(role=RoleFactory.create(), agent=grant.agent)
    called(grant, read, times=3)
    called(grant, read, rule_ids=(Rule.ALLOW_DEFINITION.value, *named(grant, other)))
    counted()
    assert uses(grant) == {"mcp:files:tool:read": 4}
    assert uses(other) == {"mcp:files:tool:read": 1}
    assert GrantUse.objects.filter(grant=grant).values_list("server", "kind", "name").get() == ("files", "tool", "read")


def test_first_and_last_use_are_the_records_times_whatever_their_order(grant: Grant, read: Definition) -> None:
    moments = [days_ago(days) for days in (3, 9, 5)]
    for moment in moments:
        called(grant, read, time=moment)
        counted()
    found = GrantUse.objects.get()
    assert (found.first_used, found.last_used, found.calls) == (moments[1], moments[0], 3)


def test_connecting_and_lists_are_no_call_of_anything(grant: Grant, read: Definition) -> None:
    connected(grant)
    rules = (Rule.ALLOW_CONNECTION.value, *named(grant))
    says = {"type": RecordType.OUTCOME, "event": Event.REQUEST_ANSWERED, "server": "files", "rule_ids": rules}
    write([RecordDraft(**draft(says))])
    counted()
    assert uses(grant) == {"mcp:connect": 2}


def test_a_resource_that_a_template_gives_counts_for_the_template(grant: Grant) -> None:
    body = {"uriTemplate": "file:///{path}", "name": "files"}
    poll(make_server("files"), Item(Kind.TEMPLATE, "file:///{path}", body))
    template = Definition.objects.select_related("server", "observed").get(kind="template")
    for number in range(3):
        called(grant, template, kind="resource", tool=f"file:///{number}")
    counted()
    assert list(uses(grant).values()) == [3]
    assert GrantUse.objects.get().name == "file:///{path}"


@pytest.mark.parametrize(
    "fields",
    [
        {"decision": "denied", "event": Event.CALL_DENIED, "type": RecordType.DENY},
        {"event": Event.CALL_COMPLETED, "type": RecordType.OUTCOME},
        {"event": Event.CLIENT_ASKED},
        {"tool_hash": "sha256:" + "0" * 64},
        {"server": "others"},
        {"rule_ids": ()},
        {"rule_ids": (Rule.ALLOW_DEFINITION.value, "grant:none", "role:callers")},
        {"rule_ids": (Rule.ALLOW_DEFINITION.value, "grant:019a0000-0000-7000-8000-000000000000")},
    ],
    ids=["denied", "outcome", "asked", "unknown version", "other server", "as before", "no id", "no such grant"],
)
def test_nothing_else_counts(grant: Grant, read: Definition, fields: dict[str, Any]) -> None:
    called(grant, read, **fields)
    assert counted() > 0
    assert not GrantUse.objects.exists()


def test_what_was_counted_is_not_counted_again(grant: Grant, read: Definition) -> None:
    called(grant, read, times=2)
    counted()
    assert counted() == 0
    called(grant, read)
    assert counted() == 1
    assert uses(grant) == {"mcp:files:tool:read": 3}


def test_the_cursor_and_the_counts_move_together_or_not_at_all(
    grant: Grant, read: Definition, monkeypatch: pytest.MonkeyPatch
) -> None:
    called(grant, read)
    monkeypatch.setattr(UseCursor, "save", lambda *_args, **_options: 1 / 0)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        count_uses()
    monkeypatch.undo()
    assert not GrantUse.objects.exists()
    counted()
    assert uses(grant) == {"mcp:files:tool:read": 1}


def test_a_long_log_is_read_in_bounded_steps(
    grant: Grant, read: Definition, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    place_records()
    count_uses()
    monkeypatch.setattr(using, "_BATCH", 2)
    called(grant, read, times=5)
    places = Leaf.objects.head() - UseCursor.objects.get().index
    assert places >= 5
    assert count_uses(seconds=0) == 0
    # Lock, places, records, grants, versions, counts, agents, answered calls, cursor, and two for the transaction.
    with django_assert_num_queries(11):
        assert using._count_batch() == 2
    assert count_uses() == places - 2
    assert uses(grant) == {"mcp:files:tool:read": 5}


def test_counting_began_with_the_first_record_that_named_a_grant_or_now(grant: Grant, read: Definition) -> None:
    called(grant, read, time=days_ago(200), rule_ids=())
    counted()
    assert UseCursor.objects.get().since > days_ago(1)
    called(grant, read, time=days_ago(100))
    counted()
    assert days_ago(101) < UseCursor.objects.get().since < days_ago(99)


@pytest.mark.django_db(transaction=True)
def test_two_that_count_at_once_count_once(grant: Grant, read: Definition) -> None:
    called(grant, read, times=50)
    count_uses(seconds=0)
    begin = threading.Barrier(4)

    def count() -> None:
        begin.wait()
        count_uses()
        connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: count(), range(4)))
    assert uses(grant) == {"mcp:files:tool:read": 50}


@pytest.mark.parametrize(
    "wrong",
    [{"calls": 0}, {"kind": ""}, {"name": ""}, {"last_used": days_ago(1)}],
    ids=["no call", "no kind", "no name", "last before first"],
)
def test_the_table_itself_refuses_what_makes_no_sense(grant: Grant, wrong: dict[str, Any]) -> None:
    now = days_ago(0)
    row = {"server": "files", "kind": "tool", "name": "read", "scope": "s", "first_used": now, "last_used": now}
    with pytest.raises(IntegrityError), transaction.atomic():
        GrantUse.objects.create(grant=grant, **{**row, "calls": 1, **wrong})
    GrantUse.objects.create(grant=grant, **row, calls=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        GrantUse.objects.create(grant=grant, **row, calls=1)


def test_calls_that_were_answered_are_counted_once_with_their_servers_day(read: Definition) -> None:
    ended = {
        "type": RecordType.OUTCOME, "event": Event.CALL_COMPLETED, "server": "files", "kind": "tool", "tool": "read",
    }  # fmt: skip
    write(RecordDraft(**draft({**ended, "latency_ms": taken})) for taken in (3, 5, None))
    write([RecordDraft(**draft({**ended, "kind": "resource", "latency_ms": 7}))])
    for _ in range(2):
        counted()
    today = calls_of(read.server)[-1]
    assert (today.calls, today.p50, today.p95) == (2, 3, 5)


def test_an_agent_was_last_used_when_it_was_last_let_through_by_whichever_grant(grant: Grant, read: Definition) -> None:
    stranger = AgentFactory.create(client_id="stranger")
    moments = [days_ago(days) for days in (3, 9, 5)]
    for moment in moments:
        called(grant, read, time=moment, agent="bot")
        counted()
    # By a person's grant, which names none of ours; a name that is no agent's; and a refusal.
    says = {"type": RecordType.OUTCOME, "event": Event.REQUEST_ANSWERED, "server": "files"}
    write([RecordDraft(**draft({**says, "agent": "stranger", "time": moments[1]}))])
    write([RecordDraft(**draft({**says, "agent": "nobody"}))])
    write([RecordDraft(**draft({**says, "agent": "stranger", "decision": "denied"}))])
    counted()
    assert dict(AgentUse.objects.values_list("agent__client_id", "last_used")) == {
        "bot": moments[0],
        stranger.client_id: moments[1],
    }


def test_agents_that_were_used_before_it_was_counted_are_found_in_the_log(grant: Grant, read: Definition) -> None:
    AgentFactory.create(client_id="idle")
    for days in (9, 3, 5):
        called(grant, read, time=days_ago(days), agent="bot")
    counted()
    expected = AgentUse.objects.get().last_used
    newest = Record.objects.filter(agent="bot").latest("id").time
    AgentUse.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(import_module("access.migrations.0015_agents_used_before").LAST)
    found = AgentUse.objects.get()
    assert (found.agent.client_id, found.last_used) == ("bot", newest)  # ids rise with time but in this test
    assert expected >= newest
