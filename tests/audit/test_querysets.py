"""Searching the log."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone
from msgspec import structs

from audit import services, subjects
from audit.drafts import RecordDraft, columns, shard_of
from audit.events import Event, RecordType
from audit.models import Record, Subject
from core.actor import Actor, system_actor
from core.errors import NotFound
from core.ids import new_id
from core.permissions import Permission

CALL = uuid4()
NOW = timezone.now()


def insert(**fields: Any) -> Record:
    base = RecordDraft(type=RecordType.INTENT, event=Event.CALL_INTENDED, principal="agent:ci", agent="ci", time=NOW)
    draft = structs.replace(base, **fields)
    return Record.objects.create(**columns(draft, installation=settings.INSTALLATION_ID, shard=shard_of(draft.time)))


@pytest.fixture
def log(db: None, ada: Actor) -> dict[str, UUID]:
    person = subjects.principal_of(ada)
    rows = {
        "intent": insert(call_id=CALL, server="files", tool="read", decision="allowed"),
        "outcome": insert(
            call_id=CALL, server="files", tool="read", type=RecordType.OUTCOME, event=Event.CALL_COMPLETED
        ),
        "deny": insert(
            type=RecordType.DENY, server="db", tool="read", decision="denied", principal=person, agent="ide"
        ),
        "slash": insert(server="db", tool="files/read"),
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
    found = set(Record.objects.visible_to(ada).matching(**filters).values_list("id", flat=True))
    assert {name for name, record_id in log.items() if record_id in found} == expected


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
    assert list(Record.objects.all().newest_first().after_position(later.shard, later.id)) == [now]
    assert datetime.now(UTC) >= NOW
