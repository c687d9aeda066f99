"""The frozen snapshot: what is listed is what is callable, and parts change alone."""

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from access.policy import Allowed, Call, DefinitionFacts, Denied, PinState, Reason, ServerFacts
from access.principals import GrantFacts
from access.rules import Rule
from gateway.parts import resources_of, schemes_of
from gateway.snapshot import STALE_AFTER, AccessPart, Card, Definition, ServerPart, Snapshot, Token
from gateway.uris import UriTemplate, scheme_of

NOW = datetime(2026, 11, 22, tzinfo=UTC)
RESOURCE = "https://gw.example/mcp/files"
ALL = frozenset({"mcp:files:call"})


def definition(name: str, state: PinState = PinState.APPROVED, **more: Any) -> Definition:
    """A tool; its body is its name."""
    digest = "d" if state is PinState.APPROVED else ""
    return Definition(DefinitionFacts("tool", name, state, digest, **more), body=name.encode() if digest else b"")


def server(*definitions: Definition, **facts: Any) -> ServerPart:
    """The server `files`."""
    known = {"slug": "files", "resource": RESOURCE, "environment": "development", "active": True, **facts}
    return ServerPart(
        ServerFacts(**known), definitions={(each.facts.kind, each.facts.name): each for each in definitions}
    )


def token(**more: Any) -> Token:
    """A token of agent 1 for `files`."""
    known: dict[str, Any] = {
        "id": "t",
        "client_id": "c",
        "agent": 1,
        "agent_active": True,
        "person": None,
        "person_active": None,
        "principal": "agent:c",
        "resource": RESOURCE,
        "scopes": ALL,
    }
    return Token(**{**known, **more})


def snapshot(part: ServerPart, *, agents: Any = None, people: Any = None) -> Snapshot:
    """A snapshot of one server."""
    access = AccessPart(agents=agents if agents is not None else {1: (GrantFacts(ALL),)}, people=people or {})
    return Snapshot(servers={"files": part}, access=access, read_at=100.0)


TOOLS = (
    definition("plain"),
    definition("held", PinState.QUARANTINED),
    definition("gone", PinState.UNKNOWN),
    definition("expired", expires_at=NOW),
    definition("expiring", expires_at=NOW + timedelta(seconds=1)),
    definition("sensitive", sensitive=True),
)


def test_what_is_callable_is_approved_and_has_not_expired() -> None:
    known = snapshot(server(*TOOLS))
    callable_ = [
        each.facts.name
        for each in TOOLS
        if isinstance(known.decide(Call("tools/call", each.facts), token(), "files", NOW), Allowed)
    ]
    assert callable_ == ["plain", "expiring"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"agent_active": False}, Reason.AGENT_INACTIVE),
        ({"resource": "https://gw.example/mcp/other"}, Reason.WRONG_AUDIENCE),
        ({"agent": 2}, Reason.NOT_GRANTED),
        ({"scopes": frozenset()}, Reason.INSUFFICIENT_SCOPE),
        ({"person": 7, "person_active": False}, Reason.PERSON_INACTIVE),
        ({"person": 7, "person_active": True}, Reason.NOT_GRANTED),
    ],
)
def test_a_holder_is_judged_by_token_and_grants(change: dict[str, Any], reason: Reason) -> None:
    decision = snapshot(server(*TOOLS)).decide(Call("tools/list"), token(**change), "files", NOW)
    assert isinstance(decision, Denied)
    assert decision.reason is reason


def test_an_agent_that_acts_for_a_person_has_that_persons_grants() -> None:
    known = snapshot(server(*TOOLS), agents={}, people={7: (GrantFacts(ALL),)})
    for_person = token(person=7, person_active=True)
    assert isinstance(known.decide(Call("tools/list"), for_person, "files", NOW), Allowed)


@pytest.mark.parametrize(
    ("own", "rule"),
    [((GrantFacts(ALL),), None), ((), Rule.CEILING_SERVER), ((GrantFacts(frozenset()),), Rule.CEILING_SERVER)],
)
def test_an_agent_to_which_something_was_given_once_is_bound_by_what_it_holds(own: Any, rule: Rule | None) -> None:
    known = snapshot(server(*TOOLS), agents={1: own}, people={7: (GrantFacts(ALL),)})
    decision = known.decide(Call("tools/list"), token(person=7, person_active=True), "files", NOW)
    assert (decision.rule if isinstance(decision, Denied) else None) is rule


def test_an_unknown_server_is_denied() -> None:
    known = snapshot(server(*TOOLS))
    assert known.decide(Call("tools/list"), token(), "absent", NOW) == Denied(Rule.SERVER_KNOWN)


