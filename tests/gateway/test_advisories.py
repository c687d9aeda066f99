"""What went wrong at others, tried here: published advisories that touch a gateway, each against the listening gateway.

The id of a case names the advisory, or the peer where there is none. What is tried and what must come of it stands in
the case's docstring. Cases that concern the console or registration are tested there; ways past an approval are in
`bypass`.
"""

import json
import socket
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import pytest
from django.db import connection, transaction
from django.test import override_settings
from psycopg.sql import SQL, Identifier
from redis import Redis

from access.keys import token_key
from access.services import bump_revision, revoke_grant, server_part, suspend_agent
from access.token_format import TokenKey, TokenKind, mint
from servers.models import Server
from tests import databases
from tests.fixtures_mcp.honest import tool
from tests.fixtures_mcp.processes import HonestServer, everything_server, honest_server, hostile_server
from tests.gateway.faults import QUICK, agency, answer, called, register
from tests.gateway.test_pipeline import INITIALIZE
from tests.gateway.world import BOTH, META, PLAIN, Agency, World, free_port, running

pytestmark = pytest.mark.network

SLUG = "files"
OTHER = "other"
TASKS = "io.modelcontextprotocol/tasks"
TOOLS = [
    tool("echo", annotations={"readOnlyHint": True}),
    tool("delete"),
    {
        "name": "headed",
        "inputSchema": {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
    },
]


@dataclass
class House:
    """A gateway, honest servers behind it, two agents."""

    world: World
    server: HonestServer
    everything: str
    hostile: str
    robot: Agency = field(init=False)
    stranger: Agency = field(init=False)

    def __post_init__(self) -> None:
        self.server.change(tools=TOOLS)
        register(self.world, {SLUG: self.server.url, OTHER: self.server.url}, concurrent_calls=500)
        register(self.world, {"all": self.everything})
        self.world.approve(slug="all")
        self.robot = agency(self.world, [SLUG, OTHER, "all"])
        self.stranger = agency(self.world, [SLUG, "all"], name="stranger")

    @cached_property
    def token(self) -> str:
        """The robot's."""
        return self.robot.token(SLUG)

    @cached_property
    def foreign(self) -> str:
        """The stranger's, for the same server."""
        return self.stranger.token(SLUG)

    @property
    def url(self) -> str:
        return self.world.endpoint(SLUG)

    def reached(self) -> list[dict[str, Any]]:
        """The calls that arrived at the server."""
        return self.server.calls()

    def fetched(self) -> list[str]:
        """What was asked of the hostile server beside its endpoints."""
        asked = httpx2.get(f"{self.hostile}/count", verify=PLAIN, timeout=60).json()
        return [what for what in asked if what.startswith("/meta/")]

    def open(self, token: str, slug: str = SLUG) -> str:
        """A session of the handshake era."""
        return str(self.world.post(token, INITIALIZE, slug=slug).headers["mcp-session-id"])

    def raw(self, head: bytes, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of what comes back for these very bytes."""
        where = urlsplit(self.world.url)
        with socket.create_connection((str(where.hostname), int(where.port or 0)), timeout=60) as connection:
            connection.sendall(head + b"\r\n\r\n" + body)
            reader = connection.makefile("rb")
            first = reader.readline()
            length = 0
            while (line := reader.readline()).strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            # To HEAD there is no body.
            return int(first.split()[1]), b"" if head.startswith(b"HEAD ") else reader.read(length)

    def posted(self, *lines: str, body: Any = None, target: str = f"/mcp/{SLUG}", host: str = "") -> tuple[int, bytes]:
        """A POST of the modern era with these header lines beside or in place of what belongs there."""
        content = body if isinstance(body, bytes) else json.dumps(body or modern_call()).encode()
        given = {line.partition(":")[0].lower() for line in lines}
        usual = {
            "Host": host or urlsplit(self.world.url).netloc,
            "Content-Type": "application/json",
            "Accept": BOTH,
            "Content-Length": str(len(content)),
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": "tools/call",
            "Mcp-Name": "echo",
        }
        if "transfer-encoding" in given:
            del usual["Content-Length"]
        kept = [f"{name}: {value}" for name, value in usual.items() if name.lower() not in given]
        head = "\r\n".join([f"POST {target} HTTP/1.1", *kept, *lines])
        return self.raw(head.encode("latin-1"), content)

    def bearer(self, token: str = "") -> str:
        return f"Authorization: Bearer {token or self.token}"


def modern_call(**params: Any) -> dict[str, Any]:
    """A `tools/call` of the modern era."""
    whole = {"name": "echo", "arguments": {}, "_meta": META, **params}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": whole}


@pytest.fixture(scope="module")
def house(django_db_setup: None, django_db_blocker: Any) -> Iterator[House]:
    from django.conf import settings

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    addresses = override_settings(PUBLIC_URL=url, ISSUER=url, GATEWAY_URL=f"{url}/mcp")
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()
    with (
        honest_server() as server,
        everything_server() as everything,
        hostile_server() as hostile,
        django_db_blocker.unblock(),
        databases.fresh_copy(),
        addresses,
        running(port) as gateway,
    ):
        yield House(World(url, gateway), server, everything, hostile)


Case = Callable[[House], None]
CASES: dict[str, Case] = {}


def advisory(*ids: str) -> Callable[[Case], Case]:
    """Name the advisories that a case stands for."""

    def named(case: Case) -> Case:
        CASES[f"{'+'.join(ids)} {case.__name__}"] = case
        return case

    return named


HOSTS = (
    "evil.example", "a/?", "a/?127.0.0.1", "127.0.0.1#", "127.0.0.1/", "127.0.0.1?x", "127.0.0.1@evil.example",
    "evil.example@127.0.0.1", "127.0.0.1.evil.example", "127.0.0.1:80:80", "127.0.0.1:99999999", "[::1", "localhost.",
    "127.1", "2130706433", "0x7f.1", "127.0.0.1,evil.example", "127.0.0.1 evil.example", "127.0.0.1\\evil", "",
    "%31%32%37.0.0.1", "127.0.0.1\x00",
)  # fmt: skip


@advisory("CVE-2026-48710", "CVE-2026-42271")
def the_host_header_decides_nothing_but_whether_it_is_ours(house: House) -> None:
    """A Host that a URL parser reads as path, query or fragment: refused, on an endpoint and where anybody may ask."""
    for host in HOSTS:
        line = f"Host: {host}"
        status, body = house.posted(line, house.bearer())
        assert status in (400, 421), (host, status)
        assert b'"result"' not in body
        status, body = house.posted(line, house.bearer(), target="/healthz/../mcp/files")
        assert (status in (400, 404, 421), b'"result"' in body) == (True, False), host
    status, _ = house.posted(target="/healthz?/mcp/files")
    assert status != 200
    assert house.reached() == []


@advisory("CVE-2025-64443", "CVE-2025-66416", "CVE-2025-66414", "CVE-2026-34742")
def a_rebound_name_is_refused_on_every_path_and_method(house: House) -> None:
    """A web page whose name now points at us: 421 and nothing else everywhere; health says that we are up, no more."""
    session = house.open(house.token)
    paths = ("/mcp/files", "/mcp/absent", "/metrics", "/.well-known/oauth-protected-resource/mcp/files", "/mcp/", "/")
    for path in paths:
        for method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT"):
            head = f"{method} {path} HTTP/1.1\r\nHost: rebound.example\r\n{house.bearer()}\r\n"
            head += f"Mcp-Session-Id: {session}\r\nAccept: {BOTH}\r\nContent-Length: 0"
            assert house.raw(head.encode())[0] == 421, (method, path)
    for path in ("/healthz", "/readyz"):
        status, body = house.raw(f"GET {path} HTTP/1.1\r\nHost: rebound.example".encode())
        assert (status, json.loads(body)) == (200, {"status": "ok"})
    pinged = house.world.post(house.token, {"jsonrpc": "2.0", "id": 1, "method": "ping"}, mcp_session_id=session)
    assert pinged.status_code == 200


@advisory("CVE-2025-49596", "CVE-2025-58444")
def a_web_page_reaches_nothing_without_a_token_or_from_another_origin(house: House) -> None:
    """What a browser can send across origins without asking, and with: refused, and nothing allows it to read."""
    body = modern_call()
    for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example", "file://", "http://localhost@evil"):
        for sent in (None, house.token):
            response = house.world.post(sent, body, origin=origin)
            assert response.status_code == 403
            assert not [name for name in response.headers if name.startswith("access-control-")]
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert house.world.post(None, body, content_type=kind).status_code == 401
        assert house.world.post(house.token, body, content_type=kind).status_code == 415
    assert house.reached() == []


@advisory("CVE-2026-32211")
def no_transport_is_without_authentication(house: House) -> None:
    """Every method of an endpoint, every era, session or not: 401 without a token."""
    session = house.open(house.token)
    for headers in ({}, {"mcp-session-id": session}, {"mcp-protocol-version": "2026-07-28"}):
        for method in ("GET", "POST", "DELETE"):
            sent = {"accept": "text/event-stream, application/json", "content-type": "application/json", **headers}
            content = json.dumps(INITIALIZE) if method == "POST" else None
            response = httpx2.request(method, house.url, headers=sent, content=content, verify=PLAIN, timeout=60)
            assert response.status_code == 401, (method, headers)
    assert house.reached() == []


@advisory("GHSA-g53w-w6mj-hrpp")
def no_header_of_another_gateway_makes_anybody_somebody(house: House) -> None:
    """Headers that inner services of others trust: no way in without a token, no other server with one."""
    lines = (
        "X-Mcp-Init-Host: 127.0.0.1", "X-Mcp-Router-Key: secret-api-key", "X-Mcp-Servername: other", "X-User: admin",
        "X-Forwarded-Host: evil.example", "X-Forwarded-User: admin", "X-Forwarded-Proto: https", "X-Original-Url: /x",
        "X-Rewrite-Url: /mcp/other", "X-HTTP-Method-Override: GET", "Forwarded: for=127.0.0.1;host=evil.example",
        "X-Authenticated-Userid: admin", "X-Envoy-Original-Path: /mcp/other", "Remote-User: admin", "Mcp-Server: other",
    )  # fmt: skip
    assert house.posted(*lines)[0] == 401
    status, body = house.posted(*lines, house.bearer())
    assert (status, b'"result"' in body) == (200, True)
    (seen,) = house.reached()
    names = {line.partition(":")[0].lower() for line in lines}
    assert names.isdisjoint(seen["headers"])
    assert {record.server for record in house.world.records(type="intent", tool="echo")} == {SLUG}


@advisory("CVE-2026-3902", "CVE-2025-14550")
def a_header_with_an_underscore_or_a_twin_is_not_the_header(house: House) -> None:
    """`Mcp_Session_Id` and the like are not ours; what decides something and comes twice is refused."""
    session = house.open(house.token)
    assert house.posted("Authorization_: x", f"authorization_bearer: {house.token}")[0] == 401
    assert house.posted(f"HTTP_AUTHORIZATION: Bearer {house.token}")[0] == 401
    plain = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    bare = ("MCP-Protocol-Version: 2025-06-18", house.bearer())
    assert house.posted(*bare, f"Mcp_Session_Id: {session}", body=plain)[0] == 400
    assert house.posted(*bare, f"Mcp-Session-Id: {session}", body=plain)[0] == 200
    assert house.posted(house.bearer(), "Mcp_Name: delete")[0] == 200
    house.server.change(calls=[])
    twins = (
        ("Mcp-Name: echo", "Mcp-Name: delete"), ("mcp-name: echo", "MCP-NAME: echo"), ("Mcp-Method: tools/call",) * 2,
        (f"Host: {urlsplit(house.world.url).netloc}", "Host: evil.example"), ("Content-Type: application/json",) * 2,
        (house.bearer(house.foreign),), ("Origin: http://127.0.0.1", "Origin: https://evil.example"),
        ("MCP-Protocol-Version: 2026-07-28", "MCP-Protocol-Version: 2025-11-25"),
    )  # fmt: skip
    for lines in twins:
        status, body = house.posted(*lines, house.bearer())
        assert (status in (400, 403, 421), b'"result"' in body) == (True, False), lines
    assert house.reached() == []


@advisory("CVE-2026-5766")
def a_body_is_bounded_whatever_its_head_says(house: House) -> None:
    """Too long by its own word, too long in chunks, two lengths, chunks beside a length: refused and never parsed."""
    assert house.posted(house.bearer(), "Content-Length: 99999999999")[0] == 413
    chunked = b"400000\r\n" + b" " * 0x400000 + b"\r\n400000\r\n" + b" " * 0x400000 + b"\r\n0\r\n\r\n"
    with suppress(ConnectionError):  # it may hang up before all is sent
        assert house.posted(house.bearer(), "Transfer-Encoding: chunked", body=chunked)[0] == 413
    short = b"5\r\nabcde\r\n0\r\n\r\n"
    both = ("Transfer-Encoding: chunked", "Content-Length: 5")
    assert house.posted(house.bearer(), *both, body=short)[0] == 400
    for lines in (("Content-Length: 5", "Content-Length: 6"), ("Content-Length: -1",), ("Content-Length: 0x5",)):
        assert house.posted(house.bearer(), *lines)[0] in (400, 413), lines
    assert house.reached() == []


SMUGGLED: dict[str, str] = {
    "another case of a member": '{"name":"echo","Name":"delete","arguments":{},"_meta":%s}',
    "the name twice": '{"name":"echo","name":"delete","arguments":{},"_meta":%s}',
    "the name twice, escaped": '{"name":"echo","n\\u0061me":"delete","arguments":{},"_meta":%s}',
    "another case of arguments": '{"name":"echo","arguments":{},"ARGUMENTS":{"x":1},"_meta":%s}',
    "the long s": '{"name":"echo","argument\\u017f":{},"_meta":%s}',
    "arguments twice": '{"name":"echo","arguments":{},"arguments":{"x":1},"_meta":%s}',
    "an argument twice": '{"name":"echo","arguments":{"text":"a","text":"b"},"_meta":%s}',
    "not a number": '{"name":"echo","arguments":{"text":NaN},"_meta":%s}',
    "half a pair": '{"name":"echo","arguments":{"text":"\\ud800"},"_meta":%s}',
    "deep": '{"name":"echo","arguments":{"text":' + "[" * 100 + "]" * 100 + '},"_meta":%s}',
}
ENVELOPES: tuple[bytes, ...] = (
    b'{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call"}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/list","result":{}}',
    b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}{"jsonrpc":"2.0","id":2,"method":"tools/call"}',
    b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'.encode("utf-16"),
    b'{"jsonrpc":"2.0","id":null,"method":"tools/list"}',
    b'{"jsonrpc":"2.0","id":[1],"method":"tools/list"}',
    b'{"jsonrpc":"2.0","id":true,"method":"tools/list"}',
)


@advisory("CVE-2026-27896", "GHSA-4gph-2hhr-5mwg")
def what_two_parsers_could_read_differently_is_refused(house: House) -> None:
    """`name` and `Name`, equal keys, NaN, half surrogates, depth: nothing arrives; what does arrive is what we judged."""
    for what, params in SMUGGLED.items():
        body = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params % json.dumps(META)}}}'
        status, answered = house.posted(house.bearer(), body=body.encode())
        assert (status, b'"result"' in answered) == (400, False), what
    for envelope in ENVELOPES:
        status, answered = house.posted(house.bearer(), body=envelope)
        assert (status, b'"result"' in answered) == (400, False), envelope
    for method in ("Tools/Call", "tools/call ", "tools//call", "TOOLS/CALL", "tools/call\x00"):
        assert house.posted(house.bearer(), body={**modern_call(), "method": method})[0] == 400, method
    assert house.reached() == []
    extra = modern_call(extra="smuggled", arguments={"text": "a"})
    assert house.posted(house.bearer(), body={**extra, "x": "smuggled"})[0] == 200
    assert "smuggled" not in json.dumps(house.reached())


@advisory("CVE-2026-30623", "CVE-2026-40933")
def arguments_are_data(house: House) -> None:
    """What is an option or a command elsewhere arrives as the text that it is."""
    texts = ("--upload-pack=touch /tmp/x", "-c", "$(touch /tmp/x)", "`id`", "; id", "| id", "npx -c 'id'", "${jndi:x}",
             "{{7*7}}", "%s%n", "' OR 1=1 --", "<script>alert(1)</script>", "a\x1b[2J", "a\r\nb")  # fmt: skip
    for text in texts:
        assert "result" in answer(called(house.url, house.token, {"text": text}))
    assert [call["arguments"]["text"] for call in house.reached()] == list(texts)


@advisory("CVE-2026-29791", "CVE-2026-32871")
def nothing_in_arguments_or_names_becomes_part_of_a_request_line_or_header(house: House) -> None:
    """Dots, slashes, queries and line ends in arguments that become headers, in tool names, in the server's name."""
    texts = ("../../admin", "%2e%2e%2f", "a?b=c#d", "a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\x00b", " a ", "é")
    session = house.open(house.token)
    for text in texts:
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "headed"}}
        body["params"]["arguments"] = {"region": text}  # type: ignore[index]  # it is the object above
        response = house.world.post(house.token, body, mcp_session_id=session)
        assert "result" in answer(response), text
    calls = house.reached()
    assert [call["arguments"]["region"] for call in calls] == list(texts)
    assert [call["headers"] for call in calls if "x-injected" in call["headers"]] == []
    for name in ("../delete", "echo?x", "echo/../delete", "echo\r\nX: 1", "echo\x00", "ECHO", " echo"):
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": {}}}
        found = answer(house.world.post(house.token, body, mcp_session_id=session))
        assert "error" in found or found["result"]["isError"], name
    for target in ("/mcp/files/../other", "/mcp/files%2f..%2fother", "/mcp//files", "/mcp/files;x", "/mcp/files%00",
                   "/mcp/%66iles", "/MCP/files", "/mcp/files/", "http://evil.example/mcp/files%2e"):  # fmt: skip
        assert house.posted(house.bearer(), target=target)[0] in (400, 404), target
    assert len(house.reached()) == len(texts)


