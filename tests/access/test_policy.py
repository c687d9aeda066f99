"""`decide` as a truth table: one call that is allowed, and every way of spoiling it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from msgspec import structs

from access.conditions import read
from access.policy import (
    REASONS,
    Allowed,
    Call,
    Decision,
    DefinitionFacts,
    Denied,
    Facts,
    PinState,
    Reason,
    ServerFacts,
    accepted_scopes,
    decide,
)
from access.principals import GrantFacts, PrincipalFacts
from access.rules import Rule
from core.scopes import baseline_scopes

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SOON, PAST = NOW + timedelta(minutes=1), NOW - timedelta(minutes=1)
RESOURCE = "https://holdfast.example/mcp/files"
ALL = baseline_scopes("files")

SERVER = ServerFacts(
    slug="files", resource=RESOURCE, environment="production", active=True, schemes=frozenset({"file", "db"})
)
TOOL = DefinitionFacts(kind="tool", name="read", state=PinState.APPROVED, digest="sha256:1")
GRANT = GrantFacts(ALL, names=("grant:1", "role:files"))
PRINCIPAL = PrincipalFacts(agent_active=True, person_active=None, grants=(GRANT,), token_scopes=ALL, audience=RESOURCE)


def decided(
    *,
    principal: dict[str, Any] | None = None,
    server: dict[str, Any] | None = None,
    tool: dict[str, Any] | None = None,
    method: str = "tools/call",
) -> Decision:
    """The decision on the allowed call with some facts replaced."""
    facts = Facts(structs.replace(PRINCIPAL, **(principal or {})), replace(SERVER, **(server or {})))
    return decide(Call(method, replace(TOOL, **(tool or {}))), facts, NOW)


RESOURCE_FACTS = {"kind": "resource", "name": "file:///a", "scheme": "file"}
TEMPLATE_FACTS = {"kind": "template", "name": "file:///{p}", "scheme": "file"}


def grants(*scopes: str, **limits: Any) -> dict[str, Any]:
    return {"grants": (GrantFacts(frozenset(scopes), **limits),)}


def connection(*held: GrantFacts) -> Allowed:
    """What connecting is answered with, carried by these grants."""
    return Allowed(Rule.ALLOW_CONNECTION, held, frozenset({"mcp:connect"}))


def test_a_granted_approved_tool_may_be_called_at_the_approved_digest() -> None:
    assert decided() == Allowed(Rule.ALLOW_DEFINITION, (GRANT,), frozenset({"mcp:files:call"}), "sha256:1")


@pytest.mark.parametrize(
    ("replaced", "rule"),
    [
        ({"principal": {"agent_active": False}}, Rule.AGENT_ACTIVE),
        ({"principal": {"person_active": False}}, Rule.PERSON_ACTIVE),
        ({"principal": {"audience": RESOURCE + "/x"}}, Rule.TOKEN_AUDIENCE),
        ({"principal": {"audience": "https://holdfast.example"}}, Rule.TOKEN_AUDIENCE),
        ({"principal": {"audience": ""}}, Rule.TOKEN_AUDIENCE),
        ({"principal": {"grants": ()}}, Rule.GRANT_SERVER),
        ({"principal": grants("mcp:other:call", "server:read")}, Rule.GRANT_SERVER),
        ({"principal": grants(*ALL, expires_at=PAST)}, Rule.GRANT_SERVER),
        ({"principal": grants(*ALL, expires_at=NOW)}, Rule.GRANT_SERVER),
        ({"principal": grants(*ALL, environment="staging")}, Rule.GRANT_SERVER),
        ({"principal": grants(*ALL, conditions=read({"networks": ["10.0.0.0/8"]}))}, Rule.GRANT_SERVER),
        ({"principal": grants(*ALL, conditions=read({"hours": {"from": "12:01", "to": "24:00"}}))}, Rule.GRANT_SERVER),
        ({"principal": grants(*ALL, conditions=read({"moon": "full"}))}, Rule.GRANT_SERVER),
        ({"principal": grants("mcp:connect")}, Rule.GRANT_DEFINITION),
        ({"principal": grants("mcp:files:read")}, Rule.GRANT_DEFINITION),
        ({"principal": grants("mcp:files:tool:write")}, Rule.GRANT_DEFINITION),
        ({"principal": grants("mcp:files:prompt:read")}, Rule.GRANT_DEFINITION),
        ({"server": {"active": False}}, Rule.SERVER_ACTIVE),
        ({"server": {"withheld": True}}, Rule.SERVER_CARD),
        ({"server": {"withheld": True, "trusted_until": SOON}}, Rule.SERVER_CARD),
        ({"server": {"trusted_until": NOW}}, Rule.SERVER_EMERGENCY),
        ({"server": {"trusted_until": PAST}}, Rule.SERVER_EMERGENCY),
        ({"tool": {"state": PinState.UNKNOWN}}, Rule.DEFINITION_KNOWN),
        ({"tool": {"state": PinState.NOT_SHOWN}}, Rule.DEFINITION_SHOWN),
        ({"tool": {"state": PinState.NOT_SHOWN, "sensitive": True}}, Rule.DEFINITION_SHOWN),
        ({"tool": {"state": PinState.QUARANTINED}}, Rule.DEFINITION_APPROVED),
        ({"tool": {"digest": ""}}, Rule.DEFINITION_APPROVED),
        ({"tool": {"expires_at": NOW}}, Rule.DEFINITION_UNEXPIRED),
        ({"tool": {"expires_at": PAST}}, Rule.DEFINITION_UNEXPIRED),
        ({"tool": {"sensitive": True}}, Rule.GRANT_DEFINITION),
        ({"tool": {"unusable": True}}, Rule.DEFINITION_SCHEMA),
        ({"tool": {**TEMPLATE_FACTS, "unusable": True}}, Rule.DEFINITION_SCHEMA),
        ({"tool": RESOURCE_FACTS, "principal": grants("mcp:files:call")}, Rule.GRANT_DEFINITION),
        ({"tool": TEMPLATE_FACTS, "principal": grants("mcp:files:call")}, Rule.GRANT_DEFINITION),
        ({"tool": {"kind": "prompt"}, "principal": grants("mcp:files:call")}, Rule.GRANT_DEFINITION),
        ({"tool": {**RESOURCE_FACTS, "sensitive": True}}, Rule.GRANT_DEFINITION),
        ({"tool": RESOURCE_FACTS, "server": {"schemes": frozenset()}}, Rule.DEFINITION_SCHEME),
        ({"tool": {**RESOURCE_FACTS, "scheme": "http"}}, Rule.DEFINITION_SCHEME),
        ({"tool": {**RESOURCE_FACTS, "scheme": None}}, Rule.DEFINITION_SCHEME),
        ({"tool": {**RESOURCE_FACTS, "scheme": ""}}, Rule.DEFINITION_SCHEME),
        ({"tool": {**TEMPLATE_FACTS, "scheme": "http"}}, Rule.DEFINITION_SCHEME),
        ({"tool": {**TEMPLATE_FACTS, "scheme": None}, "method": "resources/read"}, Rule.DEFINITION_SCHEME),
        ({"tool": {**TEMPLATE_FACTS, "scheme": None}, "method": "resources/subscribe"}, Rule.DEFINITION_SCHEME),
        ({"tool": {**TEMPLATE_FACTS, "scheme": None}, "method": "resources/unsubscribe"}, Rule.DEFINITION_SCHEME),
        ({"principal": {"token_scopes": frozenset()}}, Rule.TOKEN_SCOPE),
        ({"principal": {"token_scopes": frozenset({"mcp:connect"})}}, Rule.TOKEN_SCOPE),
        ({"principal": {"token_scopes": frozenset({"mcp:files:read"})}}, Rule.TOKEN_SCOPE),
    ],
)
def test_one_fact_amiss_denies_the_call(replaced: dict[str, Any], rule: Rule) -> None:
    decision = decided(**replaced)
    assert isinstance(decision, Denied)
    assert (decision.rule, decision.rule_ids) == (rule, (rule.value,))


@pytest.mark.parametrize(
    ("replaced", "scopes"),
    [
        ({"principal": {"person_active": True}}, {"mcp:files:call"}),
        ({"server": {"trusted_until": SOON}}, {"mcp:files:call"}),
        ({"principal": grants(*ALL, expires_at=SOON)}, {"mcp:files:call"}),
        ({"principal": grants(*ALL, environment="production")}, {"mcp:files:call"}),
        ({"principal": grants(*ALL, conditions=read({"hours": {"from": "12:00", "to": "12:01"}}))}, {"mcp:files:call"}),
        ({"tool": {"expires_at": SOON}}, {"mcp:files:call"}),
        ({"tool": RESOURCE_FACTS}, {"mcp:files:read"}),
        ({"tool": {**RESOURCE_FACTS, "scheme": "db"}, "method": "resources/read"}, {"mcp:files:read"}),
        ({"tool": TEMPLATE_FACTS, "method": "resources/read"}, {"mcp:files:read"}),
        ({"tool": TEMPLATE_FACTS, "method": "resources/templates/list"}, {"mcp:files:read"}),
        # Until a URI is asked for there is no scheme to judge.
        ({"tool": {**TEMPLATE_FACTS, "scheme": None}, "method": "resources/templates/list"}, {"mcp:files:read"}),
        ({"tool": {**TEMPLATE_FACTS, "scheme": None}, "method": "completion/complete"}, {"mcp:files:read"}),
        ({"tool": {"kind": "prompt"}, "method": "prompts/get"}, {"mcp:files:read"}),
        ({"tool": {"kind": "prompt"}, "server": {"schemes": frozenset()}}, {"mcp:files:read"}),
        ({"server": {"schemes": frozenset()}}, {"mcp:files:call"}),
        (
            {
                "tool": RESOURCE_FACTS,
                "principal": {
                    **grants("mcp:files:resource:file%3A%2F%2F%2Fa"),
                    "token_scopes": frozenset({"mcp:files:resource:file%3A%2F%2F%2Fa", "mcp:files:call"}),
                },
            },
            {"mcp:files:resource:file%3A%2F%2F%2Fa"},
        ),
        (
            {
                "principal": {
                    **grants("mcp:files:tool:read"),
                    "token_scopes": frozenset({"mcp:files:tool:read", "mcp:files:read"}),
                }
            },
            {"mcp:files:tool:read"},
        ),
        # A broad scope of the token includes the one tool that the role allows, and the other way round.
        (
            {"principal": {**grants("mcp:files:tool:read"), "token_scopes": frozenset({"mcp:files:call"})}},
            {"mcp:files:call"},
        ),
        (
            {"principal": {**grants("mcp:files:call"), "token_scopes": frozenset({"mcp:files:tool:read"})}},
            {"mcp:files:tool:read"},
        ),
        (
            {
                "tool": {"sensitive": True, "name": "delete all"},
                "principal": {
                    **grants("mcp:files:tool:delete%20all"),
                    "token_scopes": frozenset({"mcp:files:tool:delete%20all"}),
                },
            },
            {"mcp:files:tool:delete%20all"},
        ),
    ],
)
def test_these_are_allowed_by_exactly_the_scopes_that_carry_them(replaced: dict[str, Any], scopes: set[str]) -> None:
    decision = decided(**replaced)
    assert isinstance(decision, Allowed)
    assert (decision.digest, set(decision.scopes)) == ("sha256:1", scopes)


def test_an_unknown_server_is_denied_as_unknown() -> None:
    assert decide(Call("tools/call", TOOL), Facts(PRINCIPAL, None), NOW) == Denied(Rule.SERVER_KNOWN)


def test_whoever_the_role_does_not_reach_learns_nothing_of_the_servers_state() -> None:
    assert decided(principal={"grants": ()}, server={"active": False}) == Denied(Rule.GRANT_SERVER)


def test_a_missing_scope_is_named_only_where_the_role_allows_the_call() -> None:
    narrow = {"token_scopes": frozenset({"mcp:connect"})}
    assert decided(principal=narrow) == Denied(Rule.TOKEN_SCOPE, needed=frozenset({"mcp:connect", "mcp:files:call"}))
    assert decided(principal={**narrow, **grants("mcp:connect")}) == Denied(Rule.GRANT_DEFINITION)


def test_step_up_asks_for_the_smallest_scope_of_the_role_that_suffices() -> None:
    """A person who is asked to consent is asked for one tool, where the role can say one tool."""
    broad, own = {"mcp:files:call"}, {"mcp:files:tool:read"}
    for held, wanted in ((broad | own, own), (own, own), (broad, broad)):
        for principal in (grants(*held), {"grants": tuple(GrantFacts(frozenset({scope})) for scope in held)}):
            denied = decided(principal={**principal, "token_scopes": frozenset()})
            assert isinstance(denied, Denied)
            assert denied.needed == {"mcp:connect"} | wanted


def test_what_step_up_asks_for_is_enough() -> None:
    for role in (("mcp:files:call", "mcp:files:tool:read"), ("mcp:files:call",), ("mcp:files:tool:read",)):
        denied = decided(principal={**grants(*role), "token_scopes": frozenset()})
        assert isinstance(denied, Denied)
        assert isinstance(decided(principal={**grants(*role), "token_scopes": denied.needed}), Allowed)


@pytest.mark.parametrize("scope", ["mcp:connect", "mcp:files:read", "mcp:files:call", "mcp:files:tool:read"])
def test_any_scope_of_a_server_implies_connecting(scope: str) -> None:
    principal = structs.replace(PRINCIPAL, grants=(GrantFacts(frozenset({scope})),), token_scopes=frozenset({scope}))
    assert decide(Call("tools/list"), Facts(principal, SERVER), NOW) == connection(*principal.grants)


def test_whoever_may_not_reach_a_resource_learns_nothing_of_its_scheme_or_schema() -> None:
    nobody = grants("mcp:connect")
    assert decided(principal=nobody, tool={**RESOURCE_FACTS, "scheme": "http"}) == Denied(Rule.GRANT_DEFINITION)
    assert decided(principal=nobody, tool={"unusable": True}) == Denied(Rule.GRANT_DEFINITION)


def test_no_new_token_helps_where_the_scheme_or_the_schema_stands_in_the_way() -> None:
    narrow = {"token_scopes": frozenset({"mcp:connect"})}
    assert decided(principal=narrow, tool={**RESOURCE_FACTS, "scheme": "http"}) == Denied(Rule.DEFINITION_SCHEME)
    assert decided(principal=narrow, tool={"unusable": True}) == Denied(Rule.DEFINITION_SCHEMA)


@pytest.mark.parametrize(
    "method", ["tools/list", "prompts/list", "resources/list", "resources/templates/list", "server/discover"]
)
def test_a_list_needs_connecting_only_because_each_item_is_judged_by_itself(method: str) -> None:
    principal = structs.replace(PRINCIPAL, token_scopes=frozenset({"mcp:connect"}), **grants("mcp:files:tool:read"))
    assert decide(Call(method), Facts(principal, SERVER), NOW) == connection(*principal.grants)


@pytest.mark.parametrize("scopes", [frozenset(), frozenset({"mcp:other:call"}), frozenset({"server:read"})])
def test_connecting_needs_a_scope_in_the_token_too(scopes: frozenset[str]) -> None:
    facts = Facts(structs.replace(PRINCIPAL, token_scopes=scopes), SERVER)
    expected = Denied(Rule.TOKEN_CONNECT, needed=frozenset({"mcp:connect"}))
    assert decide(Call("tools/list"), facts, NOW) == expected


def test_grants_add_up_but_only_where_and_while_they_hold() -> None:
    held = (
        GrantFacts(frozenset({"a"})),
        GrantFacts(frozenset({"b"}), environment="production"),
        GrantFacts(frozenset({"c"}), environment="staging"),
        GrantFacts(frozenset({"d"}), expires_at=SOON),
        GrantFacts(frozenset({"e"}), expires_at=NOW),
    )
    counted = [grant.scopes for grant in held if grant.holds("production", NOW)]
    assert frozenset().union(*counted) == {"a", "b", "d"}


def test_a_grant_for_a_network_holds_for_callers_in_it_alone() -> None:
    principal = structs.replace(PRINCIPAL, **grants(*ALL, conditions=read({"networks": ["10.0.0.0/8"]})))
    found = {
        address: isinstance(decide(Call("tools/call", TOOL), Facts(principal, SERVER, address), NOW), Allowed)
        for address in ("10.0.0.1", "192.0.2.1", "")
    }
    assert found == {"10.0.0.1": True, "192.0.2.1": False, "": False}


def test_a_sensitive_tool_is_reached_by_its_own_scope_alone() -> None:
    assert accepted_scopes("files", replace(TOOL, sensitive=True)) == {"mcp:files:tool:read"}


ROLES = ((), ("mcp:connect",), ("mcp:files:read",), ("mcp:files:call",), ("mcp:files:tool:read",), tuple(ALL))
IN_EMERGENCY = replace(SERVER, trusted_until=SOON)
STATES = (
    None,
    SERVER,
    IN_EMERGENCY,
    replace(SERVER, active=False),
    replace(SERVER, withheld=True),
    replace(SERVER, trusted_until=PAST),
)
PINS = tuple(
    replace(TOOL, state=state, sensitive=sensitive, expires_at=expires, kind=kind, unusable=unusable, scheme=scheme)
    for state, sensitive, expires, (kind, scheme), unusable in product(
        PinState,
        (False, True),
        (None, PAST),
        (
            ("tool", None), ("prompt", None), ("resource", "file"), ("resource", "http"), ("resource", None),
            ("template", "file"), ("template", "http"), ("template", None),
        ),
        (False, True),
    )
)  # fmt: skip
METHODS = {
    "tool": ("tools/call",),
    "prompt": ("prompts/get", "completion/complete"),
    "resource": ("resources/read", "resources/list"),
    "template": ("resources/read", "resources/templates/list"),
}


def test_nothing_is_allowed_unless_everything_fits() -> None:
    """The whole table: person, role, server, pin, method and token, against what `Allowed` claims."""
    table = product((None, False), ROLES, STATES, PINS, ROLES)
    allowed: dict[str, int] = {}
    for person, role, server, pin, token in table:
        principal = structs.replace(
            PRINCIPAL,
            person_active=person,
            grants=(GrantFacts(frozenset(role)),),
            token_scopes=frozenset(token),
        )
        for method in METHODS[pin.kind]:
            decision = decide(Call(method, pin), Facts(principal, server), NOW)
            if isinstance(decision, Allowed):
                allowed[pin.kind] = allowed.get(pin.kind, 0) + 1
                assert person is not False
                assert server in (SERVER, IN_EMERGENCY)
                assert (pin.state, pin.expires_at, pin.unusable) == (PinState.APPROVED, None, False)
                assert decision.scopes
                assert decision.scopes <= set(token) & accepted_scopes("files", pin)
                assert set(role) & accepted_scopes("files", pin)
                if pin.kind in ("resource", "template"):
                    listed = pin.kind == "template" and method != "resources/read"
                    assert pin.scheme == "file" or (listed and pin.scheme is None)
            else:
                assert not decision.needed or decision.needed - {"mcp:connect"} <= set(role)
    assert set(allowed) == set(METHODS)


def test_every_refusal_has_a_rule_and_every_rule_that_refuses_one_reason() -> None:
    assert set(REASONS) == set(Rule) - {Rule.ALLOW_CONNECTION, Rule.ALLOW_DEFINITION}


def test_what_is_allowed_names_every_grant_that_carried_it_and_no_other() -> None:
    by_name = GrantFacts(frozenset({"mcp:files:tool:read"}), names=("grant:2", "role:one tool"))
    other = GrantFacts(frozenset({"mcp:files:read"}), names=("grant:3", "role:readers"))
    ended = GrantFacts(ALL, expires_at=PAST, names=("grant:4", "role:files"))
    decision = decided(principal={"grants": (other, GRANT, ended, by_name)})
    assert decision.rule_ids == ("allow.definition", "grant:1", "role:files", "grant:2", "role:one tool")


def test_connecting_names_the_grants_that_reach_the_server() -> None:
    elsewhere = GrantFacts(frozenset({"mcp:other:call"}), names=("grant:2", "role:other"))
    facts = Facts(structs.replace(PRINCIPAL, grants=(elsewhere, GRANT)), SERVER)
    assert decide(Call("tools/list"), facts, NOW).rule_ids == ("allow.connection", "grant:1", "role:files")


# --- an agent that acts for a person --------------------------------------------------------------------------------


def bounded(*own: GrantFacts, **more: Any) -> dict[str, Any]:
    """A person who holds everything through an agent that holds this itself."""
    return {"person_active": True, "ceiling": own, **more}


OWN = GrantFacts(ALL, names=("grant:own", "role:own"))


@pytest.mark.parametrize(
    ("own", "rule"),
    [
        ((), Rule.CEILING_SERVER),
        ((GrantFacts(frozenset({"mcp:other:call"})),), Rule.CEILING_SERVER),
        ((GrantFacts(ALL, environment="staging"),), Rule.CEILING_SERVER),
        ((GrantFacts(ALL, expires_at=NOW),), Rule.CEILING_SERVER),
        ((GrantFacts(ALL, conditions=read({"networks": ["10.0.0.0/8"]})),), Rule.CEILING_SERVER),
        ((GrantFacts(frozenset({"mcp:files:read"})),), Rule.CEILING_DEFINITION),
        ((GrantFacts(frozenset({"mcp:files:tool:write"})),), Rule.CEILING_DEFINITION),
    ],
)
def test_an_agent_goes_nowhere_for_a_person_where_its_own_grants_do_not_reach(
    own: tuple[GrantFacts, ...], rule: Rule
) -> None:
    denied = decided(principal=bounded(*own))
    assert denied == Denied(rule)
    assert isinstance(denied, Denied)
    assert denied.reason is Reason.NOT_GRANTED


def test_what_the_agent_holds_never_widens_what_its_person_may() -> None:
    assert decided(principal=bounded(OWN, **grants("mcp:files:read"))) == Denied(Rule.GRANT_DEFINITION)
    assert decided(principal=bounded(OWN, grants=())) == Denied(Rule.GRANT_SERVER)


def test_what_both_hold_is_allowed_and_both_grants_are_named() -> None:
    decision = decided(principal=bounded(OWN))
    assert decision.rule_ids == ("allow.definition", "grant:1", "role:files", "grant:own", "role:own")
    facts = Facts(structs.replace(PRINCIPAL, **bounded(OWN)), SERVER)
    assert decide(Call("tools/list"), facts, NOW) == connection(GRANT, OWN)


def test_an_agent_that_was_never_given_anything_is_bound_by_its_person_and_the_token() -> None:
    assert isinstance(decided(principal={"person_active": True, "ceiling": None}), Allowed)
    narrow = {"person_active": True, "ceiling": None, "token_scopes": frozenset({"mcp:connect"})}
    assert decided(principal=narrow) == Denied(Rule.TOKEN_SCOPE, frozenset({"mcp:connect", "mcp:files:call"}))


def test_step_up_asks_for_the_smaller_of_what_person_and_agent_hold() -> None:
    one = GrantFacts(frozenset({"mcp:files:tool:read"}))
    denied = decided(principal=bounded(one, token_scopes=frozenset()))
    assert denied == Denied(Rule.TOKEN_SCOPE, frozenset({"mcp:connect", "mcp:files:tool:read"}))


@pytest.mark.parametrize("scopes", [ALL, frozenset({"mcp:connect"}), frozenset({"mcp:files:call"}), frozenset()])
@pytest.mark.parametrize("limits", [{}, {"expires_at": PAST}, {"expires_at": SOON}, {"environment": "development"}])
@pytest.mark.parametrize("method", ["tools/call", "resources/read"])
@pytest.mark.parametrize("definition", [{}, {"sensitive": True}, {"scheme": "ftp"}, RESOURCE_FACTS, TEMPLATE_FACTS])
def test_one_grant_is_judged_as_two_of_the_same_are(
    scopes: frozenset[str], method: str, definition: dict[str, Any], limits: dict[str, Any]
) -> None:
    one = GrantFacts(scopes, names=("grant:1",), **limits)
    alone, twice = (
        decided(principal={"grants": held, "ceiling": held}, tool=definition, method=method)
        for held in ((one,), (one, one))
    )
    if isinstance(alone, Allowed) and isinstance(twice, Allowed):
        assert set(twice.grants) == set(alone.grants) == {one}
        alone, twice = structs.replace(alone, grants=()), structs.replace(twice, grants=())
    assert alone == twice
