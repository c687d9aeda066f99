"""Every known way past a pin, played against a real server through the running gateway."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from servers.models import Observation
from tests import databases
from tests.fixtures_mcp.processes import HonestServer, honest_server
from tests.gateway.bypass import CASES, PAGE, POISON, SHOWN, Case, Outcome, rendered
from tests.gateway.stage import Sight, Stage
from tests.gateway.world import World, free_port, running, until
from tools.models import Definition
from tools.rules import DefinitionState

ROOT = Path(__file__).resolve().parents[2]
INSTRUCTIONS = SHOWN["card"]["instructions"]
CARD = ("card", "card")
MAKES_SERVERS = re.compile(r"\bregister_server\(|\bServer\(slug|\bServer\.objects\.\w*create\(")
METHODS: Mapping[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "prompt": (("prompts/list", {}), ("prompts/get", {"name": "digest"})),
    "resource": (("resources/list", {}), ("resources/read", {"uri": "note://first"})),
    "template": (("resources/templates/list", {}), ("resources/read", {"uri": "note://7"})),
}


@pytest.fixture(scope="module")
def upstreams() -> Iterator[dict[str, tuple[HonestServer, HonestServer]]]:
    """Two servers of each era; the second is where the first may move to."""
    with ExitStack() as stack:
        yield {
            name: (stack.enter_context(honest_server(era=era)), stack.enter_context(honest_server(era=era)))
            for name, era in (("modern", "both"), ("handshake", "handshake"))
        }


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """One gateway and one database for all rows: each has a server, an agent and a role of its own in it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    addresses = override_settings(PUBLIC_URL=url, ISSUER=url, GATEWAY_URL=f"{url}/mcp")
    with django_db_blocker.unblock(), databases.fresh_copy(), addresses, running(port) as gateway:
        yield World(url, gateway)


