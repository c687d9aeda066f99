"""What was given and is not used, as different people see it."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import Grant, GrantUse, Role
from access.services import actor_for
from core.actor import Actor
from core.permissions import Permission
from tests.factories import (
    AgentFactory,
    GrantFactory,
    MembershipFactory,
    PersonFactory,
    RoleFactory,
    TeamFactory,
    administrator,
)
from tests.tools.making import approve, make_server, poll, tool, waiting
from tests.tools.records import age, called, connected, counted, days_ago
from tools.models import Definition
from tools.rightsizing import NEEDED, Judged, Report, SizedRole, report

pytestmark = pytest.mark.django_db
CALL = "mcp:files:call"


@pytest.fixture
def boss() -> Actor:
    return administrator()


@pytest.fixture
def tools() -> dict[str, Definition]:
    """Three tools of one active server."""
    poll(make_server("files", state="active"), tool("read"), tool("write"), tool("erase"))
    return {each.name: each for each in Definition.objects.select_related("server", "observed")}


def given(*scopes: str, days: float = 200, name: str = "callers", **fields: object) -> Grant:
    """An agent holds a role of these scopes, both so old."""
    role = RoleFactory.create(name=name, scopes=sorted(scopes))
    grant = GrantFactory.create(role=role, **(fields or {"agent": AgentFactory.create()}))
    age(role, grant, days=days)
    return grant


def seen(actor: Actor, *, days: int = 90, since: float = 200) -> Report:
    counted(since=days_ago(since))
    return report(actor, days=days)


def only(found: Report) -> SizedRole:
    assert found.roles is not None
    (role,) = found.roles.found
    return role


class TestGrants:
    def unused(self, actor: Actor, **options: float) -> list[Any]:
        return list(seen(actor, since=options.get("since", 200), days=int(options.get("days", 90))).unused)

    def test_one_that_carried_no_call_for_so_long_is_named(self, boss: Actor, tools: dict[str, Definition]) -> None:
        grant = given(CALL)
        called(grant, tools["read"], time=days_ago(91))
        (found,) = self.unused(boss)
        assert (found, found.last_used) == (grant, GrantUse.objects.get().last_used)
        assert not self.unused(boss, days=92)
        called(grant, tools["read"])
        assert not self.unused(boss)

    def test_one_that_never_did_counts_from_when_it_was_given(self, boss: Actor) -> None:
        old, _young = given(CALL, days=91), given(CALL, days=89, name="young")
        assert self.unused(boss) == [old]

    def test_nobody_is_blamed_for_the_time_before_counting_began(self, boss: Actor) -> None:
        grant = given(CALL, days=500)
        assert not self.unused(boss, since=89)
        assert self.unused(boss, since=91) == [grant]
        assert not report(boss, days=3650).unused

    def test_nothing_is_said_before_anything_was_counted(self, boss: Actor) -> None:
        given(CALL)
        found = report(boss, days=1)
        assert (found.counted.since, list(found.unused)) == (None, [])

    def test_connecting_is_no_use_but_is_shown(self, boss: Actor) -> None:
        connected(given(CALL))
        (found,) = self.unused(boss)
        assert found.last_used is None
        assert found.last_connected > days_ago(1)

    def test_what_has_ended_is_not_named_and_what_is_about_to_end_is(self, boss: Actor) -> None:
        given(CALL, name="revoked").__class__.objects.update(revoked_at=timezone.now())
        ending = given(CALL, name="ending")
        later = given(CALL, name="later")
        Grant.objects.filter(pk=ending.pk).update(expires_at=days_ago(-13))
        Grant.objects.filter(pk=later.pk).update(expires_at=days_ago(-15))
        found = seen(boss)
        assert set(found.unused) == {ending, later}
        assert list(found.ending) == [ending]

    def test_roles_with_permissions_are_not_judged_for_their_use_is_not_counted(self, boss: Actor) -> None:
        given("server:read", CALL)
        given(name="empty")
        found = seen(boss)
        assert not found.unused
        assert found.uncounted == found.live == 3  # the boss's own too


class TestRoles:
    def test_a_scope_that_no_holder_used_is_named(self, boss: Actor, tools: dict[str, Definition]) -> None:
        first = given("mcp:files:tool:read", "mcp:files:tool:write", "mcp:files:tool:erase")
        second = GrantFactory.create(role=first.role, agent=AgentFactory.create())
        called(first, tools["read"])
        called(second, tools["write"])
        role = only(seen(boss))
        assert role.sizing is not None
        assert (role.grants, role.sizing.unused) == (2, ("mcp:files:tool:erase",))
        assert role.sizing.narrower == ("mcp:files:tool:read", "mcp:files:tool:write")

    def test_a_broad_scope_is_replaced_by_what_was_used_through_it(
        self, boss: Actor, tools: dict[str, Definition]
    ) -> None:
        grant = given(CALL)
        for name in ("read", "write"):
            called(grant, tools[name])
        role = only(seen(boss))
        assert role.sizing is not None
        (wide,) = role.sizing.wide
        assert (wide.scope, wide.used, wide.offered) == (CALL, 2, 3)
        assert wide.instead == role.sizing.narrower == ("mcp:files:tool:read", "mcp:files:tool:write")

    def test_a_use_of_before_those_days_is_none(self, boss: Actor, tools: dict[str, Definition]) -> None:
        grant = given(CALL)
        for name in ("read", "write", "erase"):
            called(grant, tools[name], time=days_ago(95))
        assert only(seen(boss)).sizing.unused == (CALL,)  # type: ignore[union-attr]
        assert not seen(boss, days=100).roles.found  # type: ignore[union-attr]

    def test_tools_that_are_gone_or_sensitive_by_now_are_not_counted_as_reached(
        self, boss: Actor, tools: dict[str, Definition]
    ) -> None:
        grant = given(CALL)
        called(grant, tools["erase"])
        Definition.objects.filter(name="write").update(sensitive=True)
        poll(tools["read"].server, tool("read"), tool("write"))
        assert not seen(boss).roles.found  # type: ignore[union-attr]
        called(grant, tools["read"])
        assert not seen(boss).roles.found  # type: ignore[union-attr]

    @pytest.mark.parametrize("young", ["role", "grant", "counting"])
    def test_a_role_is_judged_once_somebody_could_have_used_it_for_so_long(
        self, boss: Actor, tools: dict[str, Definition], young: str
    ) -> None:
        grant = given(CALL)
        called(grant, tools["read"])
        if young != "counting":
            age(grant.role if young == "role" else grant, days=89)
        found = seen(boss, since=89 if young == "counting" else 200)
        assert found.roles is not None
        assert (list(found.roles.found), found.roles.young) == ([], 2)  # the boss's own is of today

    def test_uses_of_other_roles_and_of_ended_grants_do_not_count(
        self, boss: Actor, tools: dict[str, Definition]
    ) -> None:
        grant, other = given("mcp:files:tool:read", "mcp:files:tool:write"), given(CALL, name="other")
        ended = GrantFactory.create(role=grant.role, agent=grant.agent, revoked_at=timezone.now())
        called(grant, tools["read"])
        called(other, tools["write"])
        called(ended, tools["write"])
        sizings = {each.role.name: each.sizing for each in seen(boss).roles.found}  # type: ignore[union-attr]
        assert sizings["callers"].unused == ("mcp:files:tool:write",)  # type: ignore[union-attr]

    def test_a_role_that_nobody_holds_is_not_judged(self, boss: Actor) -> None:
        age(RoleFactory.create(scopes=[CALL]), days=200)
        assert not seen(boss).roles.found  # type: ignore[union-attr]

    def test_a_role_that_may_call_whatever_many_servers_have_is_named_however_young(self, boss: Actor) -> None:
        given(*(f"mcp:{slug}:call" for slug in "abc"), days=0)
        role = only(seen(boss))
        assert (role.wildcard, role.sizing) == (("a", "b", "c"), None)


class TestScopesPerTool:
    def average(self, actor: Actor) -> tuple[float | None, dict[int, int]]:
        found = seen(actor).roles
        assert found is not None
        counted = found.count_per_tool()
        return counted.average, dict(counted.tools)

    def test_they_are_counted_for_tools_that_agents_are_served_and_roles_that_are_held(
        self, boss: Actor, tools: dict[str, Definition]
    ) -> None:
        assert self.average(boss) == (None, {})
        for name in ("read", "write"):
            approve(waiting(name), boss)
        assert self.average(boss) == (0, {0: 2})
        given(CALL, "mcp:files:tool:read", days=0)
        RoleFactory.create(scopes=["mcp:files:tool:write"])
        assert self.average(boss) == (1.5, {2: 1, 1: 1})
        Definition.objects.filter(name="write").update(sensitive=True)
        assert self.average(boss) == (1, {2: 1, 0: 1})
        tools["read"].server.__class__.objects.update(state="suspended")
        assert self.average(boss) == (None, {})


class TestWhoSees:
    def test_who_reads_grants_of_own_teams_sees_those_and_no_judgement_of_roles(
        self, tools: dict[str, Definition]
    ) -> None:
        team = TeamFactory.create()
        mine = given(CALL, agent=AgentFactory.create(owner_team=team))
        given(CALL, name="theirs")
        person = PersonFactory.create()
        MembershipFactory.create(team=team, person=person)
        role = RoleFactory.create(scopes=[str(each) for each in NEEDED], reach="own_teams")
        GrantFactory.create(role=role, team=team)
        found = seen(actor_for(person))
        assert (list(found.unused), found.roles) == ([mine], None)

    @pytest.mark.parametrize("missing", NEEDED)
    def test_roles_are_judged_only_for_who_sees_all_that_it_takes(self, missing: Permission) -> None:
        given(CALL)
        held = [each for each in NEEDED if each is not missing]
        person = PersonFactory.create()
        GrantFactory.create(role=RoleFactory.create(scopes=[str(each) for each in held]), person=person)
        assert seen(actor_for(person)).roles is None


def test_it_costs_the_same_queries_however_much_there_is(boss: Actor, tools: dict[str, Definition]) -> None:
    def weigh(roles: int) -> int:
        for _ in range(roles):
            grant = given(CALL, "mcp:files:tool:read", name=f"role {Role.objects.count()}")
            called(grant, tools["read"])
            called(grant, tools["write"])
            given(CALL, name=f"role {Role.objects.count()}")
        counted(since=days_ago(200))
        with CaptureQueriesContext(connection) as queries:
            found = report(boss, days=90)
            shown = (*found.unused, *found.ending, *found.roles.found)  # type: ignore[union-attr]
            for each in shown:
                _ = str(each.role), isinstance(each, SizedRole) or str(each.agent.owner_team)
        assert len(shown) >= roles
        return len(queries)

    assert weigh(2) == weigh(6) <= 14


def test_only_the_roles_that_are_asked_for_are_judged_and_each_once() -> None:
    judged: list[int] = []

    def judge(some: Sequence[Any]) -> list[SizedRole]:
        judged.extend(role.pk for role in some)
        return [SizedRole(role, 1, None, ()) for role in some]

    roles = [Role(pk=number) for number in range(5)]
    found = Judged(roles, judge, [SizedRole(roles[0], 1, None, ())])
    assert [each.role.pk for each in found[:2]] == [0, 1]
    assert (found[4].role.pk, found[1].role.pk, len(found)) == (4, 1, 5)
    assert judged == [1, 4]
    assert [each.role.pk for each in found] == [0, 1, 2, 3, 4]
