"""What answers hold, without the package that fetches them."""

import pytest
from mcp_types import SERVER_INFO_META_KEY

from servers.listing import announced, identity_of
from servers.surface import Kind

INFO = {"name": "files", "version": "1"}


def test_who_a_server_is_stands_elsewhere_in_each_era() -> None:
    modern, handshake = {"_meta": {SERVER_INFO_META_KEY: INFO}}, {"serverInfo": INFO}
    assert identity_of(modern, modern=True) == identity_of(handshake, modern=False) == INFO
    assert identity_of(modern, modern=False) is identity_of(handshake, modern=True) is None
    assert identity_of({"_meta": []}, modern=True) is None


@pytest.mark.parametrize(
    ("capabilities", "kinds"),
    [
        ({"tools": {}}, {Kind.TOOL}),
        ({"resources": {"subscribe": True}, "prompts": {}}, {Kind.RESOURCE, Kind.TEMPLATE, Kind.PROMPT}),
        ({"tools": None, "logging": {}}, set()),
        (None, set()),
        ([], set()),
    ],
)
def test_lists_are_those_that_are_announced(capabilities: object, kinds: set[Kind]) -> None:
    assert announced(capabilities) == kinds
