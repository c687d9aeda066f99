"""Calls through a gateway that listens, between the `mcp` client and a server in another process."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from asgiref.sync import sync_to_async
from mcp.shared.exceptions import MCPError

from access.services import altered, tell_alterations, was_left_by_changes
from alerts.services import tell_policy
from audit.models import Record
from audit.services import place_records
from core.sampling import Sampler
from servers.services import edit_server
from tests.fixtures_mcp.processes import HonestServer

if TYPE_CHECKING:
    from tests.gateway.world import World

pytestmark = pytest.mark.network

ERAS = ["handshake", "modern"]
PAIRS = [(agent, server) for agent in ERAS for server in ERAS]
EVERYTHING = ("mcp:files:call", "mcp:files:read")
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


def call(name: str = "echo", id: Any = 2, **arguments: Any) -> dict[str, Any]:  # noqa: A002 -- JSON-RPC's own name
    """A `tools/call` of the handshake era."""
    return {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


def approved(world: "World", server: HonestServer, *scopes: str) -> str:
    """Register, approve everything, and give an agent's token."""
    server.change(calls=[])
    world.register(server.url)
    world.approve()
    return world.agent(*(scopes or EVERYTHING)).token()


def text_of(result: Any) -> str:
    """The text of a result's first block."""
    return str(result.content[0].text)


def presented(client: Any) -> tuple[str, str | None]:
    """The name and the instructions that a client was given."""
    return client.server_info.name, client.instructions


def opened(world: "World", token: str) -> str:
    """The id of a session of the handshake era."""
    return str(world.post(token, INITIALIZE).headers["mcp-session-id"])


def answer(response: httpx2.Response) -> dict[str, Any]:
    """The JSON-RPC answer, whether it came as JSON or on a stream."""
    text = response.text
    if response.headers["content-type"] == "text/event-stream":
        text = [line for line in text.splitlines() if line.startswith("data: ")][-1].removeprefix("data: ")
    found: dict[str, Any] = json.loads(text)
    return found


def codes(world: "World", **filters: Any) -> list[tuple[str, str]]:
    """Type and reason or status of records, oldest first."""
    return [(record.type, record.reason or record.status) for record in world.records(**filters)]


@pytest.mark.parametrize(("agent", "server"), PAIRS)
async def test_an_agent_lists_and_calls_approved_tools(
    world: "World", servers: dict[str, HonestServer], agent: str, server: str
) -> None:
    token = await sync_to_async(approved)(world, servers[server])
    steps: list[tuple[float, float | None, str | None]] = []

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total, message))

    async with world.client(token, agent) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        echoed = await client.call_tool("echo", {"text": "hello", "n": 2**64 - 1})
        failed = await client.call_tool("fail", {})
        await client.call_tool("slow", {"steps": 3}, progress_callback=progress)
        unknown = await client.call_tool("absent", {})
    assert sorted(names) == ["add", "delete", "echo", "fail", "slow"]
    assert json.loads(text_of(echoed)) == {"text": "hello", "n": 2**64 - 1}
    assert failed.is_error
    assert (unknown.is_error, text_of(unknown)) == (True, "Unknown tool: absent")
    assert steps == [(1, 3, "step 1"), (2, 3, "step 2"), (3, 3, "step 3")]
    recorded = await sync_to_async(codes)(world, method="tools/call")
    assert recorded == [
        ("intent", ""),
        ("outcome", "ok"),
        ("intent", ""),
        ("outcome", "tool_error"),
        ("intent", ""),
        ("outcome", "ok"),
        ("deny", "unknown_definition"),
    ]


@pytest.mark.parametrize("agent", ERAS)
async def test_a_withheld_tool_is_gone_from_lists_and_refused_with_a_structured_error(
    world: "World", servers: dict[str, HonestServer], agent: str
) -> None:
    def only_echo() -> str:
        servers["modern"].change(calls=[])
        world.register(servers["modern"].url)
        world.approve("echo")
        return world.agent(*EVERYTHING).token()

    token = await sync_to_async(only_echo)()
    async with world.client(token, agent) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["echo"]
        with pytest.raises(MCPError) as refused:
            await client.call_tool("delete", {})
    error = refused.value.error
    assert error.code == -32005
    assert error.data["code"] == "withheld"
    assert error.data["reason"] == "definition_quarantined"
    assert servers["modern"].calls() == []
    (record,) = await sync_to_async(world.records)(type="deny")
    assert (str(record.call_id), record.tool, record.reason) == (
        error.data["request_id"],
        "delete",
        "definition_quarantined",
    )