@advisory("CVE-2026-25536", "python-sdk-2655")
def equal_request_ids_never_mix_answers(house: House) -> None:
    """Hundreds of calls under way with the same id, of two agents, in both eras: each gets its own answer."""
    tokens = (house.token, house.foreign)
    sessions = [house.open(token) for token in tokens]

    def call(n: int) -> bool:
        token, text = tokens[n % 2], f"call {n}"
        if n % 3:
            response = called(house.url, token, {"text": text})
        else:
            params = {"name": "echo", "arguments": {"text": text}}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            response = house.world.post(token, body, mcp_session_id=sessions[n % 2])
        found = answer(response)
        return bool(found["id"] == 1 and json.loads(found["result"]["content"][0]["text"]) == {"text": text})

    with ThreadPoolExecutor(40) as pool:
        assert all(pool.map(call, range(400)))


@advisory("CVE-2026-52870")
def tasks_sessions_and_cursors_are_their_owners_alone(house: House) -> None:
    """A handle, a session, a resumption of somebody else's: answered as one that never was, and it lives on."""
    world = house.world
    mine, theirs = house.robot.token("all"), house.stranger.token("all")
    meta = {**META, "io.modelcontextprotocol/clientCapabilities": {"extensions": {TASKS: {}}}}

    def ask(token: str, method: str, **params: Any) -> dict[str, Any]:
        named = {"mcp_name": params["taskId"]} if "taskId" in params else {}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        sent = {"mcp_protocol_version": "2026-07-28", "mcp_method": method, **named}
        if "name" in params:
            sent["mcp_name"] = params["name"]
        return answer(world.post(token, body, slug="all", **sent))

    made = ask(mine, "tools/call", name="slow_compute", arguments={"seconds": 30, "label": "x"})["result"]
    handle = made["taskId"]
    assert ask(mine, "tasks/get", taskId=handle)["result"]["status"] == "working"
    unknown = ask(theirs, "tasks/get", taskId="never-was")["error"]
    for method in ("tasks/get", "tasks/cancel", "tasks/update"):
        more: dict[str, Any] = {"inputResponses": {}} if method == "tasks/update" else {}
        error = ask(theirs, method, taskId=handle, **more)["error"]
        assert (error["code"], error["message"]) == (unknown["code"], unknown["message"]), method
    assert "error" in ask(theirs, "tasks/list")
    assert ask(mine, "tasks/get", taskId=handle)["result"]["status"] == "working"
    assert "result" in ask(mine, "tasks/cancel", taskId=handle)
    session = house.open(house.token)
    bearer = {"authorization": f"Bearer {house.foreign}", "mcp-session-id": session, "accept": "text/event-stream"}
    assert httpx2.get(house.url, headers=bearer, timeout=60).status_code == 404
    assert httpx2.get(house.url, headers={**bearer, "last-event-id": "1"}, timeout=60).status_code == 404
    assert httpx2.delete(house.url, headers=bearer, timeout=60).status_code == 404
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert world.post(house.foreign, ping, mcp_session_id=session).status_code == 404
    assert world.post(house.robot.token(OTHER), ping, slug=OTHER, mcp_session_id=session).status_code == 404
    assert world.post(house.token, ping, mcp_session_id=session).status_code == 200