def test_an_unknown_name_is_a_definition_in_state_unknown() -> None:
    assert server().definition("tool", "absent").facts.state is PinState.UNKNOWN


def test_a_snapshot_goes_stale() -> None:
    known = snapshot(server())
    assert not known.is_stale(100.0 + STALE_AFTER)
    assert known.is_stale(100.1 + STALE_AFTER)
    assert Snapshot().is_stale(0.0)


def test_replacing_one_server_leaves_the_old_snapshot_and_the_other_servers() -> None:
    before = snapshot(server())
    after = before.with_server("other", server(slug="other"))
    assert set(before.servers) == {"files"}
    assert set(after.servers) == {"files", "other"}
    assert after.servers["files"] is before.servers["files"]
    assert set(after.with_server("files", None).servers) == {"other"}


def test_a_card_is_shown_until_its_approval_expires() -> None:
    card = Card({"name": "Files", "version": "9"}, "Be kind.", NOW)
    part = replace(server(), card=card)
    assert part.presented(NOW - timedelta(seconds=1)) is card
    for neutral in (part.presented(NOW), server().presented(NOW)):
        assert neutral == Card({"name": "files", "version": "1"})


def test_nothing_of_a_snapshot_can_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        snapshot(server()).read_at = 0.0  # type: ignore[misc]


ONE, TWO, MORE = ("tool", "one"), ("tool", "two"), ("prompt", "one")


@pytest.mark.parametrize(
    ("shown", "listed"),
    [
        (None, {"plain", "expiring"}),
        (frozenset({("tool", "plain"), ("tool", "expiring")}), {"plain", "expiring"}),
        (frozenset({("tool", "plain"), ("tool", "unheard of")}), {"plain"}),
        (frozenset({("tool", "held"), ("tool", "gone"), ("tool", "expired"), ("tool", "sensitive")}), set()),
        (frozenset({("prompt", "plain")}), set()),
        (frozenset(), set()),
    ],
    ids=["not known", "all", "one", "what may not be called", "another kind", "none"],
)
def test_what_a_class_is_not_shown_is_not_callable_and_nothing_is_added(shown: Any, listed: set[str]) -> None:
    known = snapshot(server(*TOOLS))
    part = known.servers["files"]
    judged = {
        name: known.decide(Call("tools/call", part.definition("tool", name, shown).facts), token(), "files", NOW)
        for _, name in part.definitions
    }
    assert {name for name, decision in judged.items() if isinstance(decision, Allowed)} == listed


def test_what_a_class_is_not_shown_is_refused_without_a_word_of_what_it_is() -> None:
    known = snapshot(server(*TOOLS))
    for name, rule in (
        ("plain", Rule.DEFINITION_SHOWN),
        ("held", Rule.DEFINITION_SHOWN),
        ("expired", Rule.DEFINITION_SHOWN),
        ("sensitive", Rule.DEFINITION_SHOWN),
        ("gone", Rule.DEFINITION_KNOWN),
        ("never", Rule.DEFINITION_KNOWN),
    ):
        found = known.servers["files"].definition("tool", name, frozenset())
        narrow = token(scopes=frozenset({"mcp:files:read"}))
        assert known.decide(Call("tools/call", found.facts), narrow, "files", NOW) == Denied(rule)
        assert (found.body, found.facts.digest) == (b"", "")


def test_a_class_is_taken_to_be_shown_what_the_poller_is_where_it_never_differed() -> None:
    part = replace(server(), observed={ONE: "1", TWO: "2"}, sighted={"agent:c": {ONE: None, TWO: "x", MORE: "y"}})
    assert part.known_shown("agent:c") == {TWO: "x", MORE: "y"}
    assert part.known_shown("agent:other") == {ONE: "1", TWO: "2"}


READ = frozenset({"mcp:files:read"})


def resource(uri: str, state: PinState = PinState.APPROVED, **more: Any) -> Definition:
    return Definition(DefinitionFacts("resource", uri, state, "d", scheme=scheme_of(uri), **more))


def template(text: str, state: PinState = PinState.APPROVED, **more: Any) -> Definition:
    made = UriTemplate.compile(text)
    assert made is not None
    return Definition(DefinitionFacts("template", text, state, "d", scheme=made.scheme, **more), template=made)


def files(*definitions: Definition) -> ServerPart:
    """The server `files`, with everything that follows from its definitions."""
    part = server(*definitions, schemes=schemes_of(definitions))
    return replace(part, resources=resources_of(definitions))