@pytest.mark.network
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_changes_under_an_approval_gets_past_nothing(
    case: Case,
    world: World,
    upstreams: dict[str, tuple[HonestServer, HonestServer]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ExitStack() as stack:
        stage = Stage(world, *upstreams[case.era], monkeypatch, stack, first=case.first, slug=case.id)
        stage.open()
        for step in case.steps:
            step(stage)
        CHECKS[case.expected](stage, case)
        assert not stage.reached() - {"other"}


def withheld(stage: Stage, case: Case) -> Any:
    """Gone from lists, refused with the reason on record, one review of what is shown; the rest still works."""
    kind, name = case.about
    for sight in stage.sights(name, *case.gone):
        assert sight.tools.keys() == {"other"} | ({"target"} - {name, *case.gone})
        assert sight.calls == {name: case.reason, "other": "", **dict.fromkeys(case.gone, "unknown_definition")}
        assert sight.instructions == INSTRUCTIONS
    assert stage.refusals(name) == {case.reason}
    assert stage.result is not None
    assert stage.result.error_class == case.problem
    return _waits(stage, kind, name)


def _waits(stage: Stage, kind: str, name: str) -> Any:
    """The one review: of exactly what the server shows, beside exactly what was approved."""
    review = stage.waiting(kind, name).get()
    definition, pin = stage.definition(kind, name), stage.pinned(kind, name)
    assert review.version_id == definition.observed_id
    assert review.base_id == (pin.version_id if pin else None)
    assert review.change
    return review


def flagged(stage: Stage, case: Case) -> None:
    """And the scanner said something."""
    assert withheld(stage, case).version.findings.exists()


def rejected(stage: Stage, case: Case) -> None:
    """Nobody is asked again."""
    for sight in stage.sights("target"):
        assert sight.tools.keys() == {"other"}
        assert sight.calls == {"target": case.reason, "other": ""}
    assert stage.refusals("target") == {case.reason}
    definition = stage.definition("tool", "target")
    assert not stage.waiting("tool", "target").exists()
    assert definition.reviews.filter(version=definition.observed, state="rejected").exists()


def server_withheld(stage: Stage, case: Case) -> None:
    """Nothing of the server is served, though nothing else of it changed."""
    for sight in stage.sights("target"):
        assert sight == Sight({}, {"target": case.reason, "other": case.reason})
    assert {record.reason for record in stage.world.records(type="deny", server=stage.slug)} == {case.reason}
    assert stage.reached() == set()
    _waits(stage, *CARD)


def _items(result: dict[str, Any]) -> set[str]:
    """How the items of a list are called."""
    items = next(value for value in result.values() if isinstance(value, list))
    return {item.get("uriTemplate") or item.get("uri") or item["name"] for item in items}


def held(stage: Stage, case: Case) -> None:
    """Nothing of it is listed or had; tools are not touched by it."""
    kind, name = case.about
    for method, params in METHODS[kind]:
        answer = stage.raw(method, **params)
        assert POISON not in answer.text
        if method.endswith("/list"):
            assert name not in _items(answer.json()["result"])
        else:
            assert answer.json()["error"]["data"]["reason"] == "definition_quarantined"
    for sight in stage.sights():
        assert sight.tools.keys() == {"target", "other"}
        assert sight.calls == {"other": ""}
    _waits(stage, kind, name)


def as_approved(stage: Stage, case: Case) -> None:
    """Agents go on reading the server's card as it was approved."""
    for sight in stage.sights():
        assert (sight.name, sight.instructions) == ("honest", INSTRUCTIONS)
        assert sight.tools.keys() == {"target", "other"}
        assert sight.calls == {"other": ""}
    _waits(stage, *CARD)


def restored(stage: Stage, case: Case) -> None:
    """Byte for byte the approved text, and nothing waits. Two forms are stored, however often they came."""
    assert stage.listed() == {tool["name"]: tool for tool in SHOWN["tools"]}
    definition = stage.definition("tool", "target")
    assert definition.versions.count() == 2
    assert not stage.waiting("tool", "target").exists()
    assert definition.reviews.filter(state="superseded").exists()


def gone(stage: Stage, case: Case) -> None:
    """Unknown; then back, first changed and at last as it was."""
    for sight in stage.sights("target"):
        assert sight.tools.keys() == {"other"}
        assert sight.calls == {"target": "unknown_definition", "other": ""}
    changed = {**case.first, "description": POISON}
    for shown, listed in ((changed, {"other"}), (case.first, {"target", "other"})):
        stage.show(tools=[shown, *SHOWN["tools"][1:]])
        stage.look()
        assert stage.listed().keys() == listed


def incomplete(stage: Stage, case: Case) -> None:
    """The look says what kept it from being whole; agents see what they saw before."""
    assert stage.result is not None
    assert (stage.result.complete, stage.result.error_class) == (False, case.problem)
    assert stage.listed() == {tool["name"]: tool for tool in SHOWN["tools"]}
    for sight in stage.sights():
        assert sight.calls == {"other": ""}
    server = stage.row()
    look = Observation.objects.filter(server=server).latest("time")
    assert (look.complete, look.error_class) == (False, case.problem)
    assert (server.last_error_class, bool(server.last_error)) == (case.problem, True)
    everything = Definition.objects.filter(server=server)
    assert everything.in_state(DefinitionState.APPROVED).count() == everything.count() == 6
    assert not everything.filter(reviews__state="waiting").exists()


def shown_differently(stage: Stage, case: Case) -> None:
    """The poller goes on seeing the approved text, and it makes no difference."""
    until(lambda: stage.waiting("tool", "target").exists())
    stage.world.settle()
    for sight in stage.sights("target"):
        assert sight.tools.keys() == {"other"}
        assert sight.calls == {"target": case.reason, "other": ""}
    review, pin = stage.waiting("tool", "target").get(), stage.pinned("tool", "target")
    assert "shown_differently" in review.change
    assert "~/.ssh/id_rsa" in review.version.text
    assert pin is not None
    assert review.base_id == pin.version_id


def nothing(stage: Stage, case: Case) -> None:
    """What is registered now has no approval, whatever was approved of the same endpoint before."""
    for sight in stage.sights("target"):
        assert sight.tools == {}
        assert sight.calls == {"target": case.reason, "other": case.reason}
        assert sight.instructions is None
    for definition in Definition.objects.filter(server__slug=stage.slug):
        assert stage.pinned(definition.kind, definition.name) is None
        assert stage.waiting(definition.kind, definition.name).count() == 1
    assert Definition.objects.filter(server__slug=stage.slug, present=True).count() == 6
    assert stage.reached() == set()


def refused(stage: Stage, case: Case) -> None:
    """Fails closed, and heals."""
    for answer in (stage.raw("tools/list"), stage.raw("tools/call", name="other", arguments={})):
        assert (answer.status_code, answer.json()["error"]["data"]["reason"]) == (503, case.reason)
    stage.stack.close()
    until(stage.is_ready)
    assert stage.listed().keys() == {"target", "other"}


CHECKS: Mapping[Outcome, Callable[[Stage, Case], Any]] = {
    Outcome.WITHHELD: withheld,
    Outcome.FLAGGED: flagged,
    Outcome.EXPIRED: withheld,
    Outcome.REJECTED: rejected,
    Outcome.SERVER_WITHHELD: server_withheld,
    Outcome.HELD: held,
    Outcome.AS_APPROVED: as_approved,
    Outcome.RESTORED: restored,
    Outcome.GONE: gone,
    Outcome.INCOMPLETE: incomplete,
    Outcome.NOTHING: nothing,
    Outcome.SHOWN_DIFFERENTLY: shown_differently,
    Outcome.REFUSED: refused,
}


def test_the_page_shows_this_corpus() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == rendered(page), "run: python -m tests.gateway.bypass --write"


def test_no_row_is_there_twice() -> None:
    assert len({case.id for case in CASES}) == len(CASES)


def test_there_is_no_door_to_register_a_server_but_those_that_are_played() -> None:
    apps = ("controlplane", "gateway", "alerts", "tools", "servers", "access", "audit", "core")
    found = {
        path.relative_to(ROOT).as_posix()
        for app in apps
        for path in (ROOT / app).rglob("*.py")
        if MAKES_SERVERS.search(path.read_text(encoding="utf-8"))
    }
    # The service itself, and what calls it in the same way: the demonstration, and the onboarding, whose own story plays
    # that nobody can call before the approval (tests/story/test_onboarding.py).
    callers = {"controlplane/demo/data.py", "controlplane/onboarding/views.py"}
    assert found - {"servers/services.py"} - callers == {"servers/views.py", "servers/api/views.py"}
