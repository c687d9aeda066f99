"""No request to the gateway is silent: every method of both eras, with every way in which it can end."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx2
import pytest

from audit.drafts import BODY_MAX
from audit.models import Record
from core.sampling import Sampler
from tests.fixtures_mcp.processes import HonestServer
from tests.gateway.test_pipeline import EVERYTHING, INITIALIZE, opened
from tests.gateway.world import BOTH, META, PLAIN, World

pytestmark = pytest.mark.network

# What stands behind a name in each method; `missing` replaces it.
FITTING: Final[Mapping[str, Any]] = {
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "greet-0"}, "argument": {"name": "who", "value": "a"},
    },
    "initialize": INITIALIZE["params"],
    "logging/setLevel": {"level": "info"},
    "prompts/get": {"name": "greet-0", "arguments": {"who": "a"}},
    "resources/read": {"uri": "memo://0"},
    "resources/subscribe": {"uri": "memo://0"},
    "resources/unsubscribe": {"uri": "memo://0"},
    "subscriptions/listen": {"notifications": {}},
    "tools/call": {"name": "echo", "arguments": {"text": "a"}},
}  # fmt: skip
MISSING: Final[Mapping[str, Any]] = {
    "name": "nothing",
    "uri": "memo://nothing",
    "taskId": "nothing",
    "ref": {"type": "ref/prompt", "name": "x"},
}
INVALID: Final[Mapping[str, Any]] = {
    "arguments": [], "capabilities": {"a": "\0"}, "level": "loud", "name": 1, "notifications": 1, "ref": 1, "taskId": 1,
    "uri": 1, "cursor": "no page of ours",
}  # fmt: skip
# Notifications of which no record is kept, each with its reason.
EXCUSED: Final = {
    "notifications/cancelled": "The record of the call says that it was cancelled; of another it has no effect.",
    "notifications/initialized": "It changes nothing, and reaches nobody.",
    "notifications/progress": "It changes nothing, and reaches nobody.",
}


@pytest.fixture(autouse=True)
def _everybody_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_STRANGERS", "_TOKENLESS"):
        monkeypatch.setattr(f"gateway.auth.{name}", Sampler(limit=10**9, window=60))


class Knocks:
    """Requests of every kind to one server, and whether each left a record."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.token = world.agent(*EVERYTHING).token()
        self.denied = world.agent(name="nobody").token()
        self.session = opened(world, self.token)
        methods = world.gateway._pipeline._methods  # type: ignore[union-attr]  # it runs
        self.methods = [(method, False) for method in methods._handshake] + [(each, True) for each in methods._modern]

    def send(self, token: str | None, method: str, params: Mapping[str, Any], *, modern: bool) -> int:
        body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": method, "params": dict(params)}
        headers = {"accept": BOTH, "content-type": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        if modern:
            body["params"]["_meta"] = META
            headers |= {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
            named = [str(params[key]) for key in ("name", "uri", "taskId") if key in params]
            headers |= {"mcp-name": named[0]} if named else {}
        elif method != "initialize":
            headers["mcp-session-id"] = self.session
        return self.stream("POST", headers, body)

    def stream(self, verb: str, headers: Mapping[str, str], body: Any = None) -> int:
        """Only the head of the answer: a stream would not end."""
        sent = httpx2.stream(verb, self.world.endpoint(), json=body, headers=headers, timeout=60, verify=PLAIN)
        with sent as response:
            return response.status_code

    def ways(self, method: str) -> Iterator[tuple[str, str | None, Mapping[str, Any]]]:
        fitting = FITTING.get(method, {"taskId": "nothing"} if method.startswith("tasks/") else {})
        yield "allowed", self.token, fitting
        yield "denied", self.denied, fitting
        yield "invalid", self.token, {**fitting, **INVALID}
        yield "missing", self.token, {**fitting, **{key: MISSING[key] for key in fitting if key in MISSING}}
        yield "unauthenticated", None, fitting
        yield "a stranger's token", "rubbish", fitting


def left(before: int) -> bool:
    """Whether a record came since; a stream's own answer begins before its outcome."""
    deadline = time.monotonic() + 60
    while Record.objects.count() == before:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_no_method_and_no_outcome_is_silent(world: World, servers: dict[str, HonestServer]) -> None:
    world.register(servers["handshake"].url)
    world.approve()
    knocks = Knocks(world)
    silent = []
    for method, modern in [*knocks.methods, ("no/such_method", True), ("no/such_method", False)]:
        for outcome, token, params in knocks.ways(method):
            before = Record.objects.count()
            status = knocks.send(token, method, params, modern=modern)
            if not left(before):
                silent.append(f"{method} ({'modern' if modern else 'handshake'}), {outcome}: {status}")
    assert "\n".join(silent) == ""


def test_get_and_delete_leave_records_in_both_eras_and_so_do_bodies_that_are_none(
    world: World, servers: dict[str, HonestServer]
) -> None:
    world.register(servers["handshake"].url)
    world.approve()
    knocks = Knocks(world)
    known = {"authorization": f"Bearer {knocks.token}", "accept": BOTH, "content-type": "application/json"}
    modern = {"mcp-protocol-version": "2026-07-28"}
    session = {"mcp-session-id": knocks.session}
    attempts: list[tuple[str, dict[str, str], Any]] = [
        ("GET", known | session, None),
        ("GET", known, None),
        ("GET", known | session | {"accept": "application/json"}, None),
        ("GET", known | modern, None),
        ("GET", {}, None),
        ("POST", known | session, [1]),
        ("POST", {**known, "content-type": "text/plain"}, {}),
        ("POST", {**known, "origin": "https://evil.example"}, {}),
        ("POST", {**known, "host": "evil.example"}, {}),
        ("POST", {"host": "evil.example"}, {}),
        ("DELETE", known | modern, None),
        ("DELETE", {}, None),
        ("DELETE", known | session, None),
        ("DELETE", known | session, None),
    ]
    silent = []
    for verb, headers, body in attempts:
        before = Record.objects.count()
        status = knocks.stream(verb, headers, body)
        if not left(before):
            silent.append(f"{verb} {sorted(headers)}: {status}")
    assert "\n".join(silent) == ""
    ended = world.records(event="request.answered", method="DELETE")
    assert len(ended) == 1


def test_notifications_of_which_no_record_is_kept_are_accepted_and_change_nothing(
    world: World, servers: dict[str, HonestServer]
) -> None:
    world.register(servers["handshake"].url)
    world.approve()
    knocks = Knocks(world)
    before = Record.objects.count()
    for method in EXCUSED:
        body = {"jsonrpc": "2.0", "method": method, "params": {"requestId": 9, "progressToken": 1, "progress": 1}}
        headers = {"mcp_session_id": knocks.session}
        assert world.post(knocks.token, body, **headers).status_code == 202
    assert Record.objects.count() == before
    assert world.post(None, {"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 401
    assert left(before)


def test_64_kb_of_arguments_are_called_and_names_of_64_kb_refused_and_no_record_grows_with_them(
    world: World, servers: dict[str, HonestServer]
) -> None:
    world.register(servers["handshake"].url)
    world.approve()
    knocks, long = Knocks(world), "a" * 65_536
    for params in ({"name": "echo", "arguments": {"text": long}}, {"name": long, "arguments": {}}):
        assert knocks.send(knocks.token, "tools/call", params, modern=False) == 200
    calls = world.records(method="tools/call")
    assert [record.type for record in calls] == ["intent", "outcome", "deny"]
    assert max(len(bytes(record.body)) for record in calls) <= BODY_MAX
