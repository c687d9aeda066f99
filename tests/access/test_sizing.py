"""A role against its use: what was not used, what was used in part, and what would have done."""

from itertools import combinations, product

import pytest

from access.names import SCOPE_LENGTH_MAX
from access.policy import DefinitionFacts, PinState, accepted_scopes
from access.sizing import (
    NAMED_MAX,
    SCOPES_TARGET,
    RoleUse,
    Sizing,
    Through,
    Wide,
    scopes_that_reach,
    sized,
    wildcard_servers,
)
from core.scopes import definition_scope

READ, WRITE = "mcp:files:tool:read", "mcp:files:tool:write"
CALL, RESOURCES = "mcp:files:call", "mcp:files:read"


def use(*named: str, connected: bool = True, **through: tuple[str, ...]) -> RoleUse:
    """`call=` and `read=`: the own scopes of what was used through the broad one."""
    broad = {f"mcp:files:{end}": Through(len(scopes), scopes) for end, scopes in through.items()}
    return RoleUse(connected=connected, named=frozenset(named), through=broad)


@pytest.mark.parametrize(
    ("scopes", "used", "offered", "sizing"),
    [
        # all of it
        ([CALL], use(call=(READ, WRITE)), {CALL: 2}, Sizing((), (), ())),
        ([READ, WRITE], use(READ, WRITE), {CALL: 9}, Sizing((), (), ())),
        # one of two
        ([READ, WRITE], use(READ), {}, Sizing((WRITE,), (), (READ,))),
        ([CALL, RESOURCES], use(call=(READ,)), {CALL: 1}, Sizing((RESOURCES,), (), (CALL,))),
        # a broad one through which less was used than it reaches
        ([CALL], use(call=(READ,)), {CALL: 2}, Sizing((), (Wide(CALL, 1, 2, (READ,)),), (READ,))),
        ([CALL, WRITE], use(WRITE), {CALL: 9}, Sizing((CALL,), (), (WRITE,))),
        # what was used through it is gone: it was used all the same, and by nothing that could be named
        ([CALL], use(call=()), {CALL: 5}, Sizing((), (), ())),
        # nothing of it: there is nothing to make
        ([CALL, RESOURCES], use(connected=False), {CALL: 5}, Sizing((CALL, RESOURCES), (), ())),
        # connecting alone
        (["mcp:connect", CALL], use(), {CALL: 5}, Sizing((CALL,), (), ("mcp:connect",))),
        (["mcp:connect", CALL], use(connected=False), {CALL: 5}, Sizing(("mcp:connect", CALL), (), ())),
        # permissions are not judged, and stay
        (["server:read", CALL, WRITE], use(WRITE), {}, Sizing((CALL,), (), (WRITE, "server:read"))),
        (["server:read", CALL], use(), {}, Sizing((CALL,), (), ())),
        ([], use(), {}, Sizing((), (), ())),
    ],
)
def test_a_role_is_compared_with_its_use(
    scopes: list[str], used: RoleUse, offered: dict[str, int], sizing: Sizing
) -> None:
    assert sized(scopes, used, offered) == sizing


@pytest.mark.parametrize(
    "through",
    [
        tuple(f"mcp:files:tool:t{number}" for number in range(NAMED_MAX + 1)),
        (definition_scope("files", "tool", "x" * SCOPE_LENGTH_MAX),),
    ],
    ids=["too many", "too long for a role"],
)
def test_what_cannot_be_named_one_by_one_is_said_and_not_replaced(through: tuple[str, ...]) -> None:
    found = sized([CALL], use(call=through), {CALL: 1000})
    assert found == Sizing((), (Wide(CALL, len(through), 1000, ()),), ())


NAMES = ("a", "d/e", "ü")


def _some() -> list[set[str]]:
    return [set(some) for number in range(len(NAMES) + 1) for some in combinations(NAMES, number)]


@pytest.mark.parametrize("broad", [set(), {CALL}], ids=["its own only", "broad"])
def test_the_narrower_role_reaches_everything_that_was_used_and_nothing_that_was_not_reached(broad: set[str]) -> None:
    for roles, called in product(_some(), _some()):
        scopes = {definition_scope("files", "tool", name) for name in roles} | broad
        carried = {name for name in called if _accepted(name) & scopes}
        own = {definition_scope("files", "tool", name) for name in carried}
        through = tuple(sorted(own - scopes))
        used = RoleUse(
            bool(carried), frozenset(own & scopes), {CALL: Through(len(through), through)} if through else {}
        )
        narrower = set(sized(scopes, used, {CALL: 4}).narrower)
        assert all(_accepted(name) & scopes for name in NAMES if _accepted(name) & narrower)
        assert all(_accepted(name) & narrower for name in carried) or not narrower


def _accepted(name: str) -> frozenset[str]:
    return accepted_scopes("files", DefinitionFacts("tool", name, PinState.APPROVED))


def test_calling_whatever_many_servers_have_is_a_wildcard() -> None:
    calls = [f"mcp:{slug}:call" for slug in ("c", "a", "b")]
    assert wildcard_servers(calls) == ("a", "b", "c")
    assert wildcard_servers([*calls[:2], "mcp:x:read", "mcp:y:tool:call", "mcp:connect", "server:read"]) == ()


@pytest.mark.parametrize(
    ("scopes", "ordinary", "sensitive"),
    [
        ({CALL, READ, "mcp:files:read", "mcp:other:call"}, 2, 1),
        ({READ}, 1, 1),
        ({CALL}, 1, 0),
        ({WRITE}, 0, 0),
    ],
)
def test_scopes_that_reach_a_tool_are_counted(scopes: set[str], ordinary: int, sensitive: int) -> None:
    assert scopes_that_reach("files", "read", sensitive=False, scopes=scopes) == ordinary < SCOPES_TARGET
    assert scopes_that_reach("files", "read", sensitive=True, scopes=scopes) == sensitive
