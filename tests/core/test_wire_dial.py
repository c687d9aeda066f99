"""The client of the hot path reaches judged addresses only, and over TLS only who has the name."""

import asyncio
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from core.outbound import OutboundError, OutboundPolicy, Refusal
from tests.core.certificates import certificate
from tests.core.exchanges import LOOPBACK, NOWHERE, answering
from tests.core.test_outbound_dial import FORMS, listening
from tests.core.wires import OK, PATIENT, QUICK, Step, Talk, client, closes, failing, post, serving, stays
from tests.ports import free_ports

pytestmark = pytest.mark.network


@pytest.mark.parametrize("url", FORMS.values(), ids=FORMS.keys())
async def test_every_form_of_an_internal_address_is_blocked(url: str) -> None:
    assert (await failing(url, policy=NOWHERE)).cls is Refusal.BLOCKED


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "10.0.0.1"],
        ["10.0.0.1", "8.8.8.8"],
        ["::ffff:169.254.169.254"],
        ["2606:4700::1", "64:ff9b::7f00:1"],
        ["fe80::1%eth0"],
    ],
)
async def test_every_answer_of_a_name_must_pass(scheme: str, answers: list[str]) -> None:
    resolver, _ = answering(answers)
    error = await failing(f"{scheme}://split.example/", policy=NOWHERE, resolver=resolver)
    assert error.cls is Refusal.BLOCKED


