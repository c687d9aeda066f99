"""URLs of endpoints and of their metadata."""

import pytest

from gateway.site import Site

SITE = Site(gateway_url="https://gw.example/agents/mcp", issuer="https://hold.example")


@pytest.mark.parametrize(
    ("path", "slug"),
    [
        ("/agents/mcp/files", "files"),
        ("/agents/mcp/a-1", "a-1"),
        ("/agents/mcp/files/", None),
        ("/agents/mcp/", None),
        ("/agents/mcp", None),
        ("/mcp/files", None),
        ("/agents/mcp/Files", None),
        ("/agents/mcp/%66iles", None),
        ("/agents/mcp/files\n", None),
        ("/agents/mcp/../mcp/files", None),
        ("/agents/mcp/" + "a" * 25, None),
        ("/agentsxmcp/files", None),
    ],
)
def test_only_exact_paths_are_endpoints(path: str, slug: str | None) -> None:
    assert SITE.slug_of_endpoint(path) == slug
    assert SITE.slug_of_metadata("/.well-known/oauth-protected-resource" + path) == slug


def test_metadata_says_where_tokens_come_from_and_for_what() -> None:
    assert SITE.metadata_url("files") == "https://gw.example/.well-known/oauth-protected-resource/agents/mcp/files"
    assert SITE.metadata("files", "Files") == {
        "resource": "https://gw.example/agents/mcp/files",
        "authorization_servers": ["https://hold.example"],
        "scopes_supported": ["mcp:connect", "mcp:files:call", "mcp:files:read"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Files",
    }


def test_the_gateways_paths_are_told_from_the_consoles() -> None:
    well_known = "/.well-known/oauth-protected-resource/agents/mcp/files"
    assert all(map(SITE.owns, ["/agents/mcp", "/agents/mcp/x/y", well_known]))
    assert not any(map(SITE.owns, ["/", "/agents", "/agents/mcpx", "/.well-known/oauth-authorization-server"]))
