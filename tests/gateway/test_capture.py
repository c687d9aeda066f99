"""What a call's records commit to, and what is kept beside them."""

import hashlib
import hmac
import json
from collections.abc import Awaitable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from audit.content import LIMITS, decoded
from audit.payload import Payload
from audit.redaction import NOTHING, Capture
from audit.sealing import CallKeys, Sealer
from core.actor import Actor, ActorKind
from core.ids import new_id
from core.permissions import Permission
from gateway import jsonrpc
from gateway.capture import Captured, Captures, Said
from gateway.jsonrpc import ExactFloat
from gateway.released import Released
from tests.audit.calls import EVERYTHING
from tests.gateway.admitting import NOW

if TYPE_CHECKING:
    from tests.fixtures_mcp.processes import HonestServer
    from tests.gateway.world import World

SEALER = Sealer([bytes(range(32))], "here")
CALL, INTENT, OUTCOME = new_id(), new_id(), new_id()
SENT = {"name": "search", "arguments": {"q": "ada", "n": 2**70}, "_meta": {"x": 1}}
BYTES = b'{"name":"search","arguments":{"q":"ada","n":1180591620717411303424}}'
SECRET = "ghp_" + "a1B2" * 9


def begun(capture: Capture = NOTHING, params: dict[str, Any] = SENT) -> Captured:
    return Captures(SEALER, days=30).begin(capture, "search", params)


async def awaited(said: Said | Awaitable[Said]) -> Said:
    return said if isinstance(said, Said) else await said


async def intended(captured: Captured) -> tuple[Said, Payload, CallKeys]:
    said = await awaited(captured.arguments(CALL, INTENT, NOW))
    row = said.payload
    assert row is not None
    return said, row, SEALER.find(row.key_id, row.secret, row.call_id, row.record_id)


async def test_the_intent_commits_to_what_is_sent_and_its_row_holds_the_secret_alone() -> None:
    said, row, keys = await intended(begun())
    assert said.args_commit == hmac.digest(keys.arguments_salt, BYTES, hashlib.sha256)
    assert (row.part, row.record_id, row.call_id, row.sealed, row.size) == ("arguments", INTENT, CALL, b"", len(BYTES))
    assert row.expires_at == NOW + timedelta(days=30)


async def test_the_outcome_commits_to_what_is_released_under_another_salt() -> None:
    captured = begun()
    _, _, keys = await intended(captured)
    said = await awaited(captured.result(CALL, OUTCOME, BYTES))
    assert said == Said(result_commit=hmac.digest(keys.result_salt, BYTES, hashlib.sha256))
    assert said.result_commit != keys.commit("arguments", BYTES)


async def test_a_request_that_sends_nothing_commits_to_the_empty_bytes() -> None:
    said, row, keys = await intended(begun(params={"_meta": {"x": 1}}))
    assert (said.args_commit, row.size) == (keys.commit("arguments", b""), 0)


async def test_both_parts_are_kept_where_the_server_says_so() -> None:
    captured = begun(EVERYTHING)
    _, asked, keys = await intended(captured)
    told = (await awaited(captured.result(CALL, OUTCOME, b'{"content":[]}'))).payload
    assert told is not None
    assert (told.part, told.record_id, told.secret, told.expires_at) == ("result", OUTCOME, b"", asked.expires_at)
    assert decoded(keys.unseal("arguments", INTENT, asked.sealed)).data == BYTES
    assert decoded(keys.unseal("result", OUTCOME, told.sealed)).data == b'{"content":[]}'


@pytest.mark.parametrize("size", [64 * 1024, 16 * 1024 * 1024])
async def test_what_is_large_is_committed_to_and_kept_bounded(size: int) -> None:
    captured = begun(EVERYTHING, {"name": "x", "arguments": {"text": "x" * size}})
    said, asked, keys = await intended(captured)
    assert asked.size > size
    assert len(asked.sealed) < LIMITS["arguments"]
    released = b'{"content":"' + b"y" * size + b'"}'
    told = await awaited(captured.result(CALL, OUTCOME, released))
    assert told.payload is not None
    assert told.result_commit == hmac.digest(keys.result_salt, released, hashlib.sha256)
    assert len(told.payload.sealed) < LIMITS["result"] + 1024
    assert said.args_commit is not None