async def test_metadata_stays_closed_whatever_is_allowed() -> None:
    everything = OutboundPolicy(allow=(ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")))
    assert (await failing("http://169.254.169.254/", policy=everything)).cls is Refusal.BLOCKED
    assert (await failing("http://[fd00:ec2::254]/", policy=everything)).cls is Refusal.BLOCKED


async def test_allowed_and_public_answers_do_not_mix_over_http() -> None:
    resolver, _ = answering(["127.0.0.1", "8.8.8.8"])
    assert (await failing("http://mixed.example/", resolver=resolver)).cls is Refusal.BLOCKED


async def test_rebinding_name_is_looked_up_for_each_connection_and_blocked_each_time() -> None:
    with listening() as (port, hits):
        resolver, asked = answering(["8.8.8.8"], ["127.0.0.1"])
        async with client(NOWHERE, resolver=resolver) as wire:
            for _ in range(2):
                with pytest.raises(OutboundError) as caught:
                    await post(wire, f"https://rebinding.example:{port}/")
                assert caught.value.cls is Refusal.BLOCKED
    assert (asked, hits) == (["rebinding.example"] * 2, [])


async def test_the_address_that_passed_is_dialled_after_one_lookup() -> None:
    resolver, asked = answering(["127.0.0.1"])
    async with serving(OK) as server, client(resolver=resolver) as wire:
        for _ in range(3):
            assert await post(wire, f"http://named.example:{server.port}/") == (200, b"fine")
    assert f"host: named.example:{server.port}\r\n".encode() in server.requests[0]
    assert (asked, server.connections) == (["named.example"], 1)


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"])
async def test_the_next_address_of_a_name_is_tried_but_not_the_fourth() -> None:
    async with serving(OK) as server:
        for answers, cls in [
            (["127.0.0.2", "127.0.0.1"], None),
            (["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1"], Refusal.REFUSED),
        ]:
            resolver, _ = answering(answers)
            url = f"http://named.example:{server.port}/"
            if cls is None:
                async with client(resolver=resolver) as wire:
                    assert await post(wire, url) == (200, b"fine")
            else:
                assert (await failing(url, resolver=resolver)).cls is cls
        assert server.connections == 1


async def test_a_slow_name_server_is_not_waited_for() -> None:
    async def resolver(_host: str, _port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return ()

    async with asyncio.timeout(30):
        assert (await failing("https://slow.example/", QUICK, resolver=resolver)).cls is Refusal.DNS


async def test_a_lookup_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def hang(*_arguments: object, **_options: object) -> list[object]:
        answered.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    async with asyncio.timeout(30):
        assert (await failing("https://slow.example/", QUICK)).cls is Refusal.DNS
    answered.set()


async def test_an_unknown_name_is_a_dns_failure() -> None:
    assert (await failing("https://nowhere.invalid/", QUICK)).cls is Refusal.DNS
    resolver, _ = answering([])
    assert (await failing("https://empty.example/", resolver=resolver)).cls is Refusal.DNS


async def test_a_closed_port_is_refused() -> None:
    assert (await failing(f"http://127.0.0.1:{free_ports()}/")).cls is Refusal.REFUSED


async def test_a_connection_that_ends_elsewhere_is_closed_before_a_byte_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(OK) as server:
        monkeypatch.setattr(
            socket.socket, "getpeername", lambda _: ("127.0.0.2", server.port)
        )  # as if a router had turned it
        assert (await failing(server.url)).cls is Refusal.BLOCKED
        await server.until(lambda: server.left == server.connections == 1)
        assert server.requests == []


def tls(folder: Path, name: str) -> tuple[ssl.SSLContext, OutboundPolicy]:
    """What a server of that name speaks, and a policy that trusts its authority."""
    pem = certificate(folder, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context, OutboundPolicy(allow=LOOPBACK.allow, ca_file=str(pem))


async def test_tls_verifies_the_name_while_the_judged_address_is_dialled(tmp_path: Path) -> None:
    context, trusting = tls(tmp_path, "safe.example")
    names: list[str | None] = []
    context.sni_callback = lambda _connection, name, _context: names.append(name)
    async with serving(OK, tls=context) as server:
        for host, policy in [("other.example", trusting), ("safe.example", LOOPBACK)]:
            resolver, _ = answering(["127.0.0.1"])
            error = await failing(f"https://{host}:{server.port}/", policy=policy, resolver=resolver)
            assert error.cls is Refusal.TLS
        assert (await failing(server.url, policy=trusting)).cls is Refusal.TLS
        resolver, asked = answering(["127.0.0.1"])
        async with client(trusting, resolver=resolver) as wire:
            for _ in range(3):
                assert await post(wire, f"https://safe.example:{server.port}/") == (200, b"fine")
    assert names[-1] == "safe.example"
    assert (len(server.requests), len(asked)) == (3, 1)


def cuts_below_tls(data: bytes) -> Step:
    """Send, then end TCP in order without TLS's own goodbye."""

    async def step(talk: Talk) -> None:
        await talk.send(data)
        below = socket.socket(fileno=os.dup(talk.writer.get_extra_info("socket").fileno()))
        below.shutdown(socket.SHUT_WR)
        below.close()
        await talk.until_left()

    return step


async def test_a_body_that_ends_with_a_tls_connection_must_end_in_order(tmp_path: Path) -> None:
    context, trusting = tls(tmp_path, "safe.example")
    head = b"HTTP/1.1 200 OK\r\n\r\nall of it"
    resolver, _ = answering(["127.0.0.1"], ["127.0.0.1"])
    async with (
        serving(closes(head), cuts_below_tls(head), tls=context) as server,
        client(trusting, resolver=resolver) as wire,
    ):
        url = f"https://safe.example:{server.port}/"
        assert await post(wire, url) == (200, b"all of it")
        with pytest.raises(OutboundError) as caught:  # an attacker in between can end TCP, but not TLS
            await post(wire, url)
        assert caught.value.cls is Refusal.PROTOCOL_ERROR


async def hang_up(talk: Talk) -> None:
    await talk.reader.read(1)
    talk.writer.transport.abort()


async def speak_plainly(talk: Talk) -> None:
    await talk.send(OK)
    await talk.until_left()


@pytest.mark.parametrize(
    ("raw", "cls"), [(hang_up, Refusal.TLS), (speak_plainly, Refusal.TLS), (Talk.until_left, Refusal.TIMEOUT)]
)
async def test_a_handshake_that_fails(raw: Callable[[Talk], Awaitable[None]], cls: Refusal) -> None:
    async with serving(raw=raw) as server:
        limits = QUICK if cls is Refusal.TIMEOUT else PATIENT
        assert (await failing(f"https://127.0.0.1:{server.port}/", limits)).cls is cls


async def test_cancelling_at_any_moment_of_connecting_leaves_nothing_open(tmp_path: Path) -> None:
    context, trusting = tls(tmp_path, "safe.example")
    resolver, _ = answering(*[["127.0.0.1"]] * 60)
    for tls_or_not, scheme in [(context, "https"), (None, "http")]:
        async with (
            serving(stays(), tls=tls_or_not) as server,
            client(trusting, resolver=resolver, per_origin=1) as wire,
        ):
            for moments in range(25):
                call = asyncio.create_task(post(wire, f"{scheme}://safe.example:{server.port}/"))
                for _ in range(moments):
                    await asyncio.sleep(0)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
            await server.until(lambda: server.left == server.connections)
