"""Searching the log."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone
from msgspec import structs

from audit import services, subjects
from audit.drafts import RecordDraft, columns, next_shard, shard_of
from audit.events import Event, RecordType
from audit.filters import Filters
from audit.models import Record, Subject
from core.actor import Actor, system_actor
from core.errors import NotFound
from core.ids import new_id
from core.permissions import Permission

CALL, CHILD = uuid4(), uuid4()
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NOW = timezone.now()
NUMBERS = count(1)
LONG = "because " * 200


def an_id_at(moment: datetime) -> UUID:
    """A UUIDv7 of this time, after all that were made before."""
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | next(NUMBERS))


def insert(**fields: Any) -> Record:
    base = RecordDraft(type=RecordType.INTENT, event=Event.CALL_INTENDED, principal="agent:ci", agent="ci", time=NOW)
    draft = structs.replace(base, **fields)
    if "id" not in fields:  # an id tells the time of its record, whenever this module was loaded
        draft = structs.replace(draft, id=an_id_at(draft.time))
    return Record.objects.create(**columns(draft, installation=settings.INSTALLATION_ID, shard=shard_of(draft.time)))


@pytest.fixture
def log(db: None, ada: Actor) -> dict[str, UUID]:
    person = subjects.principal_of(ada)
    rows = {
        "intent": insert(
            call_id=CALL,
            server="files",
            tool="read",
            decision="allowed",
            trace_id=TRACE,
            intention="To sum up the Quarterly report of \u00dcbersee-Handel, not the yearly one",
        ),
        "outcome": insert(
            call_id=CALL,
            server="files",
            tool="read",
            type=RecordType.OUTCOME,
            event=Event.CALL_COMPLETED,
            trace_id=TRACE,
        ),
        "deny": insert(
            type=RecordType.DENY,
            event=Event.CALL_DENIED,
            server="db",
            tool="read",
            decision="denied",
            principal=person,
            agent="ide",
            reason="no_grant",
            call_id=CHILD,
            trace_id="0" * 31 + "1",
        ),
        "slash": insert(server="db", tool="files/read", intention="report; drop table audit_record", reason=LONG),
        "long": insert(server="db", tool="\0" + "x" * 900),
        "admin": insert(
            type=RecordType.ADMIN,
            event=Event.TEAM_CREATED,
            principal="system:poller",
            agent="",
            time=NOW - timedelta(minutes=5),
        ),
    }
    return {name: row.id for name, row in rows.items()}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {"intent", "outcome", "deny", "slash", "long", "admin"}),
        ({"call_id": CALL}, {"intent", "outcome"}),
        ({"principal": "ada"}, {"deny"}),
        ({"principal": "ci"}, {"intent", "outcome", "slash", "long"}),
        ({"principal": "agent:ci"}, {"intent", "outcome", "slash", "long"}),
        ({"principal": "poller"}, {"admin"}),
        ({"principal": "nobody"}, set()),
        ({"agent": "ide"}, {"deny"}),
        ({"server": "files"}, {"intent", "outcome"}),
        ({"tool": "files/read"}, {"intent", "outcome", "slash"}),
        ({"tool": "read"}, {"intent", "outcome", "deny"}),
        ({"tool": "db/read"}, {"deny"}),
        ({"tool": "\0" + "x" * 900}, {"long"}),
        ({"type": "deny"}, {"deny"}),
        ({"reason": "no_grant"}, {"deny"}),
        ({"reason": "no_gran"}, set()),
        ({"reason": LONG}, {"slash"}),
        ({"reason": "' OR 1=1 --"}, set()),
        ({"trace_id": TRACE}, {"intent", "outcome"}),
        ({"trace_id": "0" * 31 + "1"}, {"deny"}),
        ({"trace_id": "f" * 32}, set()),
        ({"intention": "report"}, {"intent", "slash"}),
        ({"intention": "REPORT quarterly"}, {"intent"}),
        ({"intention": '"sum up"'}, {"intent"}),
        ({"intention": '"up sum"'}, set()),
        ({"intention": "report -yearly"}, {"slash"}),
        ({"intention": "-yearly"}, {"slash"}),
        ({"intention": "yearly or drop"}, {"intent", "slash"}),
        ({"intention": "repo"}, set()),
        ({"intention": "drop table audit_record"}, {"slash"}),
        ({"intention": "report & ! ( <-> ' \" :* \\"}, {"intent", "slash"}),
        ({"event": "call.denied"}, {"deny"}),
        ({"event": "call.completed", "trace_id": TRACE, "server": "files"}, {"outcome"}),
        ({"reason": "no_grant", "decision": "denied", "principal": "ada", "tool": "db/read"}, {"deny"}),
        ({"reason": "no_grant", "decision": "allowed"}, set()),
        ({"intention": "report", "agent": "ci", "until": NOW}, set()),
        ({"intention": "report", "agent": "ci", "since": NOW, "decision": "allowed"}, {"intent"}),
        ({"decision": "denied"}, {"deny"}),
        ({"decision": "allowed"}, {"intent"}),
        ({"event": "team.created"}, {"admin"}),
        ({"since": NOW - timedelta(minutes=1)}, {"intent", "outcome", "deny", "slash", "long"}),
        ({"until": NOW}, {"admin"}),
        ({"until": NOW - timedelta(days=400)}, set()),
        ({"server": "db", "tool": "read", "type": "intent"}, set()),
    ],
)
def test_filters_find_exactly(log: dict[str, UUID], ada: Actor, filters: dict[str, Any], expected: set[str]) -> None:
    visible, wanted = Record.objects.visible_to(ada), Filters(**filters)
    found = {row.id for row in visible.matching(wanted)}
    assert {name for name, record_id in log.items() if record_id in found} == expected
    assert found == {row.id for row in visible.page(wanted, 9)}


def test_a_person_is_found_by_pseudonym_and_under_a_new_name(log: dict[str, UUID], ada: Actor) -> None:
    pseudonym = subjects.principal_of(replace(ada, name="ada.l"))
    assert Record.objects.all().by_principal(pseudonym).count() == 1
    assert Record.objects.all().by_principal("ada.l").count() == 1
    assert Record.objects.all().by_principal("ada").count() == 0


def test_principals_are_shown_by_the_name_people_know(db: None, ada: Actor) -> None:
    pseudonym = subjects.principal_of(ada)
    unknown = str(uuid4())
    names = Subject.objects.shown_names([pseudonym, "agent:ci", "system:poller", unknown, "anonymous"])
    assert names == {
        pseudonym: "ada",
        "agent:ci": "ci",
        "system:poller": "system:poller",
        unknown: unknown,
        "anonymous": "anonymous",
    }


def test_only_who_may_read_the_log_sees_it(log: dict[str, UUID], bob: Actor) -> None:
    assert not Record.objects.visible_to(bob).exists()


def test_a_right_for_own_teams_shows_records_of_their_things(db: None, bob: Actor) -> None:
    insert(owner_team="red")
    insert(owner_team="blue")
    insert()
    red = replace(
        bob,
        own_team_permissions=frozenset({Permission.AUDIT_READ.value}),
        team_ids=frozenset({1}),
        team_slugs=frozenset({"red"}),
    )
    assert [row.owner_team for row in Record.objects.visible_to(red)] == ["red"]


FILTERS_OF_A_RECORD: tuple[dict[str, Any], ...] = (
    {},
    {"principal": "ci"},
    {"agent": "ci"},
    {"server": "files"},
    {"tool": "files/read"},
    {"tool": "read"},
    {"type": "intent"},
    {"event": "call.intended"},
    {"decision": "denied"},
    {"reason": "no_grant"},
    {"intention": "report"},
    {"since": NOW},
    {"until": NOW + timedelta(minutes=1)},
    {"call_id": CALL},
    {"trace_id": TRACE},
)


@pytest.mark.parametrize("filters", FILTERS_OF_A_RECORD)
def test_no_filter_shows_what_belongs_to_another_team_and_pages_hold_with_each(
    db: None, bob: Actor, filters: dict[str, Any]
) -> None:
    said = {"server": "files", "tool": "read", "decision": "denied", "reason": "no_grant", "intention": "A report."}
    made = [
        insert(**said, owner_team=team, call_id=CALL, trace_id=TRACE).id for team in ("red", "blue", "red", "", "red")
    ]
    red = replace(
        bob,
        own_team_permissions=frozenset({Permission.AUDIT_READ.value}),
        team_ids=frozenset({1}),
        team_slugs=frozenset({"red"}),
    )
    seen: list[UUID] = []
    after = None
    while page := Record.objects.visible_to(red).page(Filters(**filters), 2, after=after):
        seen += [row.id for row in page]
        after = page[-1].shard, page[-1].id
    assert seen == [made[4], made[2], made[0]]


def test_since_and_until_hold_across_a_clock_that_was_set_back(db: None) -> None:
    at = datetime(NOW.year, NOW.month, 15, 12, tzinfo=UTC)
    minutes = [0, 1, 2, -7, -6, 3]  # a clock that is set back, and set right again
    for minute in minutes:
        with time_machine.travel(at + timedelta(minutes=minute), tick=False):
            insert(time=datetime.now(UTC), subject=f"team:{minute}", id=new_id())
    ahead = next_shard(next_shard(shard_of(at)))
    with time_machine.travel(at + timedelta(minutes=4), tick=False):
        draft = RecordDraft(type=RecordType.ADMIN, event=Event.TEAM_CREATED, principal="x", time=datetime.now(UTC))
        # A gateway whose clock was two months ahead goes on in the shard that it began.
        Record.objects.create(**columns(draft, installation=settings.INSTALLATION_ID, shard=ahead))

    def found(**given: int) -> int:
        moments = {name: at + timedelta(minutes=minute) for name, minute in given.items()}
        wanted = Filters(**moments)  # type: ignore[arg-type]
        rows = Record.objects.all().page(wanted, 9)
        assert rows == list(Record.objects.all().matching(wanted))
        return len(rows)

    for since in range(-8, 6):
        for until in range(since + 1, 6):
            expected = sum(since <= minute < until for minute in (*minutes, 4))
            assert found(since=since, until=until) == expected, (since, until)
    assert found(until=5) == found(since=-8) == 7
    assert found(until=-8) == 0


@pytest.mark.parametrize("moment", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)])
def test_the_ends_of_time_are_moments_too(log: dict[str, UUID], moment: datetime) -> None:
    counts = [
        Record.objects.all().matching(Filters(since=moment)).count(),
        Record.objects.all().matching(Filters(until=moment)).count(),
    ]
    assert sorted(counts) == [0, len(log)]


def test_one_finds_a_record_by_its_id_and_nothing_else(log: dict[str, UUID]) -> None:
    assert Record.objects.all().one(log["deny"]).type == "deny"
    for unknown in (new_id(), uuid4(), UUID(int=0), UUID(int=2**128 - 1)):
        with pytest.raises(NotFound):
            Record.objects.all().one(unknown)


def test_a_record_is_found_by_its_id_after_the_clock_was_set_back(db: None) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(days=100)):
        new_id()
    made = services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=system_actor("test"))
    assert Record.objects.all().one(made.id).pk == made.pk


def test_index_is_none_until_the_record_has_its_place(db: None) -> None:
    services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=system_actor("test"))
    rows = Record.objects.all().with_index()
    assert [row.index for row in rows] == [None]  # type: ignore[attr-defined]
    services.place_records()
    assert [row.index for row in rows.all()] == [0]  # type: ignore[attr-defined]


def test_newest_come_first_across_shards(db: None) -> None:
    assert services.create_shards() == 0
    month_ahead = NOW.replace(day=28) + timedelta(days=10)
    later = insert(time=month_ahead)
    now = insert()
    assert list(Record.objects.all().newest_first()) == [later, now]
    assert datetime.now(UTC) >= NOW


@pytest.mark.parametrize("filters", [{}, {"agent": "ci"}, {"intention": "report"}, {"since": NOW - timedelta(days=1)}])
def test_pages_of_any_size_hold_every_record_once_across_shards(db: None, filters: dict[str, Any]) -> None:
    services.create_shards()
    months = [NOW, NOW.replace(day=28) + timedelta(days=10), NOW.replace(day=28) + timedelta(days=40)]
    assert len({shard_of(month) for month in months}) == 3
    made = [insert(time=month + timedelta(seconds=n), intention="A report.").pk for month in months for n in (0, 2, 1)]
    newest_first = sorted(made, reverse=True)
    for size in range(1, 11):
        seen, after = list[Any](), None
        while page := Record.objects.all().page(Filters(**filters), size, after=after):
            seen += [row.pk for row in page]
            after = seen[-1]
            assert len(page) == min(size, len(made) + len(page) - len(seen))
        assert seen == newest_first


@pytest.mark.parametrize("shard", [0, 202613, 999999, 2**31 - 1])
def test_a_page_behind_a_row_of_no_shard_holds_what_is_in_earlier_ones(db: None, shard: int) -> None:
    made = insert()
    found = Record.objects.all().page(Filters(), 9, after=(shard, UUID(int=0)))
    assert found == ([made] if shard else [])


def test_a_page_does_not_move_with_what_is_recorded_meanwhile(db: None) -> None:
    first, second, third = insert(), insert(), insert()
    assert Record.objects.all().page(Filters(), 2) == [third, second]
    insert()
    assert Record.objects.all().page(Filters(), 2, after=second.pk) == [first]
