"""One spelling per resource."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.resource_uri import canonical_resource


@pytest.mark.parametrize(
    ("given_uri", "canonical"),
    [
        ("https://gw.test/mcp/a", "https://gw.test/mcp/a"),
        ("HTTPS://GW.test/mcp/a/", "https://gw.test/mcp/a"),
        ("https://gw.test:443/mcp/a", "https://gw.test/mcp/a"),
        ("http://127.0.0.1:80/mcp/a", "http://127.0.0.1/mcp/a"),
        ("http://127.0.0.1:8000/mcp/a", "http://127.0.0.1:8000/mcp/a"),
        ("https://[::1]:8443/mcp/a", "https://[::1]:8443/mcp/a"),
        ("https://gw.test/mcp/A", "https://gw.test/mcp/A"),
        ("https://gw.test/", "https://gw.test"),
    ],
)
def test_spellings_of_one_endpoint_become_one(given_uri: str, canonical: str) -> None:
    assert canonical_resource(given_uri) == canonical


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "gw.test/mcp/a",
        "//gw.test/mcp/a",
        "ftp://gw.test/mcp/a",
        "urn:mcp:a",
        "https:///mcp/a",
        "https://gw.test/mcp/a#x",
        "https://gw.test/mcp/a?x=1",
        "https://gw.test/mcp/a?",
        "https://user@gw.test/mcp/a",
        "https://@gw.test/mcp/a",
        "https://gw.test:99999/mcp/a",
        "https://gw.test:x/mcp/a",
        "https://gw.test/mcp/../a",
        "https://gw.test/./mcp/a",
        "https://gw.test/mcp/\ta",
        "https://gw.test/mcp/a\n",
        "https://gw.test/mcp/\0",
        "https://[gw.test/mcp/a",
        "https://gw.test/" + "a" * 3000,
        "https://gw.tést/mcp/a",
    ],
)
def test_what_is_no_resource_has_no_canonical_form(uri: str) -> None:
    assert canonical_resource(uri) is None


@given(st.text())
def test_no_text_raises_and_the_canonical_form_is_stable(text: str) -> None:
    canonical = canonical_resource(f"https://{text}")
    assert canonical is None or canonical_resource(canonical) == canonical