@advisory("mcp-best-practices-session-fixation")
def a_session_id_is_ours_to_give(house: House) -> None:
    """An id that a client brings is not taken; one that was ended is not revived; an id alone opens nothing."""
    chosen = house.open(house.token)
    opening = house.world.post(house.token, INITIALIZE, mcp_session_id="chosen-by-me")
    assert opening.headers.get("mcp-session-id", "") not in ("chosen-by-me", chosen)
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    for made_up in ("chosen-by-me", chosen[:-2] + "AA", chosen + "A", chosen.lower(), "A" * 5000):
        assert house.world.post(house.token, ping, mcp_session_id=made_up).status_code == 404, made_up
    assert house.world.post(None, ping, mcp_session_id=chosen).status_code == 401
    bearer = {"authorization": f"Bearer {house.token}", "mcp-session-id": chosen}
    assert httpx2.delete(house.url, headers=bearer, timeout=60).status_code == 204
    assert house.world.post(house.token, ping, mcp_session_id=chosen).status_code == 404
    again = house.world.post(house.token, INITIALIZE, mcp_session_id=chosen)
    assert again.headers.get("mcp-session-id", "") != chosen


@advisory("CVE-2026-27124", "GHSA-rww4", "GHSA-c2jp")
def a_callers_token_never_reaches_a_server(house: House) -> None:
    """In headers, arguments left as they are, nothing of the caller's credentials travels; nor is it ever answered."""
    canary = f"canary-{uuid4().hex}"
    lines = (f"Cookie: session={canary}", f"Proxy-Authorization: Basic {canary}", f"X-Api-Key: {canary}",
             f"X-Authorization: Bearer {canary}", f"Mcp-Session-Id: {canary}", f"Last-Event-ID: {canary}")  # fmt: skip
    status, body = house.posted(*lines, house.bearer(), target=f"/mcp/files?access_token={canary}")
    (seen,) = house.reached()
    assert status == 200
    for secret in (canary, house.token, house.token.rpartition(".")[0]):
        assert secret not in json.dumps(seen)
        assert secret.encode() not in body
    assert "authorization" not in seen["headers"]


