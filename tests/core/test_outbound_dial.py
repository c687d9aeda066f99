"""Connections are made to addresses that were judged, whatever the URL or the name server says."""

import asyncio
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpcore2
import httpx2
import pytest

from core.outbound import OutboundError, OutboundPolicy, Refusal, outbound_client
from core.outbound_dial import GuardedBackend
from tests.core.certificates import certificate
from tests.core.exchanges import LOOPBACK, NOWHERE, PATIENT, QUICK, answering, failure, get
from tests.fixtures_mcp.processes import hostile_server
from tests.ports import free_ports

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    """The misbehaving server's base URL."""
    with hostile_server() as base:
        yield base


@contextmanager
def listening() -> Iterator[tuple[int, list[str]]]:
    """A loopback port that notes who connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        hits: list[str] = []
        server.settimeout(0.05)
        stop = threading.Event()

        def accept() -> None:
            while not stop.is_set():
                try:
                    connection, peer = server.accept()
                except TimeoutError:
                    continue
                hits.append(str(peer))
                connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1], hits
        finally:
            stop.set()
            thread.join()


FORMS = {
    "loopback": "https://127.0.0.1/",
    "loopback over http": "http://127.0.0.1/",
    "public over http": "http://8.8.8.8/",
    "another port of a public host": "https://8.8.8.8:22/",
    "short": "https://127.1/",
    "decimal": "https://2130706433/",
    "hexadecimal": "https://0x7f000001/",
    "hexadecimal parts": "https://0x7f.0x0.0x0.0x1/",
    "octal": "https://0177.0.0.1/",
    "padded": "https://127.000.000.001/",
    "percent-encoded": "https://%31%32%37.0.0.1/",
    "fullwidth digits": "https://\uff11\uff12\uff17.0.0.1/",
    "circled digits": "https://\u2460\u2461\u2466.0.0.1/",
    "ideographic dots": "https://127\u30020\u30020\u30021/",
    "unspecified": "https://0.0.0.0/",
    "zero": "https://0/",
    "loopback 6": "https://[::1]/",
    "unspecified 6": "https://[::]/",
    "mapped": "https://[::ffff:127.0.0.1]/",
    "mapped in hex": "https://[::ffff:7f00:1]/",
    "compatible": "https://[::127.0.0.1]/",
    "6to4": "https://[2002:7f00:1::]/",
    "NAT64": "https://[64:ff9b::127.0.0.1]/",
    "NAT64 local": "https://[64:ff9b:1::7f00:1]/",
    "Teredo": "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "ISATAP": "https://[2001:470::5efe:a00:1]/",
    "site-local": "https://[fec0::1]/",
    "unique local": "https://[fd00::1]/",
    "zone": "https://[fe80::1%25lo]/",
    "metadata": "https://169.254.169.254/latest/meta-data",
    "carrier-grade NAT": "https://100.64.0.1/",
    "multicast": "https://224.0.0.1/",
    "broadcast": "https://255.255.255.255/",
    "private": "https://10.0.0.1/",
    "trailing dot": "https://127.0.0.1./",
    "underscore": "https://a_b.example/",
    "user name": "https://example.com@127.0.0.1/",
    "file": "file:///etc/passwd",
    "ftp": "ftp://127.0.0.1/",
    "no scheme": "//127.0.0.1/",
    "no host": "https:///",
}


@pytest.mark.parametrize("url", FORMS.values(), ids=FORMS.keys())
def test_every_form_of_an_internal_address_is_blocked(url: str) -> None:
    assert failure(url, NOWHERE).cls is Refusal.BLOCKED


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
def test_every_answer_of_a_name_must_pass(scheme: str, answers: list[str]) -> None:
    resolver, _ = answering(answers)
    assert failure(f"{scheme}://split.example/", NOWHERE, resolver=resolver).cls is Refusal.BLOCKED


def test_metadata_stays_closed_whatever_is_allowed() -> None:
    everything = OutboundPolicy(allow=(ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")))
    assert failure("http://169.254.169.254/", everything).cls is Refusal.BLOCKED
    assert failure("http://[fd00:ec2::254]/", everything).cls is Refusal.BLOCKED


def test_allowed_and_public_answers_do_not_mix_over_http() -> None:
    resolver, _ = answering(["127.0.0.1", "8.8.8.8"])
    assert failure("http://mixed.example/", resolver=resolver).cls is Refusal.BLOCKED


def test_rebinding_name_is_looked_up_once_and_its_second_answer_blocked() -> None:
    with listening() as (port, hits):
        resolver, asked = answering(["8.8.8.8"], ["127.0.0.1"])

        async def run() -> list[Refusal]:
            seen = []
            async with outbound_client(NOWHERE, PATIENT, resolver=resolver) as client:
                for _ in range(2):
                    with pytest.raises(OutboundError) as caught:
                        await client.get(f"https://rebinding.example:{port}/")
                    seen.append(caught.value.cls)
            return seen

        assert asyncio.run(run()) == [Refusal.BLOCKED, Refusal.BLOCKED]
        assert asked == ["rebinding.example"] * 2
        assert hits == []


def test_the_address_that_passed_is_the_address_dialled(hostile: str) -> None:
    port = httpx2.URL(hostile).port
    resolver, asked = answering(["127.0.0.1"])
    answer = get(f"http://named.example:{port}/http/echo-headers", resolver=resolver)
    assert answer.json()["host"] == f"named.example:{port}"
    assert asked == ["named.example"]


def test_slow_name_server_is_not_waited_for() -> None:
    async def resolver(_host: str, _port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return ()

    started = time.monotonic()
    assert failure("https://slow.example/", limits=QUICK, resolver=resolver).cls is Refusal.DNS
    assert time.monotonic() - started < 30


def test_lookup_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def hang(*_arguments: object, **_options: object) -> list[object]:
        answered.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    assert failure("https://slow.example/", limits=QUICK).cls is Refusal.DNS
    assert time.monotonic() - started < 30
    answered.set()


def test_unknown_name_is_a_dns_failure() -> None:
    assert failure("https://nowhere.invalid/", limits=QUICK).cls is Refusal.DNS
    resolver, _ = answering([])
    assert failure("https://empty.example/", resolver=resolver).cls is Refusal.DNS


def test_closed_port_is_refused() -> None:
    assert failure(f"http://127.0.0.1:{free_ports()}/").cls is Refusal.REFUSED


@contextmanager
def tls_server(folder: Path, name: str) -> Iterator[tuple[int, str]]:
    """An https server on loopback whose certificate is for `name`; gives its port and the authority's file."""
    pem = certificate(folder, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    ready: list[int] = []
    started, loop = threading.Event(), asyncio.new_event_loop()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nsafe")
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        ready.append(server.sockets[0].getsockname()[1])
        started.set()
        await stop.wait()
        server.close()

    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait(60)
    try:
        yield ready[0], str(pem)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def test_tls_verifies_the_name_while_the_judged_address_is_dialled(tmp_path: Path) -> None:
    with tls_server(tmp_path, "safe.example") as (port, authority):
        trusting = OutboundPolicy(allow=LOOPBACK.allow, ca_file=authority)
        for host, policy, expected in [
            ("safe.example", trusting, None),
            ("other.example", trusting, Refusal.TLS),
            ("safe.example", LOOPBACK, Refusal.TLS),
        ]:
            resolver, _ = answering(["127.0.0.1"])
            url = f"https://{host}:{port}/"
            if expected is None:
                assert get(url, policy, resolver=resolver).text == "safe"
            else:
                assert failure(url, policy, resolver=resolver).cls is expected


async def test_unix_sockets_are_never_dialled() -> None:
    resolver, _ = answering()
    backend = GuardedBackend(LOOPBACK, PATIENT, resolver, encrypted=False)
    with pytest.raises(OutboundError):
        await backend.connect_unix_socket("/run/postgresql/.s.PGSQL.5432")


async def test_connection_that_ends_elsewhere_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as (port, _):
        resolver, _asked = answering()
        backend = GuardedBackend(LOOPBACK, PATIENT, resolver, encrypted=False)
        connect = httpcore2.AnyIOBackend.connect_tcp

        async def elsewhere(self: httpcore2.AnyIOBackend, _host: str, port: int, **options: object) -> object:
            return await connect(self, "127.0.0.1", port)

        monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", elsewhere)
        with pytest.raises(OutboundError) as caught:
            await backend.connect_tcp("127.0.0.2", port)
        assert caught.value.cls is Refusal.BLOCKED
