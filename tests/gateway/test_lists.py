"""Lists show what the caller could use now, in pages of one list, and nothing of yesterday's."""

import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from access.conditions import read
from access.policy import PinState, decide
from access.principals import GrantFacts
from gateway.errors import INVALID_PARAMS, Refused
from gateway.exchange import Admitted
from gateway.lists import LISTS, Lists
from gateway.protocol import Wire
from gateway.snapshot import AccessPart, Card, ServerPart, Shown
from tests.gateway.admitting import GRANTS, HANDSHAKE, MODERN, NOW, SCOPES, admitted, definition, later, server

TOOLS = server(*(definition(name) for name in "abcdefg"))


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.lists.PAGE", 3)


def asking(
    cursor: Any = None, *, part: ServerPart = TOOLS, method: str = "tools/list", wire: Wire = HANDSHAKE, **more: Any
) -> Admitted:
    """A request for a page."""
    return admitted(method, {} if cursor is None else {"cursor": cursor}, part=part, wire=wire, **more)


def page(lists: Lists, given: Admitted, shown: Shown = None) -> tuple[list[str], str | None]:
    """The names on a page, and the cursor of the next."""
    result = json.loads(lists.page(structs.replace(given, shown=shown)))
    return [item["name"] for item in result[LISTS[given.request.method].member]], result.get("nextCursor")


def every(lists: Lists, shown: Shown = None, **more: Any) -> list[str]:
    """The names on all pages."""
    names, cursor = page(lists, asking(**more), shown)
    while cursor is not None:
        found, cursor = page(lists, asking(cursor, **more), shown)
        names += found
    return names


# --- what is on them ----------------------------------------------------------------------------------------------


def test_pages_hold_every_definition_once_in_the_servers_order() -> None:
    lists = Lists()
    first, cursor = page(lists, asking())
    second, cursor_of_third = page(lists, asking(cursor))
    assert (first, second) == (["a", "b", "c"], ["d", "e", "f"])
    assert page(lists, asking(cursor_of_third)) == (["g"], None)


@pytest.mark.parametrize("count", [0, 1, 3, 6])
def test_the_last_page_leads_nowhere(count: int) -> None:
    part = server(*(definition(name) for name in "abcdef"[:count]))
    assert every(Lists(), part=part) == list("abcdef"[:count])


@pytest.mark.parametrize("wire", [HANDSHAKE, MODERN])
def test_a_page_holds_approved_text_byte_for_byte(wire: Wire) -> None:
    text = b'{ "name":"a", "x":18446744073709551615 ,"y":1.10}'
    found = Lists().page(asking(part=server(definition("a", body=text)), wire=wire))
    assert b"[" + text + b"]" in found


def test_only_what_could_be_used_now_is_listed() -> None:
    part = server(
        definition("plain"),
        definition("held", state=PinState.QUARANTINED),
        definition("gone", state=PinState.UNKNOWN),
        definition("over", expires_at=NOW),
        definition("ending", expires_at=NOW + timedelta(seconds=1)),
        definition("sensitive", sensitive=True),
        definition("textless", body=b""),
        definition("prompt", "prompt"),
    )
    assert every(Lists(), part=part) == ["plain", "ending"]


KINDS = {"prompts/list": "prompt", "resources/list": "resource", "resources/templates/list": "template"}


@pytest.mark.parametrize("method", KINDS)
def test_each_list_holds_its_own_kind_alone(method: str) -> None:
    kinds = ("tool", "prompt", "resource", "template", "card")
    part = server(*(definition(f"a {kind}", kind, scheme="memo") for kind in kinds), schemes=frozenset({"memo"}))
    assert every(Lists(), part=part, method=method) == [f"a {KINDS[method]}"]


def test_what_the_server_does_not_show_this_class_is_not_listed() -> None:
    lists = Lists()
    shown = frozenset({("tool", "a"), ("prompt", "b"), ("tool", "gone")})
    assert every(lists, shown) == ["a"]
    assert every(lists, frozenset()) == []
    assert every(lists, None) == list("abcdefg")


# --- cursors ------------------------------------------------------------------------------------------------------


def cursor_of(lists: Lists, **more: Any) -> str:
    """That of the second page."""
    found = page(lists, asking(**more))[1]
    assert found is not None
    return found


def forged(cursor: str, offset: object) -> str:
    """A cursor of the same list that says another offset."""
    digest = base64.urlsafe_b64decode(cursor).decode().partition(".")[0]
    return base64.urlsafe_b64encode(f"{digest}.{offset}".encode()).decode()


def refused(lists: Lists, given: Admitted, shown: Shown = None) -> bool:
    """Whether the cursor is refused as the specification says (MCP, utilities, pagination)."""
    try:
        lists.page(structs.replace(given, shown=shown))
    except Refused as refusal:
        return refusal.code == INVALID_PARAMS
    return False