def _unsigned(house: House) -> str:
    """A JWT that says of itself that nobody signed it."""
    claims = {"iss": house.world.url, "aud": house.url, "sub": "admin", "scope": "mcp:files:call", "exp": 2**33}
    parts = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, claims)]
    return ".".join([*parts, ""])


@advisory("GHSA-vgf8")
def what_is_no_valid_token_is_nobody(house: House) -> None:
    """Malformed, doubled, unsigned, of another endpoint or installation: 401 each, never somebody anonymous."""
    kid, random, tag = house.token.split(".")[1:]
    other = house.robot.token(OTHER)
    headers = (
        "Bearer", "Bearer ", "bearer  ", "Basic YWRtaW46YWRtaW4=", house.token, f"Bearer {house.token} x",
        f"Bearer {house.token},", f"Bearer {_unsigned(house)}", f"Bearer {other}", f"Bearer hf.{kid}.{random}.{tag[::-1]}",
        f"Bearer hf.zz.{random}.{tag}", f"Bearer hf.{kid}.{random}", "Bearer null", "Bearer undefined", "Bearer é",
        f"Token {house.token}", f"Bearer {house.token}\x00", "Bearer " + "a" * 6000,
    )  # fmt: skip
    for value in headers:
        status, body = house.posted(f"Authorization: {value}")
        assert (status in (400, 401), b'"result"' in body) == (True, False), value
    assert house.reached() == []