async def test_without_an_intent_there_is_nothing_to_commit_with() -> None:
    assert begun(EVERYTHING).result(CALL, OUTCOME, b"{}") == Said()


async def test_only_what_is_long_and_kept_leaves_the_loop_alone_meanwhile() -> None:
    for capture, size, waits in ((NOTHING, 100_000, False), (EVERYTHING, 100, False), (EVERYTHING, 20_000, True)):
        captured = begun(capture, {"name": "x", "arguments": {"text": "x" * size}})
        asked = captured.arguments(CALL, INTENT, NOW)
        told = captured.result(CALL, OUTCOME, b'"' + b"y" * size + b'"')
        assert [isinstance(said, Said) for said in (asked, told)] == [not waits] * 2
        assert [(await awaited(said)).payload is not None for said in (asked, told)] == [True, capture is EVERYTHING]


def test_what_is_committed_to_is_part_of_the_very_message() -> None:
    exact = ExactFloat(1e3)
    exact.text = "1E3"
    for params in (SENT, {"name": "x", "arguments": {"é": "\u2028", "f": exact, "t": "\x7f\x1f"}}):
        sent = {name: value for name, value in params.items() if name != "_meta"}
        message = jsonrpc.call_bytes(1, "tools/call", sent | {"_meta": {"progressToken": 1}})
        assert jsonrpc.dumps(sent)[:-1] + b"," in message


def test_what_is_not_released_has_nothing_to_commit_to() -> None:
    assert Released("failed").said is None
    assert Released("ok", result=b"{}").said == b"{}"
    assert Released("error", error={"code": 1, "message": "no"}).said == b'{"code":1,"message":"no"}'


@pytest.mark.network
@pytest.mark.parametrize("agent", ["handshake", "modern"])
async def test_a_call_is_kept_and_proved_and_no_secret_of_it_is_stored(
    world: "World", servers: dict[str, "HonestServer"], agent: str, caplog: pytest.LogCaptureFixture
) -> None:
    from servers.services import edit_server
    from tests.gateway.test_pipeline import approved

    def prepared() -> str:
        token = approved(world, servers["modern"])
        edit_server(slug="files", changes={"capture": {"arguments": True, "result": True}}, actor=world.admin)
        world.settle()
        return token

    def looked() -> tuple[list[Any], str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT string_agg(r::text || encode(body, 'escape'), '') FROM audit_record r")
            records = str(cursor.fetchone()[0])
            cursor.execute("SELECT string_agg(encode(sealed || secret, 'escape'), '') FROM audit_payload")
            return world.records(method="tools/call"), records + str(cursor.fetchone()[0])

    token = await sync_to_async(prepared)()
    async with world.client(token, agent) as client:
        await client.call_tool("echo", {"text": f"use {SECRET}", "n": 1})
        await client.call_tool("echo", {"text": "hello", "n": 2})
    records, dump = await sync_to_async(looked)()
    assert [record.type for record in records] == ["intent", "outcome"] * 2
    assert all(record.args_commit for record in records[::2])
    assert all(record.result_commit for record in records[1::2])
    asked, told = await sync_to_async(_parts)(records[0].call_id)
    assert (asked.state, asked.secrets, told.state, told.secrets) == ("changed", 1, "changed", 1)
    assert SECRET not in asked.text + told.text + dump + caplog.text
    asked, told = await sync_to_async(_parts)(records[2].call_id)
    assert (asked.commitment, told.commitment) == ("holds", "holds")
    assert json.loads(asked.text) == {"name": "echo", "arguments": {"text": "hello", "n": 2}}


def _parts(call_id: UUID) -> tuple[Any, ...]:
    from audit.services import read_payload

    reader = Actor(ActorKind.PERSON, str(new_id()), "eve", frozenset({Permission.PAYLOAD_READ}))
    return read_payload(call_id=call_id, actor=reader, reason="A test.").parts
