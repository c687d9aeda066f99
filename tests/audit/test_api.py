"""The audit log over the API: items, filters, pages, refusals."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIRequestFactory, force_authenticate

from audit import services, subjects
from audit.api.views import RecordViewSet
from audit.events import Event, RecordType
from audit.models import Record
from core.actor import Actor

pytestmark = pytest.mark.django_db
URL = "/api/v1/audit/records/"


def ask(actor: Actor | None, query: str = "", record_id: str | None = None, method: str = "get") -> Any:
    request = getattr(APIRequestFactory(), method)(f"{URL}{query}")
    if actor is not None:
        force_authenticate(request, user=SimpleNamespace(actor=actor, is_authenticated=True))  # type: ignore[arg-type]
    view: Any = RecordViewSet.as_view({"get": "list" if record_id is None else "retrieve"})
    return view(request) if record_id is None else view(request, id=record_id)


def a_record(**fields: Any) -> Record:
    return services.record(**{"type": RecordType.CONFIG, "event": Event.TOOL_DRIFTED, **fields})


@pytest.fixture
def drifted(ada: Actor) -> Record:
    return a_record(
        actor=ada,
        subject="tool:files/read",
        server="files",
        tool="read",
        kind="tool",
        digest="sha256:ab",
        reason="the description changed",
        owner_team="red",
        environment="production",
        call_id=uuid4(),
        after={"digest": "sha256:cd"},
        decision="denied",
    )


def test_an_item_carries_what_outside_tools_rely_on(ada: Actor, drifted: Record) -> None:
    services.place_records()
    answer = ask(ada)
    assert answer.status_code == 200
    (item,) = answer.data["results"]
    assert answer.data["next"] is None
    expected = {
        "id": str(drifted.id),
        "index": 0,
        "type": "config",
        "event": "tool.drifted",
        "call_id": str(drifted.call_id),
        "principal": "ada",
        "actor": "ada",
        "agent": "",
        "server": "files",
        "tool": "files/read",
        "tool_hash": "sha256:ab",
        "decision": "denied",
        "reason": "the description changed",
        "subject": "tool:files/read",
        "environment": "production",
        "owner_team": "red",
        "before": None,
        "after": {"digest": "sha256:cd"},
        "status": "",
        "latency_ms": None,
    }
    assert {name: item[name] for name in expected} == expected
    assert item["principal_id"] == drifted.principal
    assert item["time"].endswith("Z")


def test_a_person_whom_a_record_is_about_is_shown_by_name(ada: Actor) -> None:
    pseudonym = subjects.principal_of(ada)
    a_record(actor=ada, subject=f"person:{pseudonym}")
    a_record(actor=ada, subject=f"team:{pseudonym}")
    shown = [item["subject"] for item in ask(ada).data["results"]]
    assert shown == [f"team:{pseudonym}", "person:ada"]


def test_one_record_is_shown_like_in_the_list(ada: Actor, drifted: Record) -> None:
    assert ask(ada, record_id=str(drifted.id)).data == ask(ada).data["results"][0]


@pytest.mark.parametrize("record_id", ["x", "0", "01932c00-0000-7000-8000-000000000000"])
def test_a_missing_record_is_404(ada: Actor, record_id: str) -> None:
    assert ask(ada, record_id=record_id).status_code == 404


def test_who_may_not_read_the_log_is_refused(bob: Actor, drifted: Record) -> None:
    assert ask(bob).status_code == 403
    assert ask(bob, record_id=str(drifted.id)).status_code == 403


def test_who_is_nobody_is_refused(drifted: Record) -> None:
    assert ask(None).status_code in (401, 403)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_log_is_read_only(ada: Actor, method: str) -> None:
    assert ask(ada, method=method).status_code == 405


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?type=gossip", "type"),
        ("?event=gossip", "event"),
        ("?decision=perhaps", "decision"),
        ("?call_id=12", "call_id"),
        ("?since=yesterday", "since"),
        ("?until=9999999999999", "until"),
        ("?tool=a%00b", "tool"),
        ("?principal=" + "x" * 3000, "principal"),
        ("?colour=red", "colour"),
        ("?colour=", "colour"),
        ("?trace_id=12", "trace_id"),
        ("?intention=%21%21", "intention"),
        ("?reason=a%00b", "reason"),
        ("?since=2026-11-28&until=2026-11-27", "until"),
        ("?cursor=%00", "cursor"),
        ("?cursor=AAAA", "cursor"),
        ("?cursor=%FF%FE", "cursor"),
        ("?limit=0", "limit"),
        ("?limit=-1", "limit"),
        ("?limit=%D9%A1", "limit"),
        ("?limit=" + "9" * 5000, "limit"),
    ],
)
def test_a_bad_value_is_400_and_names_its_field(ada: Actor, query: str, field: str) -> None:
    answer = ask(ada, query)
    assert answer.status_code == 400
    assert [item["field"] for item in answer.data["error"]["details"]] == [field]


def test_filters_reach_the_log(ada: Actor, drifted: Record) -> None:
    a_record(actor=ada, server="db", tool="read")
    for query in (
        f"?call_id={drifted.call_id}",
        "?tool=files/read",
        "?server=files",
        "?decision=denied",
        "?server=files&type=config",
        "?reason=the%20description%20changed",
        "?reason=the%20description%20changed&since=2001-01-01&tool=files/read",
    ):
        assert [item["id"] for item in ask(ada, query).data["results"]] == [str(drifted.id)]
    assert len(ask(ada, "?tool=read&principal=ada&event=tool.drifted").data["results"]) == 2
    assert ask(ada, "?principal=nobody").data["results"] == []


def test_pages_follow_each_other_without_gap_or_repetition(ada: Actor) -> None:
    made = [str(a_record(actor=ada, subject=f"team:{n}").id) for n in range(7)]
    seen: list[str] = []
    query = "?limit=3&principal=ada"
    while query:
        page = ask(ada, query).data
        if not seen:
            a_record(actor=ada, subject="team:later")  # what comes in while somebody reads does not shift pages
        seen += [item["id"] for item in page["results"]]
        query = f"?{urlsplit(page['next']).query}" if page["next"] else ""
    assert seen == made[::-1]


def test_a_page_costs_the_same_however_long_it_is(ada: Actor) -> None:
    counts = []
    for _ in range(2):
        for number in range(5):
            a_record(actor=ada, subject=f"team:{number}")
        with CaptureQueriesContext(connection) as queries:
            ask(ada)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 3