@advisory("ContextForge-environments")
def a_token_of_another_installation_is_nobody(house: House) -> None:
    """Well-formed, under a key of theirs or under ours for another installation: never looked for, never let in."""
    ours = token_key()
    for key in (TokenKey(b"k" * 32, ours.installation), TokenKey(ours.key, "elsewhere")):
        foreign = mint(TokenKind.ACCESS, key)
        assert house.posted(house.bearer(foreign))[0] == 401
        # Nor is what was given out here, with a tag of theirs.
        head = house.token.rpartition(".")[0]
        assert house.posted(house.bearer(f"{head}.{key.tag(head)}"))[0] == 401
    assert house.posted(house.bearer(mint(TokenKind.REFRESH, ours)))[0] == 401
    assert house.posted(house.bearer(mint(TokenKind.API, ours)))[0] == 401
    assert house.reached() == []


@advisory("ContextForge-cached-secrets")
def no_token_is_kept_or_told_where_others_read(house: House) -> None:
    """After a call and a session there is no token and no argument in any table, nor in what went through Valkey."""
    from django.conf import settings

    canary = f"canary-{uuid4().hex}"
    with Redis.from_url(settings.REDIS_URL) as redis, redis.monitor() as monitor:
        assert "result" in answer(called(house.url, house.token, {"text": canary}))
        session = house.open(house.token)
        bearer = {"authorization": f"Bearer {house.token}", "mcp-session-id": session}
        assert httpx2.delete(house.url, headers=bearer, verify=PLAIN, timeout=60).status_code == 204
        redis.publish("the test", "over")
        told = list(iter(lambda: str(monitor.next_command()["command"]), "PUBLISH the test over"))
    assert [command for command in told if "ended" in command]
    assert [table for table in tables() if holds(table, house.robot.agent.client_id)] != []
    for secret in (house.token, house.token.split(".")[2], canary, session):
        assert [command for command in told if secret in command] == []
        assert [table for table in tables() if holds(table, secret)] == []


