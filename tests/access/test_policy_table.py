"""The whole table of `decide`: principal x role x server state x pin state x token x reason, against its own oracle.

The oracle knows no scope grammar and no order of checks from the code: it is told what each role and token reaches, and
says in words of the documentation (docs/access.md) which rule must have decided.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import NamedTuple

import pytest

from access.conditions import read
from access.policy import Allowed, Call, DefinitionFacts, Facts, PinState, ServerFacts, decide
from access.principals import GrantFacts, PrincipalFacts
from access.rules import Rule
from access.suspended import Stop

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
PAST, SOON = NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)
RESOURCE = "https://holdfast.example/mcp/files"


class Held(NamedTuple):
    """A role with its grant, and what that reaches: the server, the tool, the tool where it is sensitive."""

    grants: tuple[GrantFacts, ...]
    server: bool = False
    tool: bool = False
    sensitive: bool = False


def _held(*scopes: str, reaches: str = "", **limits: object) -> Held:
    grant = GrantFacts(frozenset(scopes), **limits)  # type: ignore[arg-type]  # the limits of a grant
    return Held((grant,), *(word in reaches.split() for word in ("server", "tool", "sensitive")))


EVERY = ("mcp:connect", "mcp:files:call", "mcp:files:read", "mcp:files:tool:read")
ALL_OF_IT = "server tool sensitive"
ROLES = {
    "none": Held(()),
    "another server's": _held("mcp:other:call", "mcp:other:tool:read"),
    "permissions": _held("server:read", "tool:read"),
    "connect": _held("mcp:connect", reaches="server"),
    "read": _held("mcp:files:read", reaches="server"),
    "call": _held("mcp:files:call", reaches="server tool"),
    "the tool": _held("mcp:files:tool:read", reaches=ALL_OF_IT),
    "another tool": _held("mcp:files:tool:write", reaches="server"),
    "everything": _held(*EVERY, reaches=ALL_OF_IT),
    "everything here": _held(*EVERY, environment="production", reaches=ALL_OF_IT),
    "everything elsewhere": _held(*EVERY, environment="staging"),
    "everything for a minute": _held(*EVERY, expires_at=SOON, reaches=ALL_OF_IT),
    "everything until now": _held(*EVERY, expires_at=NOW),
    "everything on a condition that holds": _held(
        *EVERY, conditions=read({"networks": ["192.0.2.0/24"], "hours": {"from": "12:00", "to": "13:00"}}),
        reaches=ALL_OF_IT,
    ),
    "everything from another network": _held(*EVERY, conditions=read({"networks": ["10.0.0.0/8"]})),
    "everything at night": _held(*EVERY, conditions=read({"hours": {"from": "22:00", "to": "24:00"}})),
    "everything on an unknown condition": _held(*EVERY, conditions=read({"moon": "full"})),
}  # fmt: skip
TOKENS = {
    "nothing": (frozenset(), ""),
    "another server's": (frozenset({"mcp:other:call"}), ""),
    "connect": (frozenset({"mcp:connect"}), "server"),
    "read": (frozenset({"mcp:files:read"}), "server"),
    "call": (frozenset({"mcp:files:call"}), "server tool"),
    "the tool": (frozenset({"mcp:files:tool:read"}), ALL_OF_IT),
    "everything": (frozenset(EVERY), ALL_OF_IT),
}
# Whether the agent is active, whether a person is behind it and active, and what the agent holds itself then.
PRINCIPALS = {
    "an agent": (True, None, None),
    "a suspended agent": (False, None, None),
    "a person": (True, True, None),
    "a deactivated person": (True, False, None),
    "a person through a suspended agent": (False, True, None),
    "a person through an agent that lost its grants": (True, True, "none"),
    "a person through an agent that may read": (True, True, "read"),
    "a person through an agent that may call": (True, True, "call"),
    "a person through an agent for the tool": (True, True, "the tool"),
    "a person through an agent elsewhere": (True, True, "everything elsewhere"),
}
FILES = ServerFacts("files", RESOURCE, "production", active=True)
SERVERS = {
    "none": (None, Rule.SERVER_KNOWN),
    "another": (replace(FILES, resource=f"{RESOURCE}2"), Rule.TOKEN_AUDIENCE),
    "active": (FILES, None),
    "in an emergency": (replace(FILES, trusted_until=SOON), None),
    "asking why of all": (replace(FILES, intention="all"), None),
    "asking why of what is sensitive": (replace(FILES, intention="sensitive"), None),
    "asking why as a later release does": (replace(FILES, intention="twice"), None),
    "suspended": (replace(FILES, active=False), Rule.SERVER_ACTIVE),
    "withheld": (replace(FILES, withheld=True), Rule.SERVER_CARD),
    "after an emergency": (replace(FILES, trusted_until=NOW), Rule.SERVER_EMERGENCY),
}
TOOL = DefinitionFacts("tool", "read", PinState.APPROVED, "sha256:1")
# What is wrong with the pin before the caller's grants are asked, and after.
PINS = {
    "unknown": (replace(TOOL, state=PinState.UNKNOWN, digest=""), Rule.DEFINITION_KNOWN, None),
    "not shown": (replace(TOOL, state=PinState.NOT_SHOWN, digest=""), Rule.DEFINITION_SHOWN, None),
    "approved": (TOOL, None, None),
    "approved for a minute": (replace(TOOL, expires_at=SOON), None, None),
    "sensitive": (replace(TOOL, sensitive=True), None, None),
    "quarantined": (replace(TOOL, state=PinState.QUARANTINED), None, Rule.DEFINITION_APPROVED),
    "without a digest": (replace(TOOL, digest=""), None, Rule.DEFINITION_APPROVED),
    "expired": (replace(TOOL, expires_at=PAST), None, Rule.DEFINITION_UNEXPIRED),
    "unusable": (replace(TOOL, unusable=True), None, Rule.DEFINITION_SCHEMA),
    "sensitive and quarantined": (
        replace(TOOL, sensitive=True, state=PinState.QUARANTINED), None, Rule.DEFINITION_APPROVED,
    ),
}  # fmt: skip


# At which servers a call must say why, and of which pins.
ASKING = {
    "asking why of all": frozenset(PINS),
    "asking why of what is sensitive": frozenset(pin for pin in PINS if pin.startswith("sensitive")),
    "asking why as a later release does": frozenset(PINS),
}

# What is suspended, and the first gate that it shuts: against the caller, the server, the definition.
STOPS = {
    "nothing": None,
    "another tool": Stop(definitions=frozenset({("tool", "write"), ("prompt", "read")})),
    "everything": Stop(caller=Rule.SUSPENDED_EVERYTHING),
    "the agent": Stop(caller=Rule.SUSPENDED_AGENT),
    "the person": Stop(caller=Rule.SUSPENDED_PERSON),
    "the caller's team": Stop(caller=Rule.SUSPENDED_TEAM),
    "the server": Stop(server=Rule.SUSPENDED_SERVER),
    "the server's team": Stop(server=Rule.SUSPENDED_TEAM),
    "the tool": Stop(definitions=frozenset({("tool", "read")})),
    "everything there is": Stop(
        Rule.SUSPENDED_EVERYTHING, Rule.SUSPENDED_SERVER, frozenset({("tool", "read"), ("tool", "write")})
    ),
}


def _expected(
    who: str, role: str, where: str, pin: str, token: str, stopped: str = "nothing", *, why: bool = False
) -> Rule:
    """What documentation promises for calling the tool: the first of the gates that is shut."""
    agent, person, own = PRINCIPALS[who]
    held, bound = ROLES[role], ROLES[own] if own is not None else None
    tool, before, after = PINS[pin]
    reached = "sensitive" if tool.sensitive else "tool"
    missing = SERVERS[where][1]
    stop = STOPS[stopped]
    gates: tuple[tuple[object, Rule | None], ...] = (
        (stop and stop.caller, stop.caller if stop else None),
        (not agent, Rule.AGENT_ACTIVE),
        (person is False, Rule.PERSON_ACTIVE),
        (missing is Rule.SERVER_KNOWN, Rule.SERVER_KNOWN),
        (missing is Rule.TOKEN_AUDIENCE, Rule.TOKEN_AUDIENCE),
        (not held.server, Rule.GRANT_SERVER),
        (bound is not None and not bound.server, Rule.CEILING_SERVER),
        (stop and stop.server, stop.server if stop else None),
        (missing is not None, missing),
        (before is not None, before),
        (not getattr(held, reached), Rule.GRANT_DEFINITION),
        (bound is not None and not getattr(bound, reached), Rule.CEILING_DEFINITION),
        (stop and ("tool", "read") in stop.definitions, Rule.SUSPENDED_DEFINITION),
        (after is not None, after),
        (pin in ASKING.get(where, ()) and not why, Rule.INTENTION_GIVEN),
        (reached not in TOKENS[token][1].split(), Rule.TOKEN_SCOPE),
        (True, Rule.ALLOW_DEFINITION),
    )
    shut = next(rule for is_shut, rule in gates if is_shut)
    assert shut is not None
    return shut


def _facts(who: str, role: str, where: str, token: str, stopped: str = "nothing") -> Facts:
    agent, person, own = PRINCIPALS[who]
    ceiling = ROLES[own].grants if own is not None else None
    principal = PrincipalFacts(agent, person, ROLES[role].grants, TOKENS[token][0], RESOURCE, ceiling)
    return Facts(principal, SERVERS[where][0], "192.0.2.1", STOPS[stopped])


@pytest.mark.parametrize("who", PRINCIPALS)
def test_every_row_is_decided_by_the_rule_that_the_documentation_names(who: str) -> None:
    for role, where, pin, token in product(ROLES, SERVERS, PINS, TOKENS):
        for why in (False, True) if where in ASKING else (False,):
            decision = decide(Call("tools/call", PINS[pin][0], why), _facts(who, role, where, token), NOW)
            expected = _expected(who, role, where, pin, token, why=why)
            assert decision.rule is expected, f"{role} at {where} for {pin} by {token}, saying why: {why}"
            assert isinstance(decision, Allowed) is (expected is Rule.ALLOW_DEFINITION)


def test_who_says_why_where_nobody_asks_is_judged_alike() -> None:
    for who, where, pin in product(PRINCIPALS, SERVERS.keys() - ASKING.keys(), PINS):
        decision = decide(Call("tools/call", PINS[pin][0], intention=True), _facts(who, "call", where, "call"), NOW)
        expected = _expected(who, "call", where, pin, "call")
        assert decision.rule is expected, f"{who} at {where} for {pin}"


@pytest.mark.parametrize("stopped", STOPS)
def test_what_is_suspended_is_refused_to_every_caller_and_nothing_else_is(stopped: str) -> None:
    for who, role, where, pin, token in product(PRINCIPALS, ROLES, SERVERS, PINS, ("call", "everything")):
        decision = decide(Call("tools/call", PINS[pin][0]), _facts(who, role, where, token, stopped), NOW)
        expected = _expected(who, role, where, pin, token, stopped)
        assert decision.rule is expected, f"{who} with {role} at {where} for {pin} by {token}"
        assert isinstance(decision, Allowed) is (expected is Rule.ALLOW_DEFINITION)


@pytest.mark.parametrize("who", PRINCIPALS)
def test_what_is_told_to_be_missing_is_held_and_is_all_that_was_missing(who: str) -> None:
    for role, where, pin, token in product(ROLES, SERVERS, PINS, TOKENS):
        facts = _facts(who, role, where, token)
        call = Call("tools/call", PINS[pin][0])
        decision = decide(call, facts, NOW)
        if isinstance(decision, Allowed) or not decision.needed:
            continue
        principal = facts.principal
        every = frozenset().union(*(grant.scopes for grant in (*principal.grants, *(principal.ceiling or ()))))
        assert decision.needed <= every | {"mcp:connect"}
        asked = PrincipalFacts(
            principal.agent_active, principal.person_active, principal.grants, decision.needed, RESOURCE,
            principal.ceiling,
        )  # fmt: skip
        assert isinstance(decide(call, Facts(asked, facts.server, facts.client_ip), NOW), Allowed)


@pytest.mark.parametrize("who", PRINCIPALS)
def test_connecting_needs_a_grant_and_a_token_that_reach_the_server(who: str) -> None:
    for role, where, token in product(ROLES, SERVERS, TOKENS):
        rule = _expected(who, role, where, "unknown", token)
        if rule is Rule.DEFINITION_KNOWN:  # every gate of the server is open
            rule = Rule.ALLOW_CONNECTION if "server" in TOKENS[token][1].split() else Rule.TOKEN_CONNECT
        assert decide(Call("tools/list"), _facts(who, role, where, token), NOW).rule is rule


def test_the_table_reaches_every_rule_of_tools() -> None:
    reached = {_expected(*row) for row in product(PRINCIPALS, ROLES, SERVERS, PINS, TOKENS)}
    reached |= {_expected("an agent", "call", "active", "approved", "call", stopped) for stopped in STOPS}
    elsewhere = {Rule.TOKEN_CONNECT, Rule.ALLOW_CONNECTION, Rule.DEFINITION_SCHEME}
    assert reached == set(Rule) - elsewhere
