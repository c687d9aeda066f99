"""What a principal reaches, by facts alone."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from access.conditions import NEVER, Conditions, read
from access.policy import Allowed, DefinitionFacts, Denied, PinState, ServerFacts
from access.principals import GrantFacts
from access.rules import Rule
from access.suspended import Suspended
from gateway.reach import Caller, Offered, Reach
from gateway.snapshot import AccessPart

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
AGENT, PERSON = 1, 2
FILES = ServerFacts("files", "files", "development", active=True)
ALONE, IN_PERSON = Caller(AGENT), Caller(person=PERSON, person_active=True)
FOR_SOMEBODY = Caller(AGENT, person=PERSON, person_active=True)


def tool(name: str, **values: object) -> Offered:
    facts = {"kind": "tool", "name": name, "state": PinState.APPROVED, "digest": f"sha256:{name}", **values}
    return Offered(FILES, "", DefinitionFacts(**facts))  # type: ignore[arg-type]  # by name


READ, WRITE = tool("read"), tool("write")


def grant(*scopes: str, **values: object) -> GrantFacts:
    return GrantFacts(frozenset(scopes), **values)  # type: ignore[arg-type]  # by name


def reach(
    *, agent: tuple[GrantFacts, ...] | None = None, person: tuple[GrantFacts, ...] = (), **values: object
) -> Reach:
    agents = {} if agent is None else {AGENT: agent}
    return Reach(AccessPart(agents, {PERSON: person}, **values), NOW)  # type: ignore[arg-type]  # by name


def names(found: Reach, caller: Caller) -> list[str]:
    return [each.facts.name for each in found.reached(caller, [READ, WRITE])]


def test_a_grant_gives_what_its_scopes_name() -> None:
    assert names(reach(agent=(grant("mcp:files:call"),)), ALONE) == ["read", "write"]
    assert names(reach(agent=(grant("mcp:files:tool:read"),)), ALONE) == ["read"]
    assert names(reach(agent=(grant("mcp:mail:call"),)), ALONE) == []
    assert names(reach(), ALONE) == []


def test_an_agent_for_a_person_reaches_what_both_hold_and_a_person_what_is_theirs() -> None:
    both = reach(agent=(grant("mcp:files:tool:read"),), person=(grant("mcp:files:call"),))
    assert names(both, FOR_SOMEBODY) == ["read"]
    assert names(both, IN_PERSON) == ["read", "write"]
    assert names(reach(person=(grant("mcp:files:call"),)), FOR_SOMEBODY) == ["read", "write"]


def test_a_condition_counts_as_met_and_one_that_nobody_understands_never() -> None:
    at_night = read({"hours": {"from": "01:00", "to": "02:00"}})
    assert isinstance(at_night, Conditions)
    assert names(reach(agent=(grant("mcp:files:call", conditions=at_night),)), ALONE) == ["read", "write"]
    assert names(reach(agent=(grant("mcp:files:call", conditions=NEVER),)), ALONE) == []


def test_what_has_ended_or_is_for_elsewhere_gives_nothing() -> None:
    ended = grant("mcp:files:call", expires_at=NOW - timedelta(seconds=1))
    elsewhere = grant("mcp:files:call", environment="production")
    assert names(reach(agent=(ended, elsewhere)), ALONE) == []


def test_of_every_tool_it_is_said_why() -> None:
    held = tool("held", state=PinState.QUARANTINED)
    found = reach(agent=(grant("mcp:files:call"),)).decisions(ALONE, [READ, held])
    allowed, denied = (decision for _, decision in found)
    assert isinstance(allowed, Allowed)
    assert denied == Denied(Rule.DEFINITION_APPROVED)


def test_what_is_suspended_is_not_reached() -> None:
    held = {"agent": (grant("mcp:files:call"),)}
    assert names(reach(**held, suspended=Suspended(everything=True)), ALONE) == []
    assert names(reach(**held, suspended=Suspended(agents={AGENT: Rule.SUSPENDED_AGENT})), ALONE) == []
    one = Suspended(definitions={"files": frozenset({("tool", "read")})})
    assert names(reach(**held, suspended=one), ALONE) == ["write"]


def test_who_holds_the_same_is_alike_whatever_the_grants_are_called() -> None:
    people = {
        1: (grant("mcp:files:call", names=("grant:1",)),),
        2: (grant("mcp:files:call", names=("grant:2",)),),
        3: (grant("mcp:files:read"),),
    }
    suspended = Suspended(people={2: Rule.SUSPENDED_PERSON})
    free, held = Reach(AccessPart({}, people), NOW), Reach(AccessPart({}, people, suspended), NOW)
    one, two, three = (Caller(person=key, person_active=True) for key in people)
    assert free.likeness(one) == free.likeness(two) != free.likeness(three)
    assert held.likeness(one) != held.likeness(two)
    assert free.likeness(one) != free.likeness(Caller(person=1, person_active=False))
    bound = Reach(AccessPart({AGENT: ()}, people), NOW)
    assert bound.likeness(Caller(AGENT, person=1, person_active=True)) != bound.likeness(one)


SCOPES = (
    "mcp:connect",
    "mcp:files:read",
    "mcp:files:call",
    "mcp:files:tool:read",
    "mcp:files:tool:write",
    "mcp:mail:call",
)
GRANTS = st.builds(
    lambda scopes, environment, expires_at: GrantFacts(frozenset(scopes), environment, expires_at),
    st.sets(st.sampled_from(SCOPES)),
    st.sampled_from([None, "development", "production"]),
    st.sampled_from([None, NOW, NOW + timedelta(seconds=1)]),
)


@given(
    grants=st.lists(GRANTS, max_size=4),
    active=st.booleans(),
    sensitive=st.booleans(),
    rule=st.sampled_from([None, Rule.SUSPENDED_PERSON]),
)
def test_what_is_reached_is_what_each_grant_alone_reaches(
    *, grants: list[GrantFacts], active: bool, sensitive: bool, rule: Rule | None
) -> None:
    suspended = None if rule is None else Suspended(people={PERSON: rule}, agents={AGENT: rule})
    found = reach(agent=tuple(grants), person=tuple(grants), suspended=suspended)
    tools = [tool("read", sensitive=sensitive), WRITE, tool("held", state=PinState.QUARANTINED)]
    for caller in (Caller(AGENT, agent_active=active), Caller(person=PERSON, person_active=active)):
        together = [each for alone in found.apart(caller) for each in alone.reached(caller, tools)]
        assert {each.facts.name for each in together} == {each.facts.name for each in found.reached(caller, tools)}


def test_servers_are_those_that_anything_is_given_on() -> None:
    found = reach(agent=(grant("mcp:connect", "mcp:files:read", "server:read"), grant("mcp:mail:tool:send")))
    assert found.servers(ALONE) == {"files", "mail"}