def tables() -> list[str]:
    """Every table."""
    return connection.introspection.table_names()


def holds(table: str, text: str) -> bool:
    """Whether any row of a table holds a text."""
    with connection.cursor() as cursor:
        cursor.execute(SQL("SELECT 1 FROM {0} WHERE {0}::text LIKE %s").format(Identifier(table)), [f"%{text}%"])
        return cursor.fetchone() is not None


@advisory("ContextForge-revoked-users")
def who_was_revoked_is_refused_with_the_token_that_worked(house: House) -> None:
    """A grant taken back and an agent suspended, while the token has minutes to live: refused, sessions included."""
    made = agency(house.world, [SLUG], name="leaver")
    token = made.token(SLUG)
    session = house.open(token)
    assert "result" in answer(called(house.url, token, {}))
    for grant in made.agent.grants.all():
        revoke_grant(grant_id=grant.public_id, actor=house.world.admin, reason="A test.")
    house.world.settle()
    assert "error" in answer(called(house.url, token, {}))
    suspend_agent(client_id=made.agent.client_id, actor=house.world.admin, reason="A test.")
    house.world.settle()
    assert called(house.url, token, {}).status_code in (401, 403)
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert house.world.post(token, ping, mcp_session_id=session).status_code in (401, 403)
    assert len(house.reached()) == 1


