"""Sinks: every record arrives at least once and in order, whatever fails on the way; and who may say where."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from standardwebhooks.webhooks import Webhook

from audit import services
from audit.events import Event, RecordType
from audit.models import ExportCursor, Leaf, Record, Sink
from audit.services import sending
from audit.services.sending import Pace, send_exports
from audit.services.sinks import sink_secret
from audit.sink_querysets import SinkQuerySet
from audit.sinks.posts import OtlpTransport
from audit.sinks.source import Found
from core.actor import Actor, ActorKind, system_actor
from core.envelope import CannotOpen
from core.errors import Conflict, Invalid, NotFound, PermissionDenied
from core.ids import new_id
from core.permissions import Permission
from tests.audit.receivers import HttpReceiver, forget_contexts, http_receiver, syslog_receiver
from tests.audit.test_formats import parsed_cef

pytestmark = [pytest.mark.django_db, pytest.mark.network]
SYSTEM = system_actor("test")
SENDS = frozenset({Permission.SINK_MANAGE, Permission.AUDIT_READ, Permission.AUDIT_EXPORT})
ADA = Actor(kind=ActorKind.PERSON, id=str(new_id()), name="ada", permissions=SENDS)
REJECTED = ExportLogsServiceResponse(partial_success=ExportLogsPartialSuccess(rejected_log_records=1))
QUICK = Pace(run=0.3, idle=0.02, lease=30.0, settle=0.1, batch=4)


def a_log(count: int) -> None:
    for number in range(count):
        services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=SYSTEM, subject=f"team:t{number}")
    services.place_records()


def a_sink(kind: str = "otlp", form: str = "otlp", endpoint: str = "http://127.0.0.1:9/", **given: Any) -> Sink:
    fields: dict[str, Any] = {"name": f"to-{kind}", "from_beginning": True, "actor": ADA} | given
    return services.create_sink(kind=kind, format=form, endpoint=endpoint, **fields).sink


def cursor_of(sink: Sink) -> ExportCursor:
    return ExportCursor.objects.get(sink=sink)


def again(sink: Sink, pace: Pace = QUICK) -> None:
    """Another run, after the pause that a failure sets and the lease that a killed sender leaves."""
    ExportCursor.objects.filter(sink=sink).update(next_attempt_at=timezone.now())
    ExportCursor.objects.filter(sink=sink, lease_until__isnull=False).update(lease_until=timezone.now() - timedelta(1))
    send_exports(pace)


def to_the_end(sink: Sink, pace: Pace = QUICK) -> None:
    """As many runs as it takes; a busy machine takes more."""
    for _ in range(100):
        again(sink, pace)
        if cursor_of(sink).index == Leaf.objects.head():
            return
    raise AssertionError(cursor_of(sink).last_error)


@pytest.fixture
def collector() -> Any:
    with http_receiver() as receiver:
        yield receiver


def test_a_collector_gets_every_record_in_order_and_the_cursor_follows(collector: HttpReceiver) -> None:
    a_log(10)
    sink = a_sink(endpoint=collector.url, secret="Bearer abc")
    to_the_end(sink)
    assert collector.indexes() == list(range(10))
    assert cursor_of(sink).index == 9
    headers, _ = collector.requests[0]
    assert headers["authorization"] == "Bearer abc"
    assert headers["content-type"] == "application/x-protobuf"
    assert cursor_of(sink).lease_token is None
    a_log(1)
    to_the_end(sink)
    assert collector.indexes()[-1] == Leaf.objects.head()


def test_killed_between_sending_and_noting_it_is_sent_again_and_nothing_is_missing(
    collector: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_log(40)
    sink = a_sink(endpoint=collector.url)
    real = OtlpTransport.send
    kills: list[str] = []

    async def killed(self: OtlpTransport, batch: Any) -> None:
        await real(self, batch)
        if len(kills) % 2 == 0:
            kills.append("after the receiver had it")
            raise asyncio.CancelledError
        kills.append("")

    monkeypatch.setattr(OtlpTransport, "send", killed)
    for _ in range(20):
        again(sink, QUICK._replace(run=0.05))
    monkeypatch.undo()
    to_the_end(sink)
    got = collector.indexes()
    head = Leaf.objects.head()
    assert kills.count("after the receiver had it") >= 5
    assert set(got) == set(range(head + 1))
    assert len(got) > head + 1  # some came twice, and are told by their id
    assert cursor_of(sink).index == head
    firsts = list(dict.fromkeys(got))
    assert firsts == sorted(firsts)


def test_a_webhook_gets_lines_that_verify_and_chain(collector: HttpReceiver) -> None:
    a_log(6)
    made = services.create_sink(
        name="siem", kind="webhook", format="ocsf", endpoint=collector.url, from_beginning=True, actor=ADA
    )
    to_the_end(made.sink, QUICK._replace(batch=3))
    events = []
    for headers, body in collector.requests:
        webhook_id = headers["webhook-id"]
        assert webhook_id.startswith(f"exp_{made.sink.public_id.hex}_")
        moment = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        assert headers["webhook-signature"] == Webhook(made.secret).sign(webhook_id, moment, body.decode())
        events += [json.loads(line) for line in body.splitlines()]
    assert [event["metadata"]["sequence"] for event in events] == list(range(Leaf.objects.head() + 1))
    chain = [event["attestation_list"][0] for event in events]
    assert [entry.get("prev_event", {}).get("fingerprint") for entry in chain] == [
        None,
        *(entry["fingerprint"] for entry in chain[:-1]),
    ]
    assert (cursor_of(made.sink).chain or {})["uid"] == chain[-1]["uid"]


@pytest.mark.parametrize(
    "answer",
    [
        (503, {"retry-after": "7"}, b""),
        (200, {}, REJECTED.SerializeToString()),
        (200, {}, b"\xff not protobuf"),
        (307, {"location": "http://127.0.0.1:9/"}, b""),
    ],
)
def test_what_was_not_accepted_whole_is_sent_again(collector: HttpReceiver, answer: Any) -> None:
    a_log(3)
    sink = a_sink(endpoint=collector.url)
    collector.answers.append(answer)
    again(sink)
    cursor = cursor_of(sink)
    assert (cursor.index, cursor.failures) == (-1, 1)
    assert cursor.last_error
    assert cursor.failing_since is not None
    assert cursor.next_attempt_at > timezone.now()
    to_the_end(sink)
    cursor = cursor_of(sink)
    assert (cursor.index, cursor.failures, cursor.failing_since, cursor.last_error) == (
        Leaf.objects.head(),
        0,
        None,
        "",
    )
    assert len(collector.requests) == 2


def test_a_receiver_is_heard_when_it_asks_for_time(collector: HttpReceiver) -> None:
    a_log(1)
    sink = a_sink(endpoint=collector.url)
    collector.answers.append((429, {"retry-after": "120"}, b""))
    again(sink)
    assert cursor_of(sink).next_attempt_at > timezone.now() + timedelta(seconds=100)


def test_a_slow_receiver_slows_nobody_else(collector: HttpReceiver) -> None:
    a_log(8)
    with http_receiver() as other:
        slow = a_sink(endpoint=collector.url, name="slow")
        quick = a_sink(endpoint=other.url, name="quick")
        collector.may_answer.clear()
        other.answered_often = collector.may_answer
        again(slow)
        # The slow one answered only once the other had more than one batch.
        assert collector.may_answer.is_set()
        assert cursor_of(quick).index > QUICK.batch


def test_two_senders_do_not_both_move_a_cursor(collector: HttpReceiver) -> None:
    a_log(4)
    sink = a_sink(endpoint=collector.url)
    (first,) = sending._claim(QUICK)
    assert sending._claim(QUICK) == []
    ExportCursor.objects.filter(sink=sink).update(lease_until=timezone.now() - timedelta(seconds=1))
    (second,) = sending._claim(QUICK)
    with pytest.raises(sending.LeaseLost):
        sending._confirm(first, 3, first.chain, QUICK)
    with pytest.raises(sending.LeaseLost):
        sending._renew(first, QUICK)
    assert cursor_of(sink).index == -1
    sending._confirm(second, 2, second.chain, QUICK)
    assert cursor_of(sink).index == 2


def test_a_cursor_never_goes_back() -> None:
    a_log(2)
    sink = a_sink()
    ExportCursor.objects.filter(sink=sink).update(index=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        ExportCursor.objects.filter(sink=sink).update(index=0)


def test_a_record_that_cannot_be_formatted_stops_its_sink_and_no_other(
    collector: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_log(6)
    bad = Leaf.objects.get(index=2).record_id
    webhook = a_sink("webhook", "ocsf", collector.url, name="breaks")
    with http_receiver() as other:
        sink = a_sink(endpoint=other.url, name="goes-on")
        real = Found.placed

        def placed(self: Found) -> Any:
            record = real(self)
            return record if self.id != bad else type(record)(**{**_fields(record), "said": {"time": "never"}})

        monkeypatch.setattr(Found, "placed", placed)
        monkeypatch.setattr("audit.formats.otlp._log_record", _forgiving)
        again(webhook)
        monkeypatch.undo()
        stopped = Record.objects.get(event="sink.stopped")
        assert stopped.subject == "sink:breaks"
        assert stopped.reason == "record 2 cannot be written as ocsf: ValueError"
        assert Sink.objects.get(pk=webhook.pk).state == "stopped"
        # What is before it went out, and nothing behind it.
        assert cursor_of(webhook).index == 1
        to_the_end(sink)
    services.change_sink(sink_id=webhook.public_id, enabled=True, actor=ADA)
    to_the_end(webhook)


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


def _forgiving(record: Any) -> Any:
    return LogRecord(body=AnyValue(string_value=record.body.decode()))


def test_a_record_that_is_gone_stops_the_sink() -> None:
    with pytest.raises(ValueError, match="not in the log"):
        Found(0, 202611, new_id(), b"").placed()


@pytest.fixture
def authority(tmp_path: Path, settings: Any) -> Any:
    settings.OUTBOUND_CA_FILE = str(tmp_path / "localhost.pem")
    forget_contexts()
    yield tmp_path
    forget_contexts()


def test_syslog_over_tls_carries_cef_and_is_confirmed_once_the_connection_has_lived(authority: Path) -> None:
    a_log(9)
    with syslog_receiver(authority) as receiver:
        sink = a_sink("syslog_tls", "cef", f"tls://localhost:{receiver.port}")
        to_the_end(sink)
    found = [parsed_cef(message[message.index(b"CEF:") :].decode())[1]["cn1"] for message in receiver.messages()]
    assert found[:9] == [str(index) for index in range(9)]
    assert cursor_of(sink).index == int(found[-1])


def test_a_receiver_that_goes_away_loses_nothing_of_syslog(authority: Path) -> None:
    a_log(12)
    with syslog_receiver(authority) as receiver:
        receiver.drop_after += [1, 500]  # twice it hangs up and what it had read is lost
        sink = a_sink("syslog_tls", "cef", f"tls://localhost:{receiver.port}")
        again(sink)
        assert cursor_of(sink).index == -1
        assert cursor_of(sink).last_error
        to_the_end(sink)
    found = [int(parsed_cef(message[message.index(b"CEF:") :].decode())[1]["cn1"]) for message in receiver.messages()]
    assert set(found) == set(range(Leaf.objects.head() + 1))
    assert cursor_of(sink).index == Leaf.objects.head()


def test_a_receiver_with_a_certificate_of_another_name_gets_nothing(authority: Path) -> None:
    a_log(1)
    with syslog_receiver(authority) as receiver:
        sink = a_sink("syslog_tls", "cef", f"tls://127.0.0.1:{receiver.port}")
        again(sink)
    assert receiver.data == b""
    assert "TLS" in cursor_of(sink).last_error


@pytest.mark.parametrize("endpoint", ["tls://10.0.0.1:6514", "tls://169.254.169.254:6514"])
def test_an_address_inside_is_not_dialled(endpoint: str) -> None:
    a_log(1)
    sink = a_sink("syslog_tls", "cef", endpoint)
    again(sink)
    assert cursor_of(sink).last_error == "This address is not open to outbound traffic here."


def test_a_disabled_sink_keeps_its_place(collector: HttpReceiver) -> None:
    a_log(2)
    sink = a_sink(endpoint=collector.url)
    services.change_sink(sink_id=sink.public_id, enabled=False, actor=ADA)
    again(sink)
    assert collector.requests == []
    services.change_sink(sink_id=sink.public_id, enabled=True, actor=ADA)
    again(sink)
    assert collector.indexes()[:2] == [0, 1]


def test_a_new_sink_begins_at_the_head_unless_told_otherwise() -> None:
    a_log(3)
    assert cursor_of(a_sink(from_beginning=False)).index == 2


def test_a_secret_that_does_not_open_sends_nothing(collector: HttpReceiver) -> None:
    a_log(1)
    one, other = a_sink(endpoint=collector.url, secret="Bearer a"), a_sink(name="other", secret="Bearer b")
    Sink.objects.filter(pk=one.pk).update(secret=bytes(Sink.objects.get(pk=other.pk).secret or b""))
    with pytest.raises(CannotOpen):
        sink_secret(Sink.objects.get(pk=one.pk))
    again(one)
    assert collector.requests == []
    assert cursor_of(one).last_error == "The sink's secret cannot be opened."


def test_every_change_is_recorded_and_no_secret_with_it() -> None:
    sink = a_sink(endpoint="https://collector.example/v1/logs?key=abc", secret="Bearer canary")
    change: dict[str, Any] = {"endpoint": "https://other.example/v1/logs", "secret": "Bearer canary2"}
    services.change_sink(sink_id=sink.public_id, actor=ADA, **change)
    services.remove_sink(sink_id=sink.public_id, actor=ADA, reason="moved")
    rows = list(Record.objects.filter(subject="sink:to-otlp").order_by("id"))
    assert [row.event for row in rows] == ["sink.created", "sink.changed", "sink.removed"]
    whole = b"".join(bytes(row.body) for row in rows)
    assert b"canary" not in whole
    assert b"key=abc" not in whole
    assert rows[2].reason == "moved"
    assert not ExportCursor.objects.exists()
    with pytest.raises(NotFound):
        services.remove_sink(sink_id=sink.public_id, actor=ADA)


def test_secrets_are_sealed_at_rest() -> None:
    sink = a_sink(secret="Bearer canary")
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM audit_sink")
        assert b"canary" not in bytes(cursor.fetchone()[0])
    assert sink_secret(sink) == "Bearer canary"
    assert configured.SECRETS_KEY


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "fax"}, "kind"),
        ({"kind": "webhook", "format": "csv"}, "format"),
        ({"kind": "otlp", "format": "cef"}, "format"),
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"endpoint": "ftp://collector.example"}, "endpoint"),
        ({"endpoint": "https://user:word@collector.example"}, "endpoint"),
        ({"endpoint": "https://[::1"}, "endpoint"),
        ({"kind": "syslog_tls", "format": "cef", "endpoint": "https://a.example"}, "endpoint"),
        ({"kind": "syslog_tls", "format": "cef", "endpoint": "tls://a.example/path"}, "endpoint"),
        ({"kind": "webhook", "format": "ocsf", "secret": "mine"}, "secret"),
        ({"secret": "line\nbreak"}, "secret"),
    ],
)
def test_what_does_not_fit_is_said(given: dict[str, Any], field: str) -> None:
    whole = {"name": "s", "kind": "otlp", "format": "otlp", "endpoint": "https://collector.example"} | given
    with pytest.raises(Invalid) as refusal:
        services.create_sink(**whole, actor=ADA)
    assert refusal.value.field == field


def test_names_are_used_once(monkeypatch: pytest.MonkeyPatch) -> None:
    a_sink()
    with pytest.raises(Conflict):
        a_sink()
    # As two see it who ask at the same time: neither finds the other's.
    monkeypatch.setattr(SinkQuerySet, "exists", lambda _sinks: False)
    with pytest.raises(Conflict):
        a_sink()


@pytest.mark.parametrize(
    "endpoint", ["https://evil.example/v1/logs", "https://collector.example:8443/", "http://collector.example/"]
)
def test_a_secret_stays_with_the_host_for_which_it_was_given(endpoint: str) -> None:
    sink = a_sink(endpoint="https://collector.example/v1/logs", secret="Bearer canary")
    with pytest.raises(Invalid, match="takes the secret anew") as refusal:
        services.change_sink(sink_id=sink.public_id, endpoint=endpoint, actor=ADA)
    assert refusal.value.field == "secret"
    assert Sink.objects.get().endpoint == sink.endpoint
    services.change_sink(sink_id=sink.public_id, endpoint="https://Collector.example:443/other", actor=ADA)
    assert sink_secret(Sink.objects.get()) == "Bearer canary"
    services.change_sink(sink_id=sink.public_id, endpoint=endpoint, secret="", actor=ADA)
    assert sink_secret(Sink.objects.get()) == ""
    services.change_sink(sink_id=sink.public_id, endpoint="https://third.example/", actor=ADA)


@pytest.mark.parametrize("missing", sorted(SENDS))
def test_who_sends_the_log_somewhere_may_read_and_export_all_of_it(missing: Permission) -> None:
    sink = a_sink()
    some = replace(ADA, permissions=SENDS - {missing}, own_team_permissions=SENDS, team_ids=frozenset({1}))
    changes: tuple[dict[str, Any], ...] = ({"enabled": True}, {"secret": "x"}, {"endpoint": sink.endpoint})
    for change in changes:
        with pytest.raises(PermissionDenied, match=str(missing)):
            services.change_sink(sink_id=sink.public_id, actor=some, **change)
    with pytest.raises(PermissionDenied, match=str(missing)):
        a_sink(name="mine", actor=some)
    if missing is not Permission.SINK_MANAGE:
        assert services.change_sink(sink_id=sink.public_id, enabled=False, actor=some).state == "disabled"


@pytest.mark.parametrize("place", [3, 10**18])
def test_a_gap_in_the_log_stops_the_sink_there_and_says_so(collector: HttpReceiver, place: int) -> None:
    a_log(2)
    waits = services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=SYSTEM, subject="team:far")
    Leaf.objects.create(shard=waits.shard, index=place, record_id=waits.id, hash=bytes(32))
    sink = a_sink(endpoint=collector.url)
    again(sink)
    assert Sink.objects.get().state == "stopped"
    stopped = Record.objects.get(event="sink.stopped")
    assert stopped.reason == f"the log goes on with record {place} where record 2 belongs"
    # What is before it went out, and nothing behind it.
    assert collector.indexes() == [0, 1]
    assert cursor_of(sink).index == 1


def test_only_who_manages_sinks_may(ada: Actor) -> None:
    sink = a_sink()
    for attempt in (
        lambda: a_sink(name="mine", actor=ada),
        lambda: services.change_sink(sink_id=sink.public_id, enabled=False, actor=ada),
        lambda: services.remove_sink(sink_id=sink.public_id, actor=ada),
    ):
        with pytest.raises(PermissionDenied):
            attempt()
    assert Record.objects.filter(event="action.denied").count() == 3
    assert list(Sink.objects.visible_to(ada)) == []
