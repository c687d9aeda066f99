"""Whose tools make a toxic flow: of principals, of two roles together, and what a grant completes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from access.policy import DefinitionFacts, PinState, ServerFacts
from access.principals import GrantFacts
from gateway.flows import Flowing, Remembered, Tools, carrying, completed, may_carry, pairs
from gateway.reach import Caller, Offered, Reach
from gateway.snapshot import AccessPart
from tools.querysets import ServedRow

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
AGENT, ALICE, BOB = 1, 2, 3


def offered(slug: str, name: str) -> Offered:
    server = ServerFacts(slug, slug, "development", active=True)
    facts = DefinitionFacts("tool", name, PinState.APPROVED, digest=f"sha256:{slug}-{name}")
    return Offered(server, "", facts, json.dumps({"name": name}))


CUSTOMERS, ISSUES, SEND = (
    offered("crm", "find_customers"),
    offered("forge", "list_issues"),
    offered("mail", "send_mail"),
)
ADD = offered("maths", "add")
TOOLS = Tools(carrying([ADD, CUSTOMERS, ISSUES, SEND]))
PRIVATE, UNTRUSTED, OUT = "mcp:crm:call", "mcp:forge:call", "mcp:mail:call"


def grant(name: str, *scopes: str) -> GrantFacts:
    return GrantFacts(frozenset(scopes), names=(f"grant:{name}", f"role:{name}"))


ALL_BUT_MAIL, MAIL = grant("reader", PRIVATE, UNTRUSTED), grant("mailer", OUT)


def served(text: str) -> ServedRow:
    return ServedRow(
        "tool", "", f"sha256:{text[:50]}", text, "", "", None, sensitive=False, present=True, served=True,
        on_glass=False, pin_text=text,
    )  # fmt: skip


def apart(roles: dict[str, list[str]], *names: frozenset[str]) -> tuple[list[tuple[str, str]], int]:
    found, total = pairs(roles, AccessPart(), TOOLS, NOW, apart=names)
    return sorted(pair.roles for pair in found), total


def test_a_principal_that_reaches_all_legs_holds_a_flow() -> None:
    access = AccessPart({AGENT: (ALL_BUT_MAIL, MAIL)}, {ALICE: (ALL_BUT_MAIL,)})
    flowing = Flowing(Reach(access, NOW), TOOLS)
    (path,) = flowing.of(Caller(AGENT)).paths
    assert [tool.canonical for tool in (path.untrusted, path.private, path.out)] == [
        "forge/list_issues",
        "crm/find_customers",
        "mail/send_mail",
    ]
    assert not flowing.of(Caller(person=ALICE, person_active=True)).paths


def test_what_is_remembered_ends_with_the_first_thing_that_it_was_made_of() -> None:
    soon, later = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    ending = (
        (replace(MAIL, expires_at=soon), SEND),
        (MAIL, replace(SEND, facts=replace(SEND.facts, expires_at=soon))),
        (MAIL, replace(SEND, server=replace(SEND.server, trusted_until=soon))),
    )
    for given, tool in ending:
        access, remembered = AccessPart({AGENT: (ALL_BUT_MAIL, given)}), Remembered()
        tools = Tools(carrying([CUSTOMERS, ISSUES, tool]), {"crm": 0, "forge": 1, "mail": 2})
        found = [bool(Flowing(Reach(access, now), tools, remembered).of(Caller(AGENT)).paths) for now in (NOW, later)]
        assert found == [True, False]


def test_what_is_remembered_of_one_reading_of_a_server_is_nothing_of_another() -> None:
    access, remembered = AccessPart({AGENT: (ALL_BUT_MAIL, MAIL)}), Remembered()
    served = Tools(carrying([CUSTOMERS, ISSUES, SEND]), {"crm": 0, "forge": 1, "mail": 2})
    held = Tools(carrying([CUSTOMERS, ISSUES]), {"crm": 0, "forge": 1, "mail": 3})
    found = [Flowing(Reach(access, NOW), tools, remembered).of(Caller(AGENT)).paths for tools in (served, held, served)]
    assert list(map(bool, found)) == [True, False, True]


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '{"name": "\\ud800"}', '{"name": 7}', "[" * 100_000])
def test_a_text_that_says_nothing_may_carry_nothing(text: str) -> None:
    assert not may_carry(served(text))


def test_a_tool_that_carries_is_found_by_its_text_alone() -> None:
    for each in (CUSTOMERS, ISSUES, SEND, ADD):
        assert may_carry(served(each.text)) == bool(carrying([each]))


def test_what_is_not_served_is_in_no_flow() -> None:
    held = replace(SEND, text="", facts=replace(SEND.facts, state=PinState.QUARANTINED, digest=""))
    access = AccessPart({AGENT: (ALL_BUT_MAIL, MAIL)})
    assert not Flowing(Reach(access, NOW), Tools(carrying([CUSTOMERS, ISSUES, held]))).of(Caller(AGENT)).paths


def test_roles_that_complete_a_flow_together_are_named_once_and_only_where_neither_does_alone() -> None:
    roles = {
        "reader": [PRIVATE, UNTRUSTED],
        "mailer": [OUT],
        "all": [PRIVATE, UNTRUSTED, OUT],
        "adder": ["mcp:maths:call"],
    }
    assert apart(roles) == ([("mailer", "reader")], 1)
    assert apart(roles, frozenset({"reader", "mailer"})) == ([], 0)
    # Every two of these lack a leg, or are one role.
    assert apart({"a": [PRIVATE], "b": [UNTRUSTED], "c": [OUT]}) == ([], 0)


def test_of_a_pair_it_is_known_how_many_people_hold_both() -> None:
    access = AccessPart({AGENT: (ALL_BUT_MAIL, MAIL)}, {ALICE: (ALL_BUT_MAIL, MAIL), BOB: (MAIL,)})
    found, _ = pairs({"reader": [PRIVATE, UNTRUSTED], "mailer": [OUT]}, access, TOOLS, NOW, apart=())
    assert [pair.people for pair in found] == [1]


def test_a_grant_completes_a_flow_for_those_who_held_none_before() -> None:
    both, had = (ALL_BUT_MAIL, MAIL), (grant("all", PRIVATE, UNTRUSTED, OUT), MAIL)
    done = completed("grant:mailer", AccessPart({AGENT: both}, {ALICE: both, BOB: had}), TOOLS, NOW)
    assert done is not None
    assert (done.principals, done.path.out.canonical) == (2, "mail/send_mail")
    assert completed("grant:mailer", AccessPart({}, {BOB: had}), TOOLS, NOW) is None
    assert completed("grant:mailer", AccessPart({}, {BOB: (MAIL,)}), TOOLS, NOW) is None
    assert completed("grant:reader", AccessPart({}, {BOB: (MAIL,)}), TOOLS, NOW) is None