ADDRESSES = (
    "http://169.254.169.254/latest/meta-data/", "http://[::ffff:169.254.169.254]/", "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::a9fe:a9fe]/", "http://[2002:a9fe:a9fe::]/", "http://[fec0::1]/", "http://10.0.0.1/",
    "http://[::127.0.0.1]/", "http://168.63.129.16/", "http://0.0.0.0/", "http://[fd00:ec2::254]/", "http://224.0.0.1/",
)  # fmt: skip


@advisory("CVE-2026-44430", "n8n-mcp-GHSA-56c3", "CVE-2026-26118")
def a_server_whose_address_is_inside_is_not_called(house: House) -> None:
    """Addresses of metadata services and inner networks in every spelling, put straight into the database: blocked."""
    register(house.world, {"inside": house.server.url}, **QUICK)
    token = agency(house.world, ["inside"], name="inside").token("inside")
    assert "result" in answer(called(house.world.endpoint("inside"), token, {}))
    for address in ADDRESSES:
        with transaction.atomic():
            Server.objects.filter(slug="inside").update(url=address)
            bump_revision(server_part("inside"))
        house.world.settle()
        trace = uuid4().hex
        response = called(house.world.endpoint("inside"), token, {}, trace=trace)
        assert answer(response)["error"]["data"]["reason"] == "blocked", address
        assert [record.error_class for record in house.world.records(trace_id=trace)] == ["", "blocked"], address


