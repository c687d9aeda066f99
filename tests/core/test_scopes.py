"""The grammar of scopes accepts what roles may hold and says what is wrong with the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import scopes
from core.permissions import Permission


@pytest.mark.parametrize(
    "scope",
    ["mcp:connect", "mcp:files:read", "mcp:files:call", "mcp:files:tool:read%2Fall", "mcp:f-1:template:x", *Permission],
)
def test_permissions_and_mcp_scopes_are_well_formed(scope: str) -> None:
    assert scopes.problem(scope) is None


@pytest.mark.parametrize(
    ("scope", "complaint"),
    [
        ("everything", "neither"),
        ("server:destroy", "neither"),
        ("mcp:*:call", "form"),
        ("mcp:Files:read", "form"),
        ("mcp:files", "form"),
        ("mcp:files:write", "read or call"),
        ("mcp:files:gadget:x", "kind"),
        ("mcp:files:tool:", "percent-encoded"),
        ("mcp:files:tool:a b", "percent-encoded"),
        ("mcp:files:tool:a%2fb", "percent-encoded"),
        ("mcp:files:tool:a:b", "form"),
    ],
)
def test_anything_else_is_refused_in_a_sentence(scope: str, complaint: str) -> None:
    assert complaint in str(scopes.problem(scope))


@given(st.sampled_from([kind.value for kind in scopes.ScopeKind]), st.text(min_size=1).filter(str.isprintable))
def test_every_name_has_a_well_formed_scope(kind: str, name: str) -> None:
    scope = scopes.definition_scope("files", kind, name)
    assert scopes.problem(scope) is None
    assert " " not in scope


def test_any_scope_of_a_server_implies_connecting_to_it_and_to_no_other() -> None:
    assert scopes.connects({"mcp:files:tool:read"}, "files")
    assert scopes.connects({"mcp:connect"}, "files")
    assert not scopes.connects({"mcp:mail:call", "server:read"}, "files")


def test_the_baseline_of_a_server_names_no_other_server() -> None:
    servers = {scopes.scope_server(scope) for scope in scopes.baseline_scopes("files")}
    assert servers == {None, "files"}


def test_a_scope_of_one_tool_names_it_and_every_other_scope_names_none() -> None:
    assert scopes.scope_tool(scopes.definition_scope("files", "tool", "a b:c/\u00e9")) == "a b:c/\u00e9"
    others = ("mcp:connect", "mcp:files:call", "mcp:files:read", "mcp:files:prompt:greet", "role:read")
    assert not any(map(scopes.scope_tool, others))
