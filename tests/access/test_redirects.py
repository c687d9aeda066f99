"""Redirect URIs: what may be registered, and what is the same as what was registered."""

import re
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from access.models import Agent
from access.redirects import (
    URI_MAX,
    URIS_MAX,
    URIS_PATTERN,
    is_loopback,
    matches,
    problem,
    problem_of_all,
    shown_host,
    usable,
)
from tests.factories import AgentFactory

GOOD = [
    "https://claude.ai/api/mcp/auth_callback",
    "https://chatgpt.com/connector_platform_oauth_redirect",
    "https://vscode.dev/redirect",
    "https://app.example:8443/cb?tenant=a&x=%20",
    "https://app.example",
    "https://app.example?x=1",
    "https://192.0.2.7/cb",
    "https://[2001:db8::1]/cb",
    "https://localhost/cb",
    "http://localhost/callback",
    "http://localhost:8787/callback",
    "http://127.0.0.1",
    "http://127.0.0.1/",
    "http://127.0.0.1:33418/",
    "http://[::1]:5000/cb",
    "https://a.example/cb;x@y",
]
BAD = [
    "",
    " ",
    "http://evil.test/cb",
    "http://app.example/cb",
    "http://localhost.evil.test/cb",
    "http://127.0.0.1.evil.test/cb",
    "http://127.0.0.1@evil.test/cb",
    "http://localhost@evil.test/cb",
    "http://localhost:80@evil.test/cb",
    "http://localhost:@evil.test/cb",
    "http://127.0.0.2/cb",
    "http://127.1/cb",
    "http://2130706433/cb",
    "http://0x7f000001/cb",
    "http://0.0.0.0/cb",
    "http://[::]/cb",
    "http://[::ffff:127.0.0.1]/cb",
    "http://[::1].evil.test/cb",
    "http://LOCALHOST/cb",
    "HTTPS://app.example/cb",
    "https://App.example/cb",
    "https://user@app.example/cb",
    "https://user:pw@app.example/cb",
    "https://app.example/cb#fragment",
    "https://app.example/cb#",
    "https://app.example/c b",
    "https://app.example/cb\0",
    "https://app.example/cb%00",
    "https://app.example/cb\n",
    "\nhttps://app.example/cb",
    "https://app.example\\@evil.test/cb",
    "https://app.example\\.evil.test/cb",
    "https://app.example:0/cb",
    "https://app.example:65536/cb",
    "https://app.example:99999999/cb",
    "https://app.example:/cb",
    "https://app.example:443x/cb",
    "https://*.example/cb",
    "https://*/cb",
    "https:///cb",
    "https:app.example/cb",
    "https:/app.example/cb",
    "https://.app.example/cb",
    "https://app..example/cb",
    "https://-app.example/cb",
    "https://2130706433/cb",
    "https://0x7f.1/cb",
    "https://[zz]/cb",
    "https://[::1/cb",
    "https://app.example]/cb",
    "https://bücher.example/cb",
    "https://app.example/ü",
    'https://app.example/"onload',
    "https://app.example/<script>",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "com.example.app:/cb",
    "//app.example/cb",
    "/cb",
    "urn:ietf:wg:oauth:2.0:oob",
    "https://app.example/" + "x" * URI_MAX,
]


@pytest.mark.parametrize("uri", GOOD)
def test_https_and_loopback_may_be_registered(uri: str) -> None:
    assert problem(uri) is None
    assert usable([uri, uri]) == [uri]
    assert matches(uri, [uri])
    assert re.search(URIS_PATTERN, uri)


@pytest.mark.parametrize("uri", BAD, ids=lambda uri: repr(uri)[:40])
def test_nothing_else_may(uri: str) -> None:
    assert problem(uri)
    assert usable([uri, GOOD[0]]) == [GOOD[0]]
    assert not matches(uri, [uri])


# What has been a hole in one library or another: registered, asked.
CONFUSED = [
    ("https://app.example/cb", "https://app.example/cb/"),
    ("https://app.example/cb", "https://app.example/cb;x"),
    ("https://app.example/cb", "https://app.example/cb?"),
    ("https://app.example/cb", "https://app.example/cb?x=1"),
    ("https://app.example/cb?a=1", "https://app.example/cb?a=1&b=2"),
    ("https://app.example/cb?a=1&b=2", "https://app.example/cb?b=2&a=1"),
    ("https://app.example/cb?a=1", "https://app.example/cb"),
    ("https://app.example/cb", "https://app.example/CB"),
    ("https://app.example/cb", "https://app.example/c%62"),
    ("https://app.example/cb", "https://app.example/x/../cb"),
    ("https://app.example/cb", "https://app.example//cb"),
    ("https://app.example/cb", "https://app.example:443/cb"),
    ("https://app.example/cb", "https://app.example:8443/cb"),
    ("https://app.example/cb", "https://app.example./cb"),
    ("https://app.example/cb", "https://app.example.evil.test/cb"),
    ("https://app.example/cb", "https://evil.test/https://app.example/cb"),
    ("https://app.example/cb", "http://app.example/cb"),
    ("https://app.example", "https://app.example/"),
    ("https://localhost/cb", "https://localhost:4443/cb"),
    ("https://localhost/cb", "http://localhost/cb"),
    ("http://localhost/cb", "https://localhost/cb"),
    ("http://localhost/cb", "http://127.0.0.1/cb"),
    ("http://127.0.0.1/cb", "http://localhost/cb"),
    ("http://127.0.0.1/cb", "http://[::1]/cb"),
    ("http://localhost/cb", "http://localhost:/cb"),
    ("http://localhost/cb", "http://localhost:0/cb"),
    ("http://localhost/cb", "http://localhost:70000/cb"),
    ("http://localhost/cb", "http://localhost:80/other"),
    ("http://localhost/cb", "http://localhost:80@evil.test/cb"),
    ("http://localhost/cb", "http://localhost.evil.test/cb"),
    ("http://localhost", "http://localhost/"),
]


