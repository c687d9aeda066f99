"""What an actor may do depends on what it holds and on who owns the thing."""

import pytest

from core.actor import ANONYMOUS, Actor, ActorKind, system_actor

OWNER = Actor(ActorKind.PERSON, "1", "olga", frozenset({"audit:read"}), frozenset({"server:edit"}), frozenset({7}))


@pytest.mark.parametrize(
    ("actor", "permission", "team", "expected"),
    [
        (OWNER, "audit:read", None, True),
        (OWNER, "audit:read", 9, True),
        (OWNER, "server:edit", 7, True),
        (OWNER, "server:edit", 9, False),
        (OWNER, "server:edit", None, False),
        (OWNER, "review:decide", 7, False),
        (ANONYMOUS, "server:read", None, False),
        (system_actor("poller", "server:poll"), "server:poll", 3, True),
        (system_actor("poller", "server:poll"), "server:edit", 3, False),
    ],
)
def test_permissions_reach_everything_or_what_own_teams_own(
    actor: Actor, permission: str, team: int | None, *, expected: bool
) -> None:
    assert actor.may(permission, team_id=team) is expected


def test_a_team_permission_without_a_team_reaches_nothing() -> None:
    lone = Actor(ActorKind.PERSON, "2", "lars", own_team_permissions=frozenset({"server:read"}))
    assert not lone.may_somewhere("server:read")
    assert OWNER.may_somewhere("server:edit")