@advisory("ContextForge-redirects")
def a_redirect_of_a_server_is_not_followed(house: House) -> None:
    """The call ends, and nobody else was asked."""
    register(house.world, {"moved": f"{house.hostile}/mcp/call-x?to={house.hostile}/meta/stolen"}, **QUICK)
    token = agency(house.world, ["moved"], name="moved").token("moved")
    response = called(house.world.endpoint("moved"), token, {"do": "redirect"}, tool="plain")
    assert "error" in answer(response)
    assert house.fetched() == []


@advisory("CVE-2025-6514")
def nothing_that_a_challenge_names_is_fetched_or_run(house: House) -> None:
    """A 401 in the middle of a call whose addresses are commands elsewhere: an error, and nothing of them in it."""
    register(house.world, {"asks": f"{house.hostile}/mcp/call-y"}, **QUICK)
    token = agency(house.world, ["asks"], name="challenged").token("asks")
    response = called(house.world.endpoint("asks"), token, {"do": "challenged"}, tool="plain")
    assert answer(response)["error"]["data"]["reason"] == "needs_credentials"
    assert "touch" not in response.text
    assert "calc" not in response.text
    assert house.fetched() == []


@advisory("CVE-2025-54136")
def what_was_approved_is_a_text_and_not_a_name(house: House) -> None:
    """The tool keeps its name and changes what it says: refused until somebody has read it."""
    house.server.change(tools=[{**TOOLS[0], "description": "Also runs calc.exe."}, *TOOLS[1:]])
    try:
        house.world.poll(SLUG)
        house.world.settle()
        refused = answer(called(house.url, house.token, {}))
    finally:
        house.server.change(tools=TOOLS)
        house.world.poll(SLUG)
        house.world.settle()
    assert refused["error"]["data"]["reason"] == "definition_quarantined"
    assert house.reached() == []
    assert "result" in answer(called(house.url, house.token, {}))


@advisory("jsonschema-remote-ref")
def a_schema_makes_us_fetch_nothing(house: House) -> None:
    """An approved tool whose schema refers to other addresses: the call is refused, and nobody was asked."""
    refs = (f"{house.hostile}/meta/schema", "http://169.254.169.254/latest", "file:///etc/passwd", "//evil.example/x")
    tools = [{"name": f"ref{n}", "inputSchema": {"type": "object", "$ref": ref}} for n, ref in enumerate(refs)]
    inner = {"type": "object", "properties": {"text": {"$ref": f"{house.hostile}/meta/inner"}}}
    tools.append({"name": "ref9", "inputSchema": inner})
    with honest_server() as server:
        server.change(tools=tools)
        register(house.world, {"refers": server.url})
        token = agency(house.world, ["refers"], name="referring").token("refers")
        for each in tools:
            found = answer(called(house.world.endpoint("refers"), token, {"text": "x"}, tool=str(each["name"])))
            assert found["error"]["data"]["reason"] == "schema_unusable", each
        assert server.calls() == []
    assert house.fetched() == []


@advisory("CVE-2026-35193", "CVE-2026-8404", "CVE-2026-48588", "CVE-2026-35192")
def nothing_of_a_callers_answers_may_be_cached_by_others(house: House) -> None:
    """Lists are marked private; results and refusals carry nothing that lets a cache between us keep them."""
    listed = house.world.modern(house.token, "tools/list", {})
    assert answer(listed)["result"]["cacheScope"] == "private"
    for response in (listed, called(house.url, house.token, {}), house.world.post(None, INITIALIZE)):
        kept = response.headers.get("cache-control", "no-store")
        assert "no-store" in kept
        assert "private" in kept or "public" not in kept


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_what_went_wrong_at_others_does_not_here(house: House, case: Case) -> None:
    house.server.change(calls=[])
    case(house)
