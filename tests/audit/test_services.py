"""What the control plane records."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings

from audit import services
from audit.events import Event, RecordType
from audit.models import Record
from audit.proof.chain import control_plane_mac, leaf
from core.actor import Actor, ActorKind, system_actor

AGENT = Actor(kind=ActorKind.AGENT, id="client-1", name="CI")


@pytest.mark.django_db
def test_columns_say_what_the_body_says(ada: Actor) -> None:
    batch, call = uuid4(), uuid4()
    made = services.record(
        type=RecordType.REVIEW,
        event=Event.REVIEW_DECIDED,
        actor=ada,
        subject="tool:files/read",
        server="files",
        tool="read",
        kind="tool",
        digest="sha256:ab",
        reason="looks fine",
        decision="allowed",
        owner_team="red",
        environment="production",
        before={"state": "waiting"},
        after={"state": "approved"},
        batch_id=batch,
        call_id=call,
        client_ip="192.0.2.1",
        status="ok",
    )
    row = Record.objects.get(id=made.id)
    body = json.loads(bytes(row.body))
    for name in (
        "type",
        "event",
        "subject",
        "server",
        "tool",
        "kind",
        "tool_hash",
        "reason",
        "decision",
        "owner_team",
        "environment",
        "before",
        "after",
        "principal",
        "actor",
        "client_ip",
        "status",
    ):
        assert body[name] == getattr(row, name), name
    assert (UUID(body["batch_id"]), UUID(body["call_id"])) == (row.batch_id, row.call_id) == (batch, call)
    assert (row.chain, row.writer, row.seq) == (None, None, None)
    mac = control_plane_mac(settings.AUDIT_KEYS[0], row.id, row.shard, leaf(bytes(row.body)))
    assert bytes(row.mac or b"") == mac


@pytest.mark.django_db
def test_an_agent_stands_with_its_client_id() -> None:
    made = services.record(type=RecordType.AUTH, event=Event.TOKEN_ISSUED, actor=AGENT)
    assert (made.principal, made.actor, made.agent) == ("agent:client-1", "agent:client-1", "client-1")


@pytest.mark.django_db
def test_for_whom_and_by_whom_are_told_apart(ada: Actor) -> None:
    made = services.record(type=RecordType.AUTH, event=Event.TOKEN_ISSUED, actor=AGENT, principal=ada)
    assert made.actor == "agent:client-1"
    assert made.principal not in (made.actor, ada.id)


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["\0", "\ud800", "x" * 100_000, "\u202egnp.exe", "a\nb\x1b[31m", "\U0001f4a9" * 3000])
def test_hostile_text_is_recorded(ada: Actor, text: str) -> None:
    services.record(
        type=RecordType.CONFIG,
        event=Event.TOOL_DRIFTED,
        actor=ada,
        subject=text,
        tool=text,
        reason=text,
        server=text,
        before={text: text},
        after={"list": [text]},
        kind=text,
        digest=text,
        agent=text,
    )
    assert Record.objects.count() == 1
    assert services.place_records() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("subject", "server"),
    [("server:files", "files"), ("tool:files/read", "files"), ("role:auditor", ""), ("", "")],
)
def test_a_denial_about_a_server_names_it(ada: Actor, subject: str, server: str) -> None:
    services.denied(actor=ada, permission="server:edit", subject=subject)
    row = Record.objects.get()
    assert (row.server, row.reason) == (server, "needs the permission server:edit")


@pytest.mark.django_db
def test_many_facts_cost_a_few_statements_and_keep_their_order(django_assert_max_num_queries: Any) -> None:
    poller = system_actor("poller")
    services.record(type=RecordType.CONFIG, event=Event.SERVER_EDITED, actor=poller)
    with django_assert_max_num_queries(3):
        written = services.record_many(
            [
                {"type": RecordType.CONFIG, "event": Event.TOOL_APPEARED, "actor": poller, "tool": str(n)}
                for n in range(99)
            ]
        )
    assert [record.tool for record in written] == [str(n) for n in range(99)]
    assert Record.objects.filter(event="tool.appeared").count() == 99
    assert services.record_many([]) == []