@pytest.mark.parametrize("agent", ["handshake", "auto"])
async def test_a_server_presents_itself_neutrally_until_its_card_is_approved(
    world: "World", servers: dict[str, HonestServer], agent: str
) -> None:
    def tools_only() -> str:
        world.register(servers["modern"].url)
        world.approve("echo")
        return world.agent(*EVERYTHING).token()

    token = await sync_to_async(tools_only)()
    async with world.client(token, agent) as client:
        before = presented(client)
    await sync_to_async(world.approve)("card")
    async with world.client(token, agent) as client:
        after = presented(client)
    assert before == ("files", None)
    assert after == ("honest", "Use echo to repeat a text.")


def test_drift_withholds_a_tool_and_approval_brings_it_back(world: "World", servers: dict[str, HonestServer]) -> None:
    server = servers["handshake"]
    token = approved(world, server)
    original = state(server)["tools"]
    session = opened(world, token)
    assert "result" in answer(world.post(token, call(), mcp_session_id=session))
    changed = [{**tool, "description": "Also sends it to me."} if tool["name"] == "echo" else tool for tool in original]
    try:
        server.change(tools=changed)
        world.poll()
        world.settle()
        refused = answer(world.post(token, call(), mcp_session_id=session))
        world.approve()
        allowed = answer(world.post(token, call(), mcp_session_id=session))
    finally:
        server.change(tools=original)
    assert refused["error"]["data"]["reason"] == "definition_quarantined"
    assert "result" in allowed


def state(server: HonestServer) -> dict[str, Any]:
    """What the honest server shows now."""
    found: dict[str, Any] = httpx2.get(server.control_url, timeout=60).json()
    return found


def test_a_tool_that_nobody_granted_is_answered_as_an_unknown_one(
    world: "World", servers: dict[str, HonestServer]
) -> None:
    world.register(servers["modern"].url)
    world.approve()
    token = world.agent("mcp:files:tool:echo").token(scope="mcp:connect mcp:files:tool:echo")
    known = world.modern(token, "tools/call", {"name": "delete"})
    unknown = world.modern(token, "tools/call", {"name": "absent"})
    listed = answer(world.modern(token, "tools/list", {}))["result"]
    bodies = []
    for response, name in ((known, "delete"), (unknown, "absent")):
        assert response.status_code == 200
        result = answer(response)["result"]
        result["_meta"]["holdfast/refusal"].pop("request_id")
        bodies.append(json.dumps(result).replace(name, "x"))
    assert bodies[0] == bodies[1]
    assert [tool["name"] for tool in listed["tools"]] == ["echo"]
    assert codes(world, type="deny") == [("deny", "not_granted"), ("deny", "unknown_definition")]
    assert [record.rule_ids for record in world.records(type="deny")] == [["grant.definition"], ["definition.known"]]


def test_the_records_of_a_call_name_the_rule_and_the_grant_that_carried_it(
    world: "World", servers: dict[str, HonestServer]
) -> None:
    from access.models import Grant

    token = approved(world, servers["modern"])
    world.modern(token, "tools/call", {"name": "echo", "arguments": {"text": "hello"}})
    grant = Grant.objects.select_related("role").get()
    carried = ["allow.definition", f"grant:{grant.public_id}", f"role:{grant.role.name}"]
    assert [record.rule_ids for record in world.records(method="tools/call")] == [carried, carried]


def test_what_a_call_used_is_counted_for_the_grant_that_carried_it(
    world: "World", servers: dict[str, HonestServer]
) -> None:
    from access.models import GrantUse
    from audit.services import place_records
    from tools.services import count_uses

    token = approved(world, servers["modern"])
    for text in ("hello", "again"):
        world.modern(token, "tools/call", {"name": "echo", "arguments": {"text": text}})
    world.modern(token, "tools/list", {})
    world.modern(token, "tools/call", {"name": "unheard_of", "arguments": {}})
    place_records()
    count_uses()
    counted = dict(GrantUse.objects.values_list("scope", "calls"))
    assert counted == {"mcp:files:tool:echo": 2, "mcp:connect": 1}


