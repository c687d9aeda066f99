"""What of all that is suspended stops one call."""

import pytest

from access.rules import Rule
from access.suspended import Stop, Suspended, split_definition

AGENT, PERSON = 1, 7


def stop(suspended: Suspended, *, person: int | None = None, slug: str = "files", team: str = "") -> Stop | None:
    return suspended.stop(AGENT, person, slug, team)


def test_what_does_not_concern_a_call_does_not_stop_it() -> None:
    other = Suspended(
        agents={2: Rule.SUSPENDED_AGENT},
        people={PERSON: Rule.SUSPENDED_PERSON},
        teams=frozenset({"blue"}),
        servers=frozenset({"mail"}),
        definitions={"mail": frozenset({("tool", "read")})},
    )
    assert stop(other) is None
    assert stop(other, person=8, team="red") is None


@pytest.mark.parametrize(
    ("suspended", "expected"),
    [
        (Suspended(everything=True, agents={AGENT: Rule.SUSPENDED_AGENT}), Stop(caller=Rule.SUSPENDED_EVERYTHING)),
        (Suspended(agents={AGENT: Rule.SUSPENDED_TEAM}), Stop(caller=Rule.SUSPENDED_TEAM)),
        (Suspended(people={PERSON: Rule.SUSPENDED_PERSON}), Stop(caller=Rule.SUSPENDED_PERSON)),
        (Suspended(servers=frozenset({"files"})), Stop(server=Rule.SUSPENDED_SERVER)),
        (Suspended(teams=frozenset({"blue"})), Stop(server=Rule.SUSPENDED_TEAM)),
        (
            Suspended(definitions={"files": frozenset({("tool", "read")})}),
            Stop(definitions=frozenset({("tool", "read")})),
        ),
    ],
)
def test_each_kind_stops_what_it_names(suspended: Suspended, expected: Stop) -> None:
    assert stop(suspended, person=PERSON, team="blue") == expected


def test_a_definition_is_held_back_by_kind_and_name_and_a_resource_through_any_template() -> None:
    held = Stop(definitions=frozenset({("tool", "read"), ("resource", "file:///a")}))
    assert held.holds_back("tool", "read", None)
    assert not held.holds_back("prompt", "read", None)
    assert held.holds_back("template", "file:///{path}", "file:///a")
    assert not held.holds_back("template", "file:///{path}", "file:///b")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("tool:files/read", ("tool", "files", "read")),
        ("resource:files/file:///a/b", ("resource", "files", "file:///a/b")),
        ("files/read", None),
        ("tool:files", None),
        ("tool:/read", None),
        (":files/read", None),
        ("", None),
    ],
)
def test_a_definition_is_named_by_kind_and_canonical_name(name: str, parts: tuple[str, str, str] | None) -> None:
    assert split_definition(name) == parts