@pytest.mark.parametrize("cursor", ["", "3", "AAAA", "é", "\ud800", 3, True, {}, [], "A" * 100_000, "%%%"])
def test_rubbish_is_no_cursor(cursor: Any) -> None:
    assert refused(Lists(), asking(cursor))


@pytest.mark.parametrize(
    "offset", ["0", "-3", "7", "9", "3.0", "", "x", "0x3", "\u0663", "3" * 5000, "+3", " 3", "3_0"]
)
def test_a_cursor_leads_to_a_page_of_its_list_or_nowhere(offset: str) -> None:
    lists = Lists()
    assert refused(lists, asking(forged(cursor_of(lists), offset)))


@pytest.mark.parametrize("offset", [1, 2, 4, 5])
def test_a_forged_cursor_makes_no_page_of_its_own(offset: int) -> None:
    """Pages are kept, so as many could be made to be kept as there are definitions."""
    lists = Lists()
    assert refused(lists, asking(forged(cursor_of(lists), offset)))


def test_a_cursor_of_another_list_is_refused() -> None:
    lists = Lists()
    tools = cursor_of(lists)
    other = server(*(definition(name, digest=f"new {name}") for name in "abcdefg"))
    assert refused(lists, asking(tools, part=other)), "the same names, other texts"
    assert refused(lists, asking(tools, part=server(*(definition(name) for name in "abcdef")))), "fewer"
    assert refused(lists, asking(tools), frozenset(("tool", name) for name in "abcdef")), "of another class"
    prompts = server(*(definition(name, "prompt") for name in "xyzuvw"))
    assert refused(lists, asking(tools, part=prompts, method="prompts/list")), "of another kind"


def test_a_cursor_is_good_in_any_process_that_has_the_same_list() -> None:
    assert page(Lists(), asking(cursor_of(Lists())))[0] == ["d", "e", "f"]