def test_lists_are_approved_text_private_and_short_lived(world: "World", servers: dict[str, HonestServer]) -> None:
    token = approved(world, servers["modern"])
    raw = world.modern(token, "tools/list", {})
    result = answer(raw)["result"]
    assert (result["cacheScope"], result["resultType"]) == ("private", "complete")
    assert 0 < result["ttlMs"] <= 60_000
    assert '"maximum":18446744073709551615' in raw.text.replace(" ", "")
    plain = answer(
        world.post(token, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, mcp_session_id=opened(world, token))
    )
    assert plain["result"].keys() == {"tools"}
    assert answer(world.modern(token, "tools/list", {"cursor": "x"}))["error"]["code"] == -32602


def test_without_a_valid_token_there_is_a_challenge_and_nothing_else(
    world: "World", servers: dict[str, HonestServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_STRANGERS", "_TOKENLESS"):
        monkeypatch.setattr(f"gateway.auth.{name}", Sampler(limit=30, window=60))
    token = approved(world, servers["modern"])
    world.register(servers["handshake"].url, slug="other")
    elsewhere = world.agent("mcp:other:call", name="second").token("other")
    metadata = f'resource_metadata="{world.url}/.well-known/oauth-protected-resource/mcp/files"'
    scope = 'scope="mcp:connect mcp:files:call mcp:files:read"'
    for sent in (None, "rubbish", elsewhere, token[:-1] + ("0" if token[-1] != "0" else "1")):
        response = world.post(sent, INITIALIZE)
        challenge = response.headers["www-authenticate"]
        assert response.status_code == 401
        assert challenge.startswith("Bearer ")
        assert metadata in challenge
        assert scope in challenge
        assert ('error="invalid_token"' in challenge) == (sent is not None)
    for query in ("?access_token=", "?token="):
        assert httpx2.post(world.endpoint() + query + token, json=INITIALIZE, timeout=60).status_code == 401
    assert world.post(None, INITIALIZE, slug="absent").status_code == 401
    unknown = ("deny", "invalid_token")
    assert codes(world) == [unknown, unknown, ("deny", "wrong_audience"), *[unknown] * 4]


def test_metadata_names_the_endpoint_and_its_authorization_server(
    world: "World", servers: dict[str, HonestServer]
) -> None:
    world.register(servers["modern"].url)
    world.settle()
    found = httpx2.get(f"{world.url}/.well-known/oauth-protected-resource/mcp/files", timeout=60).json()
    assert found["resource"] == world.endpoint()
    assert found["authorization_servers"] == [world.url]
    assert found["scopes_supported"] == ["mcp:connect", "mcp:files:call", "mcp:files:read"]
    for path in ("absent", "files/", "Files", "..%2ffiles", "files%00"):
        assert httpx2.get(f"{world.url}/.well-known/oauth-protected-resource/mcp/{path}", timeout=60).status_code == 404


def test_a_token_that_lacks_a_scope_is_told_every_scope_it_needs(
    world: "World", servers: dict[str, HonestServer]
) -> None:
    world.register(servers["modern"].url)
    world.approve()
    agency = world.agent(*EVERYTHING)
    token = agency.token(scope="mcp:connect mcp:files:read")
    response = world.modern(token, "tools/call", {"name": "echo"})
    assert response.status_code == 403
    challenge = response.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="mcp:connect mcp:files:call"' in challenge
    (denied,) = world.records(type="deny")
    assert denied.after == {"scopes_needed": ["mcp:connect", "mcp:files:call"]}
    assert answer(world.modern(token, "tools/list", {}))["result"]["tools"] == []
    assert world.modern(agency.token(), "tools/call", {"name": "echo"}).status_code == 200


@pytest.mark.parametrize("server", ERAS)
def test_nothing_of_the_caller_but_the_call_reaches_the_server(
    world: "World", servers: dict[str, HonestServer], server: str
) -> None:
    token = approved(world, servers[server])
    canary = {"cookie": "canary=1", "x_api_key": "canary", "forwarded": "for=canary", "last_event_id": "canary"}
    response = world.modern(token, "tools/call", {"name": "echo", "arguments": {"text": "hi"}}, **canary)
    assert response.status_code == 200
    (seen,) = servers[server].calls()
    text = json.dumps(seen)
    assert token not in text
    assert "canary" not in text
    assert "authorization" not in seen["headers"]
    assert seen["arguments"] == {"text": "hi"}


WHY: Any = {"holdfast/intention": "To close the books of May.\x1b[2J\u202e"}
BLANK: Any = {"holdfast/intention": " ... "}


def said(world: "World", **filters: Any) -> list[tuple[str, str, str]]:
    """Method, type and intention of records, oldest first."""
    return [(record.method, record.type, record.intention) for record in world.records(**filters)]


@pytest.mark.parametrize("era", ERAS)
async def test_the_reason_for_a_call_is_on_record_and_stays_here(
    world: "World", servers: dict[str, HonestServer], era: str
) -> None:
    token = await sync_to_async(approved)(world, servers[era])
    async with world.client(token, era) as client:
        await client.call_tool("echo", {"text": "hi"}, meta=WHY)
        await client.call_tool("absent", {}, meta=WHY)
        await client.read_resource("memo://1", meta=WHY)
        await client.list_tools(meta=WHY)
        await client.call_tool("echo", {"text": "hi"})
    (first, second) = servers[era].calls()
    assert "holdfast/intention" not in json.dumps([first, second])
    assert set(first["meta"] or {}) == set(second["meta"] or {})
    why = WHY["holdfast/intention"]
    # Clients list tools by themselves, too, and give no reason for it.
    assert ("tools/list", "outcome", why) in await sync_to_async(said)(world, method="tools/list")
    assert await sync_to_async(said)(world, method__in=["tools/call", "resources/read"]) == [
        ("tools/call", "intent", why),
        ("tools/call", "outcome", ""),
        ("tools/call", "deny", why),
        ("resources/read", "intent", why),
        ("resources/read", "outcome", ""),
        ("tools/call", "intent", ""),
        ("tools/call", "outcome", ""),
    ]


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_without_a_reason_is_refused_where_policy_asks_for_one(
    world: "World", servers: dict[str, HonestServer], era: str
) -> None:
    def asking() -> str:
        token = approved(world, servers[era])
        edit_server(slug="files", changes={"intention": "all"}, actor=world.admin)
        world.settle()
        return token

    token = await sync_to_async(asking)()
    async with world.client(token, era) as client:
        refused = await client.call_tool("echo", {"text": "hi"})
        blank = await client.call_tool("echo", {"text": "hi"}, meta=BLANK)
        with pytest.raises(MCPError) as unread:
            await client.read_resource("memo://1")
        allowed = await client.call_tool("echo", {"text": "hi"}, meta=WHY)
    assert (refused.is_error, blank.is_error, allowed.is_error) == (True, True, False)
    assert '"holdfast/intention" in params._meta' in text_of(refused)
    assert "holdfast/intention" in unread.value.error.message
    told = (refused.meta or {})["holdfast/refusal"]
    assert unread.value.error.data["reason"] == told["reason"] == "intention_required"
    assert len(servers[era].calls()) == 1
    denied = await sync_to_async(world.records)(type="deny")
    assert [(each.reason, each.rule_ids, each.tool) for each in denied] == [
        ("intention_required", ["intention.given"], "echo"),
        ("intention_required", ["intention.given"], "echo"),
        ("intention_required", ["intention.given"], "memo://1"),
    ]


def test_lists_are_not_touched_by_what_a_call_must_say(world: "World", servers: dict[str, HonestServer]) -> None:
    token = approved(world, servers["modern"])
    lists = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
    before = {method: world.modern(token, method, {}).content for method in lists}
    assert b'"echo"' in before["tools/list"]
    for asked in ("sensitive", "all"):
        edit_server(slug="files", changes={"intention": asked}, actor=world.admin)
        world.settle()
        assert {method: world.modern(token, method, {"_meta": WHY}).content for method in lists} == before
        assert {method: world.modern(token, method, {}).content for method in lists} == before


def test_a_reason_that_is_none_or_has_another_name_is_refused_and_the_former_recorded(
    world: "World", servers: dict[str, HonestServer]
) -> None:
    token = approved(world, servers["modern"])
    for meta in ({"holdfast/intention": 1}, {"holdfast/intention": "x" * 2001}):
        refused = world.modern(token, "tools/call", {"name": "echo", "_meta": meta})
        assert refused.status_code == 400
        assert "params._meta['holdfast/intention'] must be a text" in answer(refused)["error"]["message"]
    variant = world.modern(token, "tools/call", {"name": "echo", "_meta": {"Holdfast/intention": "x"}})
    assert (variant.status_code, answer(variant)["error"]["code"]) == (400, -32600)
    assert codes(world, type="deny") == [("deny", "invalid_request")] * 3
    assert servers["modern"].calls() == []


def test_the_digest_in_a_calls_record_is_that_of_the_policy_it_was_decided_by(
    world: "World", servers: dict[str, HonestServer], owner_connection: Any
) -> None:
    token = approved(world, servers["modern"])

    def called() -> list[str]:
        assert world.modern(token, "tools/call", {"name": "echo"}).status_code == 200
        records = list(Record.objects.filter(method="tools/call").order_by("-id")[:2])
        assert [record.type for record in records] == ["outcome", "intent"]
        return [record.policy_digest for record in records]

    first, again = called()
    assert first == again
    assert was_left_by_changes(first, slug="files")
    edit_server(slug="files", changes={"required_approvals": 2}, actor=world.admin)
    world.settle()
    changed, _ = called()
    assert changed != first
    assert was_left_by_changes(changed, slug="files")
    assert (tell_alterations(), altered("access"), altered("server:files")) == (0, (), ())
    # By hand, and so that gateways read it: nothing of ours did this.
    owner_connection.execute("UPDATE access_grant SET expires_at = now() + interval '10 years'")
    owner_connection.execute("UPDATE access_revision SET n = n + 1 WHERE part = 'access'")
    world.settle()
    silently, _ = called()
    assert silently.split(".")[1] == changed.split(".")[1]
    assert not was_left_by_changes(silently, slug="files")
    assert tell_alterations() == 1
    told = Record.objects.get(event="policy.altered")
    assert (told.subject, told.reason) == ("policy:access", "Changed past the services: access_grant.")


def test_a_row_that_was_put_back_before_the_look_is_told_by_the_calls_that_it_decided(
    world: "World", servers: dict[str, HonestServer], owner_connection: Any
) -> None:
    token = approved(world, servers["modern"])
    assert world.modern(token, "tools/call", {"name": "echo"}).status_code == 200
    place_records()
    assert tell_policy() == 0
    for end in ("now() + interval '10 years'", "NULL"):
        owner_connection.execute(f"UPDATE access_grant SET expires_at = {end}")
        owner_connection.execute("UPDATE access_revision SET n = n + 1 WHERE part = 'access'")
        world.settle()
        assert world.modern(token, "tools/call", {"name": "echo"}).status_code == 200
    assert altered("access") == ()
    place_records()
    assert [tell_policy(), tell_policy()] == [1, 0]
    told = Record.objects.get(event="policy.altered")
    made = [call.policy_digest for call in Record.objects.filter(event="call.intended").order_by("id")]
    assert (len(made), made[0], told.after) == (3, made[2], {"policy_digest": made[1]})
    assert (told.subject, told.server) == ("policy:stamp/files", "files")


def test_a_call_that_cannot_be_recorded_is_not_made(
    world: "World", servers: dict[str, HonestServer], owner_connection: Any
) -> None:
    token = approved(world, servers["modern"])
    assert world.modern(token, "tools/call", {"name": "echo"}).status_code == 200
    before = len(servers["modern"].calls())
    with owner_connection.transaction():
        owner_connection.execute("LOCK TABLE audit_record IN ACCESS EXCLUSIVE MODE")
        response = world.modern(token, "tools/call", {"name": "echo"})
        assert response.status_code == 503
        assert response.headers["retry-after"]
        assert answer(response)["error"]["data"]["reason"] == "audit_unavailable"
        assert len(servers["modern"].calls()) == before
    assert world.modern(token, "tools/call", {"name": "echo"}).status_code == 200


def test_a_call_for_whose_record_there_is_no_room_is_refused_at_once_and_made_when_it_comes_again(
    world: "World", servers: dict[str, HonestServer], owner_connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audit.writer import GroupCommitWriter
    from tests.gateway.observed import scraped
    from tests.gateway.world import free_port, running, until

    token, echo = approved(world, servers["modern"]), {"name": "echo"}
    # One record being written and two that wait; nothing is refused for the time that it takes.
    little = partial(GroupCommitWriter, capacity=2, batch=1, timeout=60.0)
    monkeypatch.setattr("gateway.application.GroupCommitWriter", little)
    # Or an outcome may meet a full queue: while the writer beats, or before the batch is sent that it waits behind.
    monkeypatch.setattr("audit.boots.TICK", 600.0)
    monkeypatch.setattr(GroupCommitWriter, "_call", lambda _writer: None)
    port = free_port()
    with running(port) as gateway, ThreadPoolExecutor(3) as pool:
        crowded = copy(world)
        crowded.url, crowded.gateway = f"http://127.0.0.1:{port}", gateway
        assert "result" in answer(crowded.modern(token, "tools/call", echo))
        before = len(servers["modern"].calls())
        with owner_connection.transaction():
            owner_connection.execute("LOCK TABLE audit_record IN ACCESS EXCLUSIVE MODE")
            waiting = []
            for _ in range(3):
                waiting.append(pool.submit(crowded.modern, token, "tools/call", echo))
                until(lambda: scraped(crowded.url)["holdfast_audit_queue_records"][()] == len(waiting))
            for method in ("tools/call", "tools/list"):
                refused = crowded.modern(token, method, echo if method == "tools/call" else {})
                assert (refused.status_code, refused.headers.get_list("retry-after")) == (503, ["1"])
                assert answer(refused)["error"]["data"]["reason"] == "audit_unavailable"
            assert not any(each.done() for each in waiting)
            assert len(servers["modern"].calls()) == before
        assert all("result" in answer(each.result()) for each in waiting)
        assert "result" in answer(crowded.modern(token, "tools/call", echo))
        assert len(servers["modern"].calls()) == before + 4


def test_who_takes_the_end_off_the_log_is_told_by_a_record_that_names_it(
    world: "World", servers: dict[str, HonestServer], owner_connection: Any
) -> None:
    from audit.models import Record
    from tests.gateway.world import free_port, running, until

    token, echo = approved(world, servers["modern"]), {"name": "echo"}
    port, contradicted = free_port(), Record.objects.filter(event="log.contradicted")
    with running(port) as gateway:
        own = copy(world)
        own.url, own.gateway = f"http://127.0.0.1:{port}", gateway
        assert "result" in answer(own.modern(token, "tools/call", echo))
        last = Record.objects.exclude(seq=None).latest("id")
        with owner_connection.transaction():
            owner_connection.execute("ALTER TABLE audit_record DISABLE TRIGGER audit_no_change")
            owner_connection.execute("UPDATE audit_record SET chain = '' WHERE id = %s", [last.id])
            owner_connection.execute("ALTER TABLE audit_record ENABLE ALWAYS TRIGGER audit_no_change")
        refused = own.modern(token, "tools/call", echo)
        assert answer(refused)["error"]["data"]["reason"] == "audit_unavailable"
        until(contradicted.exists)
        assert "result" in answer(own.modern(token, "tools/call", echo))
    (said,) = contradicted
    assert said.after == {
        "kind": "tail", "writer": str(last.writer), "shard": last.shard, "seq": last.seq, "link": bytes(last.chain or b"").hex(),
    }  # fmt: skip
    assert said.writer != last.writer
    assert not Record.objects.filter(event="audit.interrupted").exists()


async def test_an_answer_whose_outcome_cannot_be_recorded_stays_here(
    world: "World", servers: dict[str, HonestServer], owner_connection: Any
) -> None:
    token = await sync_to_async(approved)(world, servers["modern"])
    arguments = {"name": "slow", "arguments": {"steps": 10}}
    running = asyncio.create_task(asyncio.to_thread(world.modern, token, "tools/call", arguments))
    await asyncio.to_thread(until_called, servers["modern"])

    def locked() -> None:
        with owner_connection.transaction():
            owner_connection.execute("LOCK TABLE audit_record IN ACCESS EXCLUSIVE MODE")
            until_done(running)

    await asyncio.to_thread(locked)
    response = await running
    assert answer(response)["error"]["data"]["reason"] == "audit_unavailable"
    assert "result" not in answer(response)


def until_called(server: HonestServer) -> None:
    """Wait until a call arrived at the server."""
    from tests.gateway.world import until

    until(server.calls)


def until_done(task: "asyncio.Task[Any]") -> None:
    """Wait until a task of another thread has ended."""
    from tests.gateway.world import until

    until(task.done)


def test_a_policy_that_cannot_be_read_refuses_within_seconds(
    world: "World", servers: dict[str, HonestServer], owner_connection: Any
) -> None:
    from tests.gateway.world import until

    token = approved(world, servers["modern"])
    with owner_connection.transaction():
        owner_connection.execute("LOCK TABLE access_revision IN ACCESS EXCLUSIVE MODE")
        until(lambda: httpx2.get(f"{world.url}/readyz", timeout=60).status_code == 503)
        response = world.modern(token, "tools/call", {"name": "echo"})
    assert response.status_code == 503
    assert answer(response)["error"]["data"]["reason"] == "policy_stale"
    until(lambda: httpx2.get(f"{world.url}/readyz", timeout=60).status_code == 200)
    assert world.modern(token, "tools/call", {"name": "echo"}).status_code == 200


def test_taking_a_right_away_is_felt_within_a_second(world: "World", servers: dict[str, HonestServer]) -> None:
    from access.services import revoke_grant, suspend_agent
    from servers.services import resume_server, suspend_server

    world.register(servers["modern"].url)
    world.approve()
    agency = world.agent()
    grant = world.grant(agency.agent, *EVERYTHING)
    token = agency.token()

    def reason() -> str:
        body = answer(world.modern(token, "tools/call", {"name": "echo"}))
        return str(body["error"]["data"]["reason"]) if "error" in body else ""

    assert reason() == ""
    suspend_server(slug="files", actor=world.admin, reason="A test.")
    world.settle()
    assert reason() == "server_not_active"
    resume_server(slug="files", actor=world.admin, reason="A test.")
    world.poll()
    world.settle()
    assert reason() == ""
    revoke_grant(grant_id=grant.public_id, actor=world.admin, reason="A test.")
    world.settle()
    assert reason() == "not_granted"
    suspend_agent(client_id=agency.agent.client_id, actor=world.admin, reason="A test.")
    world.settle()
    assert reason() in ("invalid_token", "agent_inactive")


def test_a_session_is_its_principals_alone_and_ends(world: "World", servers: dict[str, HonestServer]) -> None:
    token = approved(world, servers["handshake"])
    stranger = world.agent(*EVERYTHING, name="stranger").token()
    opening = world.post(token, INITIALIZE)
    session = opening.headers["mcp-session-id"]
    assert answer(opening)["result"]["protocolVersion"] == "2025-06-18"
    noted = world.post(token, {"jsonrpc": "2.0", "method": "notifications/initialized"}, mcp_session_id=session)
    assert noted.status_code == 202
    pinged = world.post(token, {"jsonrpc": "2.0", "id": 1, "method": "ping"}, mcp_session_id=session)
    assert pinged.json()["result"] == {}
    assert world.post(token, call()).status_code == 400
    assert world.post(token, call(), mcp_session_id="rubbish").status_code == 404
    assert world.post(stranger, call(), mcp_session_id=session).status_code == 404
    assert world.post(token, call(), mcp_session_id=session, mcp_protocol_version="2025-11-25").status_code == 400
    assert world.post(token, call(), mcp_session_id=session, mcp_protocol_version="2025-06-18").status_code == 200
    bearer = {"authorization": f"Bearer {token}", "mcp-session-id": session}
    assert httpx2.get(world.endpoint(), headers={**bearer, "accept": "application/json"}, timeout=60).status_code == 406
    assert httpx2.delete(world.endpoint(), headers=bearer, timeout=60).status_code == 204
    assert world.post(token, call(), mcp_session_id=session).status_code == 404
    assert (
        httpx2.delete(
            world.endpoint(), headers={**bearer, "mcp-protocol-version": "2026-07-28"}, timeout=60
        ).status_code
        == 405
    )


def test_what_is_not_supported_is_refused_and_recorded(world: "World", servers: dict[str, HonestServer]) -> None:
    token = approved(world, servers["modern"])
    modern = world.modern(token, "logging/setLevel", {"level": "info"})
    session = opened(world, token)
    plain = world.post(token, {"jsonrpc": "2.0", "id": 1, "method": "server/discover"}, mcp_session_id=session)
    assert (modern.status_code, answer(modern)["error"]["code"]) == (404, -32601)
    assert (plain.status_code, answer(plain)["error"]["code"]) == (200, -32601)
    assert codes(world, type="deny") == [("deny", "method_not_supported")] * 2


MALFORMED: dict[str, tuple[bytes, dict[str, str], int, int]] = {
    "not JSON": (b"{", {}, 400, -32700),
    "a batch": (b"[]", {}, 400, -32600),
    "an unsupported version": (b"{}", {"mcp_protocol_version": "2025-11-25", "accept": "text/html"}, 406, -32600),
    "a form": (b"a=b", {"content_type": "application/x-www-form-urlencoded"}, 415, -32600),
    "another origin": (b"{}", {"origin": "https://evil.example"}, 403, -32600),
    "another host": (b"{}", {"host": "evil.example"}, 421, -32600),
    "five megabytes": (b" " * 5_000_000, {}, 413, -32600),
}


def test_malformed_requests_are_refused_with_a_structured_error(
    world: "World", servers: dict[str, HonestServer]
) -> None:
    token = approved(world, servers["modern"])
    for name, (body, headers, status, code) in MALFORMED.items():
        response = world.post(token, body, **headers)
        assert response.status_code == status, name
        assert answer(response)["error"]["code"] == code, name
        assert answer(response)["id"] is None, name


def test_headers_that_disagree_with_the_body_never_reach_the_server(
    world: "World", servers: dict[str, HonestServer]
) -> None:
    token = approved(world, servers["modern"])
    for header, value in {"mcp_name": "add", "mcp_method": "tools/list", "mcp_protocol_version": "2025-11-25"}.items():
        response = world.modern(token, "tools/call", {"name": "echo"}, **{header: value})
        assert (response.status_code, answer(response)["error"]["code"]) == (400, -32020)
    assert servers["modern"].calls() == []


HEADED = {
    "name": "headed",
    "inputSchema": {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
}


def test_headers_that_a_schema_asks_for_are_checked_and_made_from_the_body(
    world: "World", servers: dict[str, HonestServer]
) -> None:
    server = servers["modern"]
    original = state(server)["tools"]
    server.change(tools=[HEADED])
    try:
        token = approved(world, server)
        params = {"name": "headed", "arguments": {"region": "Zürich"}}
        encoded = "=?base64?WsO8cmljaA==?="
        lying = world.modern(token, "tools/call", params, mcp_param_region="us")
        silent = world.modern(token, "tools/call", params)
        honest = world.modern(token, "tools/call", params, mcp_param_region=encoded, mcp_param_other="passes")
        plain = world.post(token, call("headed", region="eu"), mcp_session_id=opened(world, token))
    finally:
        server.change(tools=original)
    assert [answer(each)["error"]["code"] for each in (lying, silent)] == [-32020, -32020]
    assert "result" in answer(honest)
    assert "result" in answer(plain)
    first, second = (each["headers"] for each in server.calls())
    assert (first["mcp-param-region"], first["mcp-param-other"]) == (encoded, "passes")
    assert second["mcp-param-region"] == "eu"


PROMISING = {**HEADED, "name": "promising", "outputSchema": {"type": "object", "required": ["text"]}}


def test_a_result_that_breaks_the_approved_schema_stays_here_and_is_recorded_by_the_reason(
    world: "World", servers: dict[str, HonestServer]
) -> None:
    server = servers["modern"]
    original = state(server)["tools"]
    server.change(tools=[PROMISING])
    try:
        token = approved(world, server)
        broken = answer(world.modern(token, "tools/call", {"name": "promising", "arguments": {}}))
    finally:
        server.change(tools=original)
    assert (broken["error"]["code"], broken["error"]["data"]["reason"]) == (-32010, "invalid_result")
    (record,) = world.records(tool="promising", type="outcome")
    assert (record.status, record.error_class) == ("failed", "invalid_result")


async def test_a_cancelled_call_ends_and_is_recorded_as_such(world: "World", servers: dict[str, HonestServer]) -> None:
    token = await sync_to_async(approved)(world, servers["handshake"])
    session = await asyncio.to_thread(opened, world, token)
    stranger = await sync_to_async(world.agent)(*EVERYTHING, name="stranger")
    foreign = await sync_to_async(stranger.token)()
    foreign_session = await asyncio.to_thread(opened, world, foreign)
    slow = call("slow", id="x", steps=100)
    running = asyncio.create_task(asyncio.to_thread(world.post, token, slow, mcp_session_id=session))
    await asyncio.to_thread(until_called, servers["handshake"])
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "x"}}
    await asyncio.to_thread(world.post, foreign, note, mcp_session_id=foreign_session)
    await asyncio.sleep(0)
    assert not running.done()
    await asyncio.to_thread(world.post, token, note, mcp_session_id=session)
    assert answer(await running)["error"]["code"] == -32800
    assert await sync_to_async(codes)(world, tool="slow") == [("intent", ""), ("outcome", "cancelled")]


async def test_hanging_up_cancels_a_call_of_the_modern_era(world: "World", servers: dict[str, HonestServer]) -> None:
    from tests.gateway.world import until

    token = await sync_to_async(approved)(world, servers["modern"])
    async with world.client(token, "modern") as client:
        with pytest.raises(MCPError, match="timed out"):
            await client.call_tool("slow", {"steps": 100}, read_timeout_seconds=0.5)
    recorded = await sync_to_async(until)(lambda: codes(world, tool="slow", type="outcome"))
    assert recorded == [("outcome", "cancelled")]
