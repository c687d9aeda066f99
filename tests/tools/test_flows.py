"""Toxic flows: tools that are harmless alone, and together lead what is private out at a stranger's word."""

from typing import Any

import pytest

from tools.flows import PATHS_MAX, Leg, Tool, flows, tool_of

PRIVATE, UNTRUSTED, OUT = Leg.PRIVATE, Leg.UNTRUSTED, Leg.OUT
CUSTOMERS = tool_of("crm", {"name": "find_customers", "description": "Finds customers by name."})
ISSUES = tool_of("forge", {"name": "list_issues", "description": "Lists the issues of a project."})
SEND = tool_of("mail", {"name": "send_mail", "description": "Sends a mail."})
FETCH = tool_of("web", {"name": "fetch", "inputSchema": {"properties": {"url": {"type": "string"}}}})
ADD = tool_of("maths", {"name": "add", "description": "Adds two numbers."})


@pytest.mark.parametrize(
    ("definition", "legs"),
    [
        ({"name": "add", "description": "Adds two numbers."}, set()),
        ({"name": "findCustomers"}, {PRIVATE}),
        ({"name": "query", "description": "Runs a query against the sales database."}, {PRIVATE}),
        ({"name": "list_issues"}, {UNTRUSTED}),
        ({"name": "read_inbox"}, {PRIVATE, UNTRUSTED}),
        ({"name": "send_message"}, {OUT}),
        ({"name": "create_issue"}, {OUT}),
        ({"name": "create_invoice"}, set()),
        ({"name": "fetch", "inputSchema": {"properties": {"url": {}}}}, {UNTRUSTED, OUT}),
        ({"name": "ping", "inputSchema": {"properties": {"webhookUrl": {}}}}, {OUT}),
        ({"name": "run_shell"}, {PRIVATE, UNTRUSTED, OUT}),
        ({"name": "search", "annotations": {"openWorldHint": True}}, {UNTRUSTED}),
        ({"name": "search", "annotations": {"openWorldHint": False}}, set()),
        ({"name": "browse_web", "annotations": {"openWorldHint": False}}, {UNTRUSTED}),
        ({"name": None, "description": 1, "inputSchema": [], "annotations": "x"}, set()),
        ({}, set()),
    ],
)
def test_a_tools_own_words_say_what_it_adds(definition: dict[str, Any], legs: set[Leg]) -> None:
    assert tool_of("s", definition).legs == legs


def test_three_tools_of_three_servers_make_a_path() -> None:
    found = flows([SEND, ADD, ISSUES, CUSTOMERS])
    (path,) = found.paths
    assert (path.untrusted, path.private, path.out) == (ISSUES, CUSTOMERS, SEND)
    assert (found.is_cut, found.legs[OUT]) == (False, (SEND,))


@pytest.mark.parametrize("missing", [SEND, ISSUES, CUSTOMERS])
def test_without_one_leg_there_is_no_path(missing: Tool) -> None:
    assert flows({SEND, ISSUES, CUSTOMERS} - {missing}).paths == ()


def test_the_shortest_paths_come_first() -> None:
    found = flows([SEND, ISSUES, CUSTOMERS, FETCH])
    assert (found.paths[0].untrusted, found.paths[0].out) == (FETCH, FETCH)
    assert found.paths[0].private == CUSTOMERS
    assert len(found.paths) == 4


def test_paths_are_bounded_and_say_so() -> None:
    many = [Tool("s", f"{leg}-{at}", frozenset({leg})) for leg in Leg for at in range(500)]
    found = flows([*many, Tool("s", "z", frozenset(Leg))])
    assert (len(found.paths), found.is_cut, len(found.legs[OUT])) == (PATHS_MAX, True, 501)
    assert {found.paths[0].untrusted.name, found.paths[0].private.name, found.paths[0].out.name} == {"z"}


def test_fewest_tools_come_before_fewest_servers() -> None:
    """In every way of three legs over few servers, so that each length is there."""
    legs = [frozenset({leg}) for leg in Leg] + [frozenset({PRIVATE, UNTRUSTED}), frozenset({UNTRUSTED, OUT})]
    found = flows([Tool(server, f"{at}", each) for server in "ab" for at, each in enumerate(legs)])
    lengths = [path.length for path in found.paths]
    assert lengths == sorted(lengths)
    assert {(2, 1), (2, 2)} < {*lengths}


def test_a_shorter_path_ranks_before_many_long_ones() -> None:
    one = flows([Tool("s", "z", frozenset(Leg))])
    many = flows(Tool(str(leg), str(at), frozenset({leg})) for leg in Leg for at in range(9))
    assert sorted([many, flows([]), one, flows([SEND, ISSUES, CUSTOMERS])], key=lambda each: each.rank) == [
        one, many, flows([SEND, ISSUES, CUSTOMERS]), flows([]),
    ]  # fmt: skip
    assert (one.shortest, flows([]).shortest) == (one.paths[0], None)


def test_the_order_of_tools_is_no_matter() -> None:
    tools = [SEND, ISSUES, CUSTOMERS, FETCH]
    assert flows(tools) == flows(reversed(tools))
