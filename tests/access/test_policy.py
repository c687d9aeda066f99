"""`decide` as a truth table: one call that is allowed, and every way of spoiling it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from msgspec import structs

from access.policy import (
    Allowed,
    Call,
    Decision,
    DefinitionFacts,
    Denied,
    Facts,
    GrantFacts,
    PinState,
    PrincipalFacts,
    Reason,
    ServerFacts,
    accepted_scopes,
    decide,
)
from core.scopes import baseline_scopes

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SOON, PAST = NOW + timedelta(minutes=1), NOW - timedelta(minutes=1)
RESOURCE = "https://holdfast.example/mcp/files"
ALL = baseline_scopes("files")

SERVER = ServerFacts(
    slug="files", resource=RESOURCE, environment="production", active=True, schemes=frozenset({"file", "db"})
)
TOOL = DefinitionFacts(kind="tool", name="read", state=PinState.APPROVED, digest="sha256:1")
PRINCIPAL = PrincipalFacts(
    agent_active=True, person_active=None, grants=(GrantFacts(ALL),), token_scopes=ALL, audience=RESOURCE
)


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


def test_a_granted_approved_tool_may_be_called_at_the_approved_digest() -> None:
    assert decided() == Allowed(digest="sha256:1", scopes=frozenset({"mcp:files:call"}))


@pytest.mark.parametrize(
    ("replaced", "reason"),
    [
        ({"principal": {"agent_active": False}}, Reason.AGENT_INACTIVE),
        ({"principal": {"person_active": False}}, Reason.PERSON_INACTIVE),
        ({"principal": {"audience": RESOURCE + "/x"}}, Reason.WRONG_AUDIENCE),
        ({"principal": {"audience": "https://holdfast.example"}}, Reason.WRONG_AUDIENCE),
        ({"principal": {"audience": ""}}, Reason.WRONG_AUDIENCE),
        ({"principal": {"grants": ()}}, Reason.NOT_GRANTED),
        ({"principal": grants("mcp:other:call", "server:read")}, Reason.NOT_GRANTED),
        ({"principal": grants(*ALL, expires_at=PAST)}, Reason.NOT_GRANTED),
        ({"principal": grants(*ALL, expires_at=NOW)}, Reason.NOT_GRANTED),
        ({"principal": grants(*ALL, environment="staging")}, Reason.NOT_GRANTED),
        ({"principal": grants("mcp:connect")}, Reason.NOT_GRANTED),
        ({"principal": grants("mcp:files:read")}, Reason.NOT_GRANTED),
        ({"principal": grants("mcp:files:tool:write")}, Reason.NOT_GRANTED),
        ({"principal": grants("mcp:files:prompt:read")}, Reason.NOT_GRANTED),
        ({"server": {"active": False}}, Reason.SERVER_NOT_ACTIVE),
        ({"server": {"withheld": True}}, Reason.SERVER_WITHHELD),
        ({"server": {"withheld": True, "trusted_until": SOON}}, Reason.SERVER_WITHHELD),
        ({"server": {"trusted_until": NOW}}, Reason.SERVER_WITHHELD),
        ({"server": {"trusted_until": PAST}}, Reason.SERVER_WITHHELD),
        ({"tool": {"state": PinState.UNKNOWN}}, Reason.UNKNOWN_DEFINITION),
        ({"tool": {"state": PinState.NOT_SHOWN}}, Reason.NOT_SHOWN),
        ({"tool": {"state": PinState.NOT_SHOWN, "sensitive": True}}, Reason.NOT_SHOWN),
        ({"tool": {"state": PinState.QUARANTINED}}, Reason.DEFINITION_QUARANTINED),
        ({"tool": {"digest": ""}}, Reason.DEFINITION_QUARANTINED),
        ({"tool": {"expires_at": NOW}}, Reason.PIN_EXPIRED),
        ({"tool": {"expires_at": PAST}}, Reason.PIN_EXPIRED),
        ({"tool": {"sensitive": True}}, Reason.NOT_GRANTED),
        ({"tool": {"unusable": True}}, Reason.SCHEMA_UNUSABLE),
        ({"tool": {**TEMPLATE_FACTS, "unusable": True}}, Reason.SCHEMA_UNUSABLE),
        ({"tool": RESOURCE_FACTS, "principal": grants("mcp:files:call")}, Reason.NOT_GRANTED),
        ({"tool": TEMPLATE_FACTS, "principal": grants("mcp:files:call")}, Reason.NOT_GRANTED),
        ({"tool": {"kind": "prompt"}, "principal": grants("mcp:files:call")}, Reason.NOT_GRANTED),
        ({"tool": {**RESOURCE_FACTS, "sensitive": True}}, Reason.NOT_GRANTED),
        ({"tool": RESOURCE_FACTS, "server": {"schemes": frozenset()}}, Reason.SCHEME_NOT_ALLOWED),
        ({"tool": {**RESOURCE_FACTS, "scheme": "http"}}, Reason.SCHEME_NOT_ALLOWED),
        ({"tool": {**RESOURCE_FACTS, "scheme": None}}, Reason.SCHEME_NOT_ALLOWED),
        ({"tool": {**RESOURCE_FACTS, "scheme": ""}}, Reason.SCHEME_NOT_ALLOWED),
        ({"tool": {**TEMPLATE_FACTS, "scheme": "http"}}, Reason.SCHEME_NOT_ALLOWED),
        ({"tool": {**TEMPLATE_FACTS, "scheme": None}, "method": "resources/read"}, Reason.SCHEME_NOT_ALLOWED),
        ({"tool": {**TEMPLATE_FACTS, "scheme": None}, "method": "resources/subscribe"}, Reason.SCHEME_NOT_ALLOWED),
        ({"tool": {**TEMPLATE_FACTS, "scheme": None}, "method": "resources/unsubscribe"}, Reason.SCHEME_NOT_ALLOWED),
        ({"principal": {"token_scopes": frozenset()}}, Reason.INSUFFICIENT_SCOPE),
        ({"principal": {"token_scopes": frozenset({"mcp:connect"})}}, Reason.INSUFFICIENT_SCOPE),
        ({"principal": {"token_scopes": frozenset({"mcp:files:read"})}}, Reason.INSUFFICIENT_SCOPE),
    ],
)
def test_one_fact_amiss_denies_the_call(replaced: dict[str, Any], reason: Reason) -> None:
    decision = decided(**replaced)
    assert isinstance(decision, Denied)
    assert decision.reason is reason


@pytest.mark.parametrize(
    ("replaced", "scopes"),
    [
        ({"principal": {"person_active": True}}, {"mcp:files:call"}),
        ({"server": {"trusted_until": SOON}}, {"mcp:files:call"}),
        ({"principal": grants(*ALL, expires_at=SOON)}, {"mcp:files:call"}),
        ({"principal": grants(*ALL, environment="production")}, {"mcp:files:call"}),
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
    assert decided(**replaced) == Allowed(digest="sha256:1", scopes=frozenset(scopes))


def test_an_unknown_server_is_denied_as_unknown() -> None:
    assert decide(Call("tools/call", TOOL), Facts(PRINCIPAL, None), NOW) == Denied(Reason.UNKNOWN_SERVER)


def test_whoever_the_role_does_not_reach_learns_nothing_of_the_servers_state() -> None:
    assert decided(principal={"grants": ()}, server={"active": False}) == Denied(Reason.NOT_GRANTED)


def test_a_missing_scope_is_named_only_where_the_role_allows_the_call() -> None:
    narrow = {"token_scopes": frozenset({"mcp:connect"})}
    assert decided(principal=narrow) == Denied(
        Reason.INSUFFICIENT_SCOPE, needed=frozenset({"mcp:connect", "mcp:files:call"})
    )
    assert decided(principal={**narrow, **grants("mcp:connect")}) == Denied(Reason.NOT_GRANTED)


def test_step_up_asks_for_the_broad_scope_when_both_would_do() -> None:
    both = grants("mcp:files:call", "mcp:files:tool:read")
    denied = decided(principal={**both, "token_scopes": frozenset()})
    assert isinstance(denied, Denied)
    assert denied.needed == {"mcp:connect", "mcp:files:call"}


@pytest.mark.parametrize("scope", ["mcp:connect", "mcp:files:read", "mcp:files:call", "mcp:files:tool:read"])
def test_any_scope_of_a_server_implies_connecting(scope: str) -> None:
    principal = structs.replace(PRINCIPAL, grants=(GrantFacts(frozenset({scope})),), token_scopes=frozenset({scope}))
    assert decide(Call("tools/list"), Facts(principal, SERVER), NOW) == Allowed(scopes=frozenset({"mcp:connect"}))


def test_whoever_may_not_reach_a_resource_learns_nothing_of_its_scheme_or_schema() -> None:
    nobody = grants("mcp:connect")
    assert decided(principal=nobody, tool={**RESOURCE_FACTS, "scheme": "http"}) == Denied(Reason.NOT_GRANTED)
    assert decided(principal=nobody, tool={"unusable": True}) == Denied(Reason.NOT_GRANTED)


def test_no_new_token_helps_where_the_scheme_or_the_schema_stands_in_the_way() -> None:
    narrow = {"token_scopes": frozenset({"mcp:connect"})}
    assert decided(principal=narrow, tool={**RESOURCE_FACTS, "scheme": "http"}) == Denied(Reason.SCHEME_NOT_ALLOWED)
    assert decided(principal=narrow, tool={"unusable": True}) == Denied(Reason.SCHEMA_UNUSABLE)


@pytest.mark.parametrize(
    "method", ["tools/list", "prompts/list", "resources/list", "resources/templates/list", "server/discover"]
)
def test_a_list_needs_connecting_only_because_each_item_is_judged_by_itself(method: str) -> None:
    principal = structs.replace(PRINCIPAL, token_scopes=frozenset({"mcp:connect"}), **grants("mcp:files:tool:read"))
    assert decide(Call(method), Facts(principal, SERVER), NOW) == Allowed(scopes=frozenset({"mcp:connect"}))


@pytest.mark.parametrize("scopes", [frozenset(), frozenset({"mcp:other:call"}), frozenset({"server:read"})])
def test_connecting_needs_a_scope_in_the_token_too(scopes: frozenset[str]) -> None:
    facts = Facts(structs.replace(PRINCIPAL, token_scopes=scopes), SERVER)
    expected = Denied(Reason.INSUFFICIENT_SCOPE, needed=frozenset({"mcp:connect"}))
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
