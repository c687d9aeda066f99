"""Places outside that get checkpoints: webhooks and syslog servers, for real, and what happens while one is away."""

import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from audit.proof.checkpoint import Checkpoint, sign_checkpoint
from audit.proof.note import SigningKey
from audit.sequencer import Setup, StateDirectory
from audit.sequencer.publishing import Publisher
from audit.sequencer.refusing import Alarms
from audit.sinks.alarm import AlarmSink
from audit.sinks.base import Message, Sink, Undelivered
from audit.sinks.syslog import SyslogSink
from audit.sinks.webhook import WebhookSink
from tests.alerts.receiver import Receiver, receiving
from tests.core.certificates import certificate
from tests.ports import free_ports

SECRET = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
KEY = SigningKey.generate("o")
SAID = Message("checkpoint.signed", {"size": 3, "note": "a\n3\n"}, datetime(2026, 11, 28, tzinfo=UTC), "checkpoint_1")

pytestmark = pytest.mark.network


def test_a_webhook_gets_what_standard_webhooks_signs() -> None:
    with receiving() as receiver:
        WebhookSink(receiver.url, SECRET).send([SAID, SAID])
    assert len(receiver.requests) == 2
    headers, body = receiver.requests[0]
    assert Webhook(SECRET).verify(body, headers) == json.loads(body)
    assert json.loads(body) == {
        "type": "checkpoint.signed",
        "timestamp": "2026-11-28T00:00:00.000000Z",
        "data": {"size": 3, "note": "a\n3\n"},
    }
    assert headers["webhook-id"] == "checkpoint_1"


def test_a_webhook_that_refuses_or_is_away_did_not_get_it() -> None:
    with receiving() as receiver:
        sink = WebhookSink(receiver.url, SECRET)
        receiver.answers = [(500, {})]
        with pytest.raises(Undelivered, match="answered 500"):
            sink.send([SAID])
    with pytest.raises(Undelivered, match="No connection"):
        sink.send([SAID])


def test_the_name_of_a_webhook_does_not_show_its_address() -> None:
    name = WebhookSink("https://hooks.example/very-secret", SECRET).name
    assert re.fullmatch(r"webhook:hooks\.example:[0-9a-f]{8}", name)


@contextmanager
def listening(context: ssl.SSLContext | None = None, *, closes: bool = True) -> Iterator[tuple[int, list[bytes]]]:
    """A syslog server that reads each connection to its end."""
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                raw, _ = server.accept()
            except OSError:
                return
            with suppress(ssl.SSLError), context.wrap_socket(raw, server_side=True) if context else raw as link:
                if not closes:
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                    return
                while part := link.recv(4096):
                    got.append(part)
                if isinstance(link, ssl.SSLSocket):
                    link.unwrap()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], got
        thread.join(60)


def frames(data: bytes) -> Iterator[bytes]:
    """What RFC 6587 and RFC 5425 put on the wire: a length, a blank, so many bytes."""
    while data:
        length, _, rest = data.partition(b" ")
        yield rest[: int(length)]
        data = rest[int(length) :]


def test_syslog_over_tcp_is_framed_by_length() -> None:
    with listening() as (port, got):
        SyslogSink(f"tcp://127.0.0.1:{port}").send([SAID, SAID])
    found = list(frames(b"".join(got)))
    assert len(found) == 2
    for line in found:
        head, _, said = line.decode().partition(" - ")
        assert re.fullmatch(r"<109>1 2026-11-28T00:00:00\.000000Z \S+ holdfast \d+ checkpoint\.signed", head)
        assert json.loads(said)["data"] == {"size": 3, "note": "a\n3\n"}


def test_a_syslog_connection_that_breaks_off_did_not_get_it() -> None:
    with listening(closes=False) as (port, _got):
        with pytest.raises(Undelivered):
            SyslogSink(f"tcp://127.0.0.1:{port}").send([SAID] * 5000)
    with pytest.raises(Undelivered):
        SyslogSink(f"tcp://127.0.0.1:{free_ports(1)}").send([SAID])


def test_syslog_over_udp_is_one_datagram_each() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(60)
        SyslogSink(f"udp://127.0.0.1:{server.getsockname()[1]}").send([SAID])
        assert b"checkpoint.signed" in server.recv(4096)


@pytest.mark.parametrize("url", ["logs.example:514", "http://logs.example", "tls://", "tcp://a@b:1", "udp://h/path"])
def test_what_is_no_address_of_a_syslog_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is expected"):
        SyslogSink(url)


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path)


def a_publisher(state: StateDirectory, *sinks: Sink, alarms: tuple[Sink, ...] = ()) -> Publisher:
    return Publisher(Setup("o", (KEY,), state, anchors=sinks, alarms=alarms), Alarms("o"))


