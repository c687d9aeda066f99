"""Who sees which row, and which filters fit it: as the audit log's own queries have it."""

import pytest

from access.services import actor_for
from audit.filters import Filters
from audit.models import Record
from controlplane.live import reading
from controlplane.live.rows import TYPES, Row, Wanted, sees
from controlplane.live.views import meant_by
from core.permissions import Permission
from tests.controlplane.live.watching import ended_call, refused_call
from tests.factories import GrantFactory, MembershipFactory, RoleFactory, TeamFactory, person_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows() -> tuple[Row, ...]:
    before = reading.head()
    ended_call(owner_team="blue")
    ended_call("list", owner_team="red", agent="other", principal="agent:other")
    refused_call(server="mail")
    return reading.read_on(before).rows


def test_only_ends_of_calls_and_refusals_are_rows(rows: tuple[Row, ...]) -> None:
    assert [(row.event, row.tool) for row in rows] == [
        ("call.completed", "read"), ("call.completed", "list"), ("call.denied", "write"),
    ]  # fmt: skip


def test_a_row_is_seen_by_whom_the_log_shows_its_record(rows: tuple[Row, ...]) -> None:
    team = TeamFactory.create(slug="blue")
    of_team = person_with("mcp:connect")
    MembershipFactory.create(person=of_team, team=team)
    role = RoleFactory.create(scopes=[str(Permission.AUDIT_READ)], reach="own_teams")
    GrantFactory.create(role=role, person=of_team)
    expected = {person_with(Permission.AUDIT_READ): 3, of_team: 1, person_with(Permission.SERVER_READ): 0}
    for person, number in expected.items():
        actor = actor_for(person)
        seen = {row.id for row in rows if sees(actor, row)}
        assert seen == set(Record.objects.visible_to(actor).filter(type__in=TYPES).values_list("id", flat=True))
        assert len(seen) == number


@pytest.mark.parametrize(
    "given",
    [
        {}, {"principal": "bot"}, {"principal": "agent:bot"}, {"principal": "nobody"}, {"agent": "other"},
        {"server": "mail"}, {"tool": "list"}, {"tool": "files/read"}, {"tool": "mail/read"}, {"decision": "denied"},
        {"reason": "no_grant"}, {"reason": "no"}, {"server": "files", "decision": "allowed"},
    ],
)  # fmt: skip
def test_filters_fit_the_rows_that_a_search_of_the_log_finds(rows: tuple[Row, ...], given: dict[str, str]) -> None:
    filters = Filters(**given)  # type: ignore[arg-type]  # all of them are text
    wanted = Wanted(filters, meant_by(filters.principal))
    found = Record.objects.filter(type__in=TYPES).matching(filters)
    assert {row.id for row in rows if wanted.fits(row)} == set(found.values_list("id", flat=True))


def test_what_came_all_at_once_is_read_from_its_end(rows: tuple[Row, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WINDOW", 2)
    batch = reading.read_on(-1)
    assert (batch.position, len(batch.rows)) == (reading.head(), 2)
    assert batch.skipped == reading.head() + 1 - 2