@pytest.mark.parametrize(("registered", "asked"), CONFUSED)
def test_what_only_looks_like_the_registered_one_does_not_match(registered: str, asked: str) -> None:
    assert not matches(asked, [registered])


@pytest.mark.parametrize(
    ("registered", "asked"),
    [
        ("http://localhost/callback", "http://localhost:53076/callback"),
        ("http://localhost:3118/callback", "http://localhost:1/callback"),
        ("http://localhost:3118/callback", "http://localhost/callback"),
        ("http://127.0.0.1/", "http://127.0.0.1:59656/"),
        ("http://[::1]/cb?x=1", "http://[::1]:65535/cb?x=1"),
    ],
)
def test_the_port_of_a_program_on_the_persons_computer_is_free(registered: str, asked: str) -> None:
    assert matches(asked, ["https://app.example/cb", registered])


def test_loopback_is_told_from_the_rest() -> None:
    assert all(is_loopback(uri) for uri in GOOD if uri.startswith("http://"))
    assert not any(is_loopback(uri) for uri in [*BAD, *GOOD] if not uri.startswith("http://") or "evil" in uri)
    assert shown_host("http://localhost:8787/cb") == "localhost:8787"


def test_an_agent_has_ten_at_most() -> None:
    uris = [f"https://app.example/{number}" for number in range(URIS_MAX)]
    assert problem_of_all(uris) is None
    assert problem_of_all([*uris, "https://app.example/one-more"])
    assert problem_of_all(["https://app.example/", "http://evil.test/"])


@given(st.text(max_size=60), st.sampled_from(["", "https://", "http://localhost", "http://127.0.0.1:", "https://a.b/"]))
def test_nothing_breaks_the_rules_and_what_matches_is_the_same_but_for_the_port(tail: str, head: str) -> None:
    uri = head + tail
    for registered in GOOD:
        if matches(uri, [registered]):
            assert problem(uri) is None
            assert uri == registered or (is_loopback(uri) and is_loopback(registered))
    if problem(uri) is None:
        assert matches(uri, [uri])
        assert uri.isascii()
        assert "#" not in uri
        assert uri.startswith("https://") or is_loopback(uri)


# --- the table -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_table_takes_what_the_rules_take() -> None:
    agent = AgentFactory.create(redirect_uris=" ".join(GOOD[:URIS_MAX]))
    for uri in GOOD:
        assert Agent.objects.filter(pk=agent.pk).update(redirect_uris=uri) == 1
    assert Agent.objects.filter(pk=agent.pk).update(redirect_uris="") == 1


# What the pattern of the table cannot tell, the rules do.
_FINER = {"%00", ":65536", ":99999", "https://.", "..", "https://-", "https://2130706433", "https://0x7f", "x" * 99}


_COARSE = [uri for uri in BAD if uri and "\0" not in uri and not any(part in uri for part in _FINER)]


@pytest.mark.django_db
@pytest.mark.parametrize("uri", _COARSE, ids=lambda uri: repr(uri)[:40])
def test_the_table_refuses_a_redirect_uri_that_was_written_into_it(uri: str) -> None:
    agent: Any = AgentFactory.create()
    for text in (uri, f"https://app.example/cb {uri}", f"{uri} https://app.example/cb"):
        with pytest.raises(IntegrityError, match="agent_redirect_uris_allowed"), transaction.atomic():
            Agent.objects.filter(pk=agent.pk).update(redirect_uris=text)


@pytest.mark.django_db
def test_the_table_bounds_them_all_together() -> None:
    agent: Any = AgentFactory.create()
    with pytest.raises(IntegrityError, match="agent_redirect_uris_allowed"):
        Agent.objects.filter(pk=agent.pk).update(redirect_uris=" ".join(["https://a.example/" + "x" * 3000] * 10))


@pytest.mark.django_db
def test_the_toolkit_compares_by_these_rules() -> None:
    agent = AgentFactory.create(redirect_uris="https://app.example/cb http://localhost/cb")
    assert agent.redirect_uri_allowed("http://localhost:4000/cb")
    assert not agent.redirect_uri_allowed("https://app.example/cb?x=1")
    assert not agent.redirect_uri_allowed("https://app.example/cb\0")