def signed(state: StateDirectory, *sizes: int, origin: str = "o") -> None:
    for size in sizes:
        state.append(sign_checkpoint(Checkpoint(origin, size, bytes(32)), KEY), datetime(2026, 11, 28, tzinfo=UTC))


def sizes(receiver: Receiver) -> list[int]:
    return [json.loads(body)["data"]["size"] for _, body in receiver.requests]


def test_an_anchor_that_is_away_gets_every_checkpoint_later(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.sequencer.publishing._FIRST_WAIT", 1000.0)
    with receiving() as receiver, receiving() as second:
        sinks = [WebhookSink(each.url, SECRET) for each in (receiver, second)]
        signed(state, 1)
        publisher = a_publisher(state, *sinks)
        publisher.publish()
        signed(state, 2, 3)
        receiver.answers = [(500, {})]
        publisher.publish()
        signed(state, 4)
        publisher.publish()
        assert sizes(second) == [1, 2, 3, 4], "nobody waits for another"
        assert sizes(receiver) == [1, 2]
        again = a_publisher(state, *sinks)
        again.publish()
        assert sizes(receiver) == [1, 2, 2, 3, 4], "in order, from the one that did not arrive"
        again.publish()
        assert len(receiver.requests) == 5
        assert len(second.requests) == 4


def test_more_than_a_batch_arrives_in_one_go_and_a_half_line_is_passed_over(state: StateDirectory) -> None:
    with receiving() as receiver:
        publisher = a_publisher(state, WebhookSink(receiver.url, SECRET))
        publisher.publish()
        signed(state, *range(1, 11))
        with state.log.open("ab") as file:
            file.write(b'{"time": "2026-11')
        signed(state, *range(11, 31))
        publisher.publish()
        assert sizes(receiver) == list(range(1, 31))


def test_a_new_anchor_begins_with_the_newest_checkpoint(state: StateDirectory) -> None:
    signed(state, 1, 2, 3)
    with receiving() as receiver:
        a_publisher(state, WebhookSink(receiver.url, SECRET)).publish()
        assert sizes(receiver) == [3]


def test_a_file_that_was_begun_again_is_sent_from_where_the_anchor_is(state: StateDirectory) -> None:
    with receiving() as receiver:
        publisher = a_publisher(state, WebhookSink(receiver.url, SECRET))
        publisher.publish()
        signed(state, 1, 2, 3)
        publisher.publish()
        state.log.unlink()
        signed(state, 3, 4)
        signed(state, 1, origin="o/2")
        publisher.publish()
        assert sizes(receiver) == [1, 2, 3, 4, 1]


def test_an_anchor_that_is_away_for_long_is_an_alarm(state: StateDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.sequencer.publishing._FIRST_WAIT", 0.0)
    with receiving() as receiver:
        publisher = a_publisher(
            state, WebhookSink("http://127.0.0.1:9/", SECRET), alarms=(WebhookSink(receiver.url, SECRET),)
        )
        signed(state, 1)
        publisher.publish()
        publisher.publish()
        assert receiver.requests == []
        monkeypatch.setattr("audit.sequencer.publishing._PATIENCE", 0.0)
        publisher.publish()
        publisher.publish()
        ((_, body),) = receiver.requests
        assert json.loads(body)["type"] == "anchor.failing"


def test_an_alarm_goes_to_the_webhook_and_is_not_sent_twice(state: StateDirectory) -> None:
    with receiving() as receiver:
        alarms = Alarms("o")
        publisher = Publisher(Setup("o", (KEY,), state, alarms=(WebhookSink(receiver.url, SECRET),)), alarms)
        alarms.sound("checkpoint.refused", "shorter", "The log is shorter.")
        publisher.publish()
        publisher.publish()
        ((_, body),) = receiver.requests
    said = json.loads(body)
    assert said["type"] == "checkpoint.refused"
    assert said["data"] == {"origin": "o", "about": "shorter", "sentence": "The log is shorter."}


def test_an_alarm_goes_to_the_installations_own_webhook_too(settings: Any) -> None:
    with receiving() as receiver:
        settings.AUDIT_ALARM_URL, settings.AUDIT_ALARM_SECRET = receiver.url, SECRET
        AlarmSink().send([Message("checkpoint.refused", {"about": "shorter"})])
        ((headers, body),) = receiver.requests
    Webhook(SECRET).verify(body, headers)
    assert json.loads(body)["type"] == "checkpoint.refused"


def test_syslog_over_tls_verifies_the_server(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    with listening(context) as (port, got):
        SyslogSink(f"tls://localhost:{port}", ca_file=str(pem)).send([SAID])
    assert b"checkpoint.signed" in b"".join(got)
    with listening(context) as (port, got), pytest.raises(Undelivered, match="TLS"):
        SyslogSink(f"tls://localhost:{port}").send([SAID])
    assert got == []