# --- what is kept -------------------------------------------------------------------------------------------------


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of definitions that were judged, once for each time that a list was made."""
    judged: list[str] = []

    def watched(call: Any, facts: Any, now: datetime) -> Any:
        judged.append(call.definition.name)
        return decide(call, facts, now)

    monkeypatch.setattr("gateway.lists.decide", watched)
    return judged


def test_a_list_is_made_once_while_nothing_changes(made: list[str]) -> None:
    lists = Lists()
    assert every(lists) == every(lists) == list("abcdefg")
    assert made == list("abcdefg")
    # The same page is the same bytes, in either era.
    assert lists.page(asking()) is lists.page(asking())
    assert lists.page(asking(wire=MODERN)) is not lists.page(asking())


NARROWER = (GrantFacts(SCOPES - {"mcp:files:call"} | {"mcp:files:tool:a"}),)


def test_a_list_is_another_as_soon_as_the_servers_part_is() -> None:
    lists = Lists()
    assert every(lists) == list("abcdefg")
    assert every(lists, part=server(definition("a"))) == ["a"]
    quarantined = server(definition("a"), definition("b", state=PinState.QUARANTINED))
    assert every(lists, part=quarantined) == ["a"]


def test_a_list_is_another_as_soon_as_the_grants_are() -> None:
    lists = Lists()
    assert every(lists) == list("abcdefg")
    assert every(lists, grants=NARROWER) == ["a"]
    assert every(lists, grants=()) == []
    assert every(lists, grants=GRANTS) == list("abcdefg")


def test_a_list_is_another_where_and_when_the_conditions_of_a_grant_do_not_hold() -> None:
    lists = Lists()
    networks, hours = {"networks": ["192.0.2.0/24"]}, {"hours": {"from": "00:00", "to": "00:01"}}
    here = (GrantFacts(SCOPES, conditions=read(networks)), *NARROWER)
    elsewhere = (GrantFacts(SCOPES, conditions=read({"networks": ["10.0.0.0/8"]})), *NARROWER)
    early = asking(grants=(GrantFacts(SCOPES, conditions=read(hours)), *NARROWER))
    assert every(lists, grants=here) == list("abcdefg")
    assert every(lists, grants=elsewhere) == ["a"]
    assert len(page(lists, early)[0]) > 1
    assert page(lists, later(early, NOW + timedelta(minutes=1)))[0] == ["a"]


def test_a_list_is_another_as_soon_as_its_class_is_shown_something_else() -> None:
    lists = Lists()
    assert every(lists, frozenset({("tool", "a"), ("tool", "b")})) == ["a", "b"]
    assert every(lists, frozenset({("tool", "b")})) == ["b"]


def test_a_list_is_each_callers_own() -> None:
    lists = Lists()
    assert every(lists) == list("abcdefg")
    assert every(lists, scopes=frozenset({"mcp:connect", "mcp:files:tool:b"})) == ["b"]
    assert every(lists, agent=2) == [], "an agent without grants"
    assert every(lists, person=7, person_active=True) == [], "the same agent, for a person without grants"


def test_a_list_for_a_person_is_what_the_agent_may_too() -> None:
    lists = Lists()
    given = asking(person=7, person_active=True)
    for own, names in ((GRANTS, ["a", "b", "c"]), (NARROWER, ["a"]), ((), []), (GRANTS, ["a", "b", "c"])):
        access = AccessPart(agents={1: own}, people={7: GRANTS})
        assert page(lists, structs.replace(given, snapshot=replace(given.snapshot, access=access)))[0] == names


ENDS: dict[str, tuple[Admitted, list[str]]] = {
    "a definition's": (
        asking(part=server(definition("a"), definition("b", expires_at=NOW + timedelta(seconds=9)))),
        ["a"],
    ),
    "a grant's": (asking(grants=(GrantFacts(SCOPES, expires_at=NOW + timedelta(seconds=9)), *NARROWER)), ["a"]),
    "the emergency's": (asking(part=replace(TOOLS, facts=replace(TOOLS.facts, trusted_until=NOW + timedelta(seconds=9)))), []),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_a_list_ends_with_the_first_approval_that_ends(name: str) -> None:
    given, left = ENDS[name]
    lists = Lists()
    before = page(lists, given)[0]
    assert len(before) > len(left)
    assert page(lists, later(given, NOW + timedelta(seconds=8)))[0] == before
    assert page(lists, later(given, NOW + timedelta(seconds=9)))[0] == left


def test_a_list_does_not_keep_a_card_beyond_its_approval() -> None:
    card = Card({"name": "approved"}, expires_at=NOW + timedelta(seconds=9))
    lists, given = Lists(), asking(part=server(definition("a"), card=card), wire=MODERN)
    assert b"approved" in lists.page(given)
    assert b"approved" not in lists.page(later(given, NOW + timedelta(seconds=9)))


def test_what_ended_before_a_list_was_made_does_not_make_it_anew_each_time(made: list[str]) -> None:
    part = server(definition("a"), definition("b", expires_at=NOW - timedelta(days=1)))
    lists = Lists()
    assert every(lists, part=part) == every(lists, part=part) == ["a"]
    assert made == ["a", "b"]


def test_only_so_many_lists_are_kept_and_the_least_used_leave(monkeypatch: pytest.MonkeyPatch, made: list[str]) -> None:
    monkeypatch.setattr("gateway.lists._KEPT", 2)
    lists, part = Lists(), server(definition("a"))
    for agent in (1, 2, 1, 3, 1):
        lists.page(asking(part=part, agent=agent))
    assert len(lists._made) == 2
    assert len(made) == 3
    lists.page(asking(part=part, agent=2))
    assert len(made) == 4


def test_callers_whose_lists_read_the_same_share_their_pages() -> None:
    """A page of a thousand tools has hundreds of kilobytes, and there may be hundreds of agents."""
    lists, both = Lists(), AccessPart(agents={1: GRANTS, 2: tuple(GRANTS), 3: NARROWER})
    first = structs.replace(asking(), snapshot=replace(asking().snapshot, access=both))
    pages = [lists.page(structs.replace(first, token=asking(agent=agent).token)) for agent in (1, 2, 3)]
    assert pages[0] is pages[1]
    assert pages[2] != pages[0]


def test_empty_lists_of_two_kinds_share_nothing() -> None:
    lists, part = Lists(), server()
    tools, prompts = (json.loads(lists.page(asking(part=part, method=f"{kind}/list"))) for kind in ("tools", "prompts"))
    assert (tools["tools"], prompts["prompts"]) == ([], [])


def test_nothing_of_a_servers_former_state_is_kept() -> None:
    """What is listed seldom would keep a state of a thousand tools for each change that there was."""
    lists, part = Lists(), server(definition("a"))
    for agent in (1, 2, 3):
        lists.page(asking(agent=agent))
    lists.page(asking(part=part))
    assert [made.server for made in lists._made.values()] == [part]


def test_one_state_of_a_list_is_told_from_another() -> None:
    lists = Lists()

    def digest(**more: Any) -> str:
        return lists.digest(asking(**more), "tools/list")

    assert digest() == digest() == Lists().digest(asking(), "tools/list")
    changed = server(*(definition(name) for name in "abcdef"), definition("g", digest="another"))
    assert len({digest(), digest(part=changed), digest(part=server()), digest(grants=NARROWER)}) == 4
    assert lists.digest(structs.replace(asking(), shown=frozenset({("tool", "a")})), "tools/list") != digest()