def read(part: ServerPart, uri: str, scopes: frozenset[str] = READ) -> tuple[str, Reason | None]:
    """By which definition a reading of `uri` is judged, and why it is refused."""
    known = snapshot(part, agents={1: (GrantFacts(scopes),)})
    found, decision = known.decide_any(Call("resources/read"), part.readable(uri), token(scopes=scopes), "files", NOW)
    return found.facts.name, decision.reason if isinstance(decision, Denied) else None


TREE = files(
    resource("file:///docs/a"),
    resource("file:///docs/held", PinState.QUARANTINED),
    resource("file:///docs/h%C3%A9ld", PinState.QUARANTINED),
    resource("db://Held/row", PinState.QUARANTINED),
    resource("file:///docs/gone", PinState.UNKNOWN),
    resource("file:///docs/secret", sensitive=True),
    resource("file:///docs/a b"),
    template("file:///docs/{name}"),
    template("db://{table}/row"),
    template("file:///held/{name}", PinState.QUARANTINED),
    template("{scheme}:///any/{name}"),
    template("javascript:{x}"),
)


@pytest.mark.parametrize(
    ("uri", "by", "reason"),
    [
        ("file:///docs/a", "file:///docs/a", None),
        ("file:///docs/b", "file:///docs/{name}", None),
        ("file:///any/b", "{scheme}:///any/{name}", None),
        # What is held under its own name is not reached by a template, in no spelling.
        ("file:///docs/held", "file:///docs/held", Reason.DEFINITION_QUARANTINED),
        ("file:///docs/hel%64", "file:///docs/hel%64", Reason.UNKNOWN_DEFINITION),
        ("file:///docs/h%c3%a9ld", "file:///docs/h%c3%a9ld", Reason.UNKNOWN_DEFINITION),
        ("db://held/row", "db://held/row", Reason.UNKNOWN_DEFINITION),
        ("db://other/row", "db://{table}/row", None),
        ("FILE:///docs/held", "FILE:///docs/held", Reason.UNKNOWN_DEFINITION),
        ("file:///docs/secret", "file:///docs/secret", Reason.NOT_GRANTED),
        ("file:///docs/gone", "file:///docs/{name}", None),
        ("file:///held/b", "file:///held/{name}", Reason.DEFINITION_QUARANTINED),
        ("file:///docs/../etc", "file:///docs/../etc", Reason.UNKNOWN_DEFINITION),
        ("file:///docs/a/b", "file:///docs/a/b", Reason.UNKNOWN_DEFINITION),
        ("file:///docs/a b", "file:///docs/a b", Reason.SCHEME_NOT_ALLOWED),
        ("http:///any/b", "{scheme}:///any/{name}", Reason.SCHEME_NOT_ALLOWED),
        ("javascript:alert", "javascript:alert", Reason.UNKNOWN_DEFINITION),
        ("nothing", "nothing", Reason.UNKNOWN_DEFINITION),
        ("", "", Reason.UNKNOWN_DEFINITION),
    ],
)
def test_a_uri_is_judged_by_its_own_resource_or_by_the_templates_that_give_it(
    uri: str, by: str, reason: Reason | None
) -> None:
    assert read(TREE, uri) == (by, reason)


def test_any_template_that_the_caller_may_read_is_enough() -> None:
    part = files(template("x:{a}", PinState.QUARANTINED), template("x:{+b}"), template("x:{c}"))
    own = frozenset({"mcp:files:template:x%3A%7Bc%7D"})
    assert read(part, "x:1", own) == ("x:{c}", None)
    assert read(part, "x:1") == ("x:{+b}", None)
    assert read(part, "x:1", frozenset({"mcp:files:call"})) == ("x:{+b}", Reason.NOT_GRANTED)


def test_a_completion_names_a_template_by_its_text_or_a_uri() -> None:
    (named,) = TREE.referred("file:///docs/{name}")
    assert (named.facts.kind, named.facts.name) == ("template", "file:///docs/{name}")
    assert [each.facts.name for each in TREE.referred("file:///docs/b")] == ["file:///docs/{name}"]
    assert TREE.referred("file:///absent/{name}")[0].facts.state is PinState.UNKNOWN


@pytest.mark.parametrize("each", TOOLS)
@pytest.mark.parametrize("scopes", [ALL, frozenset()])
def test_a_request_that_can_be_about_one_definition_is_judged_as_about_the_first_of_many(
    each: Definition, scopes: frozenset[str]
) -> None:
    known = snapshot(server(*TOOLS))
    one, many = (
        known.decide_any(Call("tools/call"), candidates, token(scopes=scopes), "files", NOW)
        for candidates in ((each,), (each, each))
    )
    assert one == many
