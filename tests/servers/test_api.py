"""Servers in the REST API."""

from dataclasses import asdict
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from access.models import Person
from core.actor import Actor, ActorKind
from core.permissions import Permission
from servers.days import note_calls, note_look
from servers.limits import DEFAULTS, LIMITS
from servers.models import Server
from tests.factories import AgentFactory

pytestmark = pytest.mark.django_db

BODY = {
    "slug": "files",
    "name": "Files",
    "url": "http://127.0.0.1:9999/mcp",
    "transport": "streamable_http",
    "environment": "development",
    "required_approvals": 1,
}


class _User:
    """What authentication leaves on the request."""

    is_authenticated = True

    def __init__(self, actor: Actor):
        self.actor = actor


def _client(*permissions: str) -> APIClient:
    person, _ = Person.objects.get_or_create(username="olga")
    client = APIClient()
    actor = Actor(ActorKind.PERSON, str(person.public_id), "olga", frozenset(permissions))
    client.force_authenticate(user=_User(actor))  # type: ignore[arg-type]  # not a Django user on purpose
    return client


@pytest.fixture
def client() -> APIClient:
    return _client(*Permission)


@pytest.fixture
def server(client: APIClient) -> Server:
    assert client.post("/api/v1/servers/", BODY, format="json").status_code == 201
    return Server.objects.get()


def test_registering_answers_the_server_with_its_gateway_endpoint(client: APIClient) -> None:
    response = client.post("/api/v1/servers/", BODY, format="json")
    assert response.status_code == 201
    shown = response.json()
    assert {**BODY, "state": "registered"}.items() <= shown.items()
    assert shown["gateway_url"].endswith("/mcp/files")
    assert shown["id"] != str(Server.objects.get().pk)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"slug": "No Good"}, "slug"),
        ({"slug": None}, "slug"),
        ({"slug": {"a": 1}}, "slug"),
        ({"slug": "a\u0000"}, "slug"),
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"url": ""}, "url"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"transport": "stdio"}, "transport"),
        ({"transport": "sse"}, "transport"),
        ({"environment": "moon"}, "environment"),
        ({"required_approvals": 0}, "required_approvals"),
        ({"required_approvals": "many"}, "required_approvals"),
        ({"poll_interval": 10**30}, "poll_interval"),
        ({"team": "nobody"}, "team"),
        ({"total_seconds": 0}, "total_seconds"),
        ({"total_seconds": 30}, "idle_seconds"),
        ({"answer_bytes": "all of it"}, "answer_bytes"),
        ({"concurrent_calls": None}, "concurrent_calls"),
        ({"concurrent_streams": 10**30}, "concurrent_streams"),
        ({"tags": "payments"}, "tags"),
        ({"tags": ["two words"]}, "tags"),
        ({"tags": ["<script>"]}, "tags"),
        ({"tags": [f"t{number}" for number in range(21)]}, "tags"),
    ],
)
def test_input_that_does_not_fit_is_a_400_naming_the_field(
    client: APIClient, change: dict[str, Any], field: str
) -> None:
    response = client.post("/api/v1/servers/", BODY | change, format="json")
    assert response.status_code == 400
    assert field in [item["field"] for item in response.json()["error"]["details"]]
    assert not Server.objects.exists()


def test_a_taken_slug_is_a_409(client: APIClient, server: Server) -> None:
    assert client.post("/api/v1/servers/", BODY, format="json").status_code == 409


def test_lists_have_the_envelope_and_filters(client: APIClient, server: Server) -> None:
    listed = client.get("/api/v1/servers/", {"state": "registered", "environment": "development"}).json()
    assert [item["slug"] for item in listed["results"]] == ["files"]
    assert listed["next"] is None
    assert client.get("/api/v1/servers/", {"state": "retired"}).json()["results"] == []
    assert client.get("/api/v1/servers/", {"state": "nonsense"}).status_code == 400


def test_lists_page_without_losing_or_repeating(client: APIClient) -> None:
    for number in range(5):
        client.post("/api/v1/servers/", BODY | {"slug": f"s{number}"}, format="json")
    seen, url = [], "/api/v1/servers/?limit=2"
    while url:
        page = client.get(url).json()
        seen += [item["slug"] for item in page["results"]]
        url = page["next"]
    assert sorted(seen) == [f"s{number}" for number in range(5)]


def test_a_server_can_be_edited_suspended_and_resumed(client: APIClient, server: Server) -> None:
    assert (
        client.patch("/api/v1/servers/files/", {"name": "F", "poll_interval": 60}, format="json").json()["name"] == "F"
    )
    assert client.post("/api/v1/servers/files/suspend/", {"reason": "x"}, format="json").json()["state"] == "suspended"
    assert client.post("/api/v1/servers/files/resume/", {"reason": "x"}, format="json").json()["state"] == "registered"


def test_what_agents_get_while_a_change_waits_can_be_chosen(client: APIClient) -> None:
    sent = {"slug": "notes", "name": "N", "url": "http://127.0.0.1:9/mcp", "environment": "development"}
    made = client.post("/api/v1/servers/", sent, format="json").json()
    assert (made["drift_mode"], made["last_complete_at"]) == ("block", None)
    edited = client.patch("/api/v1/servers/notes/", {"drift_mode": "serve_pinned"}, format="json")
    assert edited.json()["drift_mode"] == "serve_pinned"
    refused = client.patch("/api/v1/servers/notes/", {"drift_mode": "serve_anything"}, format="json")
    assert refused.status_code == 400
    assert refused.json()["error"]["details"][0]["field"] == "drift_mode"
    other = client.post("/api/v1/servers/", sent | {"slug": "more", "drift_mode": "serve_pinned"}, format="json")
    assert other.json()["drift_mode"] == "serve_pinned"


def test_which_calls_must_say_why_can_be_chosen(client: APIClient) -> None:
    assert client.post("/api/v1/servers/", BODY, format="json").json()["intention"] == "none"
    edited = client.patch("/api/v1/servers/files/", {"intention": "sensitive"}, format="json")
    assert edited.json()["intention"] == "sensitive"
    refused = client.patch("/api/v1/servers/files/", {"intention": "sometimes"}, format="json")
    assert (refused.status_code, refused.json()["error"]["details"][0]["field"]) == (400, "intention")
    other = client.post("/api/v1/servers/", BODY | {"slug": "more", "intention": "all"}, format="json")
    assert other.json()["intention"] == "all"


def test_what_becomes_of_answers_can_be_chosen(client: APIClient) -> None:
    assert client.post("/api/v1/servers/", BODY, format="json").json()["answers"] == "record"
    edited = client.patch("/api/v1/servers/files/", {"answers": "mark"}, format="json")
    assert edited.json()["answers"] == "mark"
    refused = client.patch("/api/v1/servers/files/", {"answers": "believe"}, format="json")
    assert (refused.status_code, refused.json()["error"]["details"][0]["field"]) == (400, "answers")
    other = client.post("/api/v1/servers/", BODY | {"slug": "more", "answers": "off"}, format="json")
    assert other.json()["answers"] == "off"


def test_tags_are_set_changed_and_searched_for(client: APIClient) -> None:
    made = client.post("/api/v1/servers/", BODY | {"tags": ["PCI", "payments"]}, format="json").json()
    assert made["tags"] == ["payments", "pci"]
    assert client.post("/api/v1/servers/", BODY | {"slug": "more"}, format="json").json()["tags"] == []
    for tag, found in (("pci", ["files"]), ("PCI", ["files"]), ("pc", []), ("<b>", []), ("", ["files", "more"])):
        listed = client.get("/api/v1/servers/", {"tag": tag}).json()["results"]
        assert sorted(item["slug"] for item in listed) == found
    edited = client.patch("/api/v1/servers/files/", {"tags": ["vendor:acme"]}, format="json")
    assert edited.json()["tags"] == ["vendor:acme"]
    refused = client.patch("/api/v1/servers/files/", {"tags": ["fine", "two words"]}, format="json")
    assert (refused.status_code, refused.json()["error"]["details"][0]["field"]) == (400, "tags")
    assert Server.objects.get(slug="files").tags == ["vendor:acme"]
    assert client.patch("/api/v1/servers/files/", {"tags": []}, format="json").json()["tags"] == []


def test_what_is_kept_of_calls_can_be_chosen(client: APIClient) -> None:
    assert client.post("/api/v1/servers/", BODY, format="json").json()["capture"] == {}
    rule = {"part": "result", "pointer": "/content/*/text", "do": "hmac"}
    edited = client.patch("/api/v1/servers/files/", {"capture": {"result": True, "rules": [rule]}}, format="json")
    assert (edited.status_code, edited.json()["capture"]["rules"]) == (200, [rule | {"tool": "*"}])
    refused = client.patch("/api/v1/servers/files/", {"capture": {"result": True, "rules": [1]}}, format="json")
    assert (refused.status_code, refused.json()["error"]["details"][0]["field"]) == (400, "capture")
    nothing = client.patch("/api/v1/servers/files/", {"capture": {"result": False}}, format="json")
    assert nothing.json()["capture"] == {}


def test_limits_are_set_and_changed_one_by_one(client: APIClient) -> None:
    made = client.post("/api/v1/servers/", BODY | {"concurrent_calls": 8}, format="json").json()
    wanted = asdict(DEFAULTS) | {"concurrent_calls": 8}
    assert {name: made[name] for name in LIMITS} == wanted
    edited = client.patch("/api/v1/servers/files/", {"total_seconds": 90}, format="json").json()
    assert {name: edited[name] for name in LIMITS} == wanted | {"total_seconds": 90}
    assert client.get("/api/v1/servers/files/").json()["total_seconds"] == 90


def test_of_an_edit_with_a_limit_that_does_not_fit_nothing_is_kept(client: APIClient, server: Server) -> None:
    changes = {"name": "F", "concurrent_calls": 8, "total_seconds": 20}
    refused = client.patch("/api/v1/servers/files/", changes, format="json")
    assert refused.status_code == 400
    assert refused.json()["error"]["details"] == [
        {"field": name, "message": "At most the 20 seconds that a whole call may take."}
        for name in ("first_byte_seconds", "idle_seconds")
    ]
    kept = Server.objects.get()
    assert (kept.name, kept.limits) == ("Files", DEFAULTS)


@pytest.mark.parametrize("path", ["suspend/", "resume/"])
def test_stopping_and_starting_need_a_reason(client: APIClient, server: Server, path: str) -> None:
    assert client.post(f"/api/v1/servers/files/{path}", {}, format="json").status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("get", "", 200),
        ("get", "files/", 200),
        ("post", "", 403),
        ("patch", "files/", 403),
        ("post", "files/suspend/", 403),
        ("post", "files/resume/", 403),
        ("delete", "files/", 405),
        ("put", "files/", 405),
    ],
)
def test_a_reader_reads_and_nothing_more(server: Server, method: str, path: str, expected: int) -> None:
    reader = _client(Permission.SERVER_READ)
    body = BODY | {"slug": "other", "reason": "x"} if method == "post" else {"name": "x"}
    response = getattr(reader, method)(f"/api/v1/servers/{path}", {} if method == "get" else body, format="json")
    assert response.status_code == expected


def test_who_may_not_read_servers_is_refused(server: Server) -> None:
    assert _client(Permission.AUDIT_READ).get("/api/v1/servers/").status_code == 403


def test_nobody_without_a_token_gets_anything() -> None:
    assert APIClient().get("/api/v1/servers/").status_code == 401


@pytest.mark.parametrize("slug", ["missing", "no%20such", "%00", "x" * 300])
def test_a_missing_server_is_a_404(client: APIClient, slug: str) -> None:
    response = client.get(f"/api/v1/servers/{slug}/")
    assert response.status_code == 404


def test_a_server_names_the_others_at_its_endpoint(server: Server, client: APIClient) -> None:
    assert client.get("/api/v1/servers/files/").json()["same_endpoint_as"] == []
    body = {**BODY, "slug": "again", "url": "http://127.0.0.1:9999/x/../mcp/"}
    files = [{"slug": "files", "state": "registered"}]
    assert client.post("/api/v1/servers/", body, format="json").json()["same_endpoint_as"] == files
    assert client.get("/api/v1/servers/again/").json()["same_endpoint_as"] == files
    Server.objects.filter(pk=server.pk).update(state="retired")
    listed = {row["slug"]: row["same_endpoint_as"] for row in client.get("/api/v1/servers/").json()["results"]}
    assert listed["again"] == [{"slug": "files", "state": "retired"}]
    changed = client.patch("/api/v1/servers/again/", {"url": "http://127.0.0.1:9999/other"}, format="json")
    assert changed.json()["same_endpoint_as"] == []


def test_the_same_endpoints_of_a_list_cost_no_query_of_their_own(client: APIClient) -> None:
    counts = []
    for number in range(6):
        client.post("/api/v1/servers/", {**BODY, "slug": f"files{number}"}, format="json")
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/api/v1/servers/").status_code == 200
        counts.append(len(queries))
    assert len(set(counts)) == 1


def test_an_agent_is_named_to_ask_what_tokens_are_worth(client: APIClient) -> None:
    client.post("/api/v1/servers/", BODY, format="json")
    AgentFactory.create(client_id="files-server")
    path = "/api/v1/servers/files/introspector/"
    named = client.post(path, {"agent": "files-server", "reason": "It asks."}, format="json")
    assert named.json() == {"agent": "files-server"}
    assert client.post(path, {"agent": "absent", "reason": "x"}, format="json").status_code == 404
    assert (
        client.post("/api/v1/servers/absent/introspector/", {"agent": "", "reason": "x"}, format="json").status_code
        == 404
    )
    assert client.post(path, {"agent": "", "reason": "Nobody asks."}, format="json").json() == {"agent": None}
    reader = _client(Permission.SERVER_READ)
    assert reader.post(path, {"agent": "", "reason": "x"}, format="json").status_code == 403


def test_how_a_server_answered_is_told_by_day_and_its_calls_to_who_may_read_the_log() -> None:
    olga = _client(Permission.SERVER_REGISTER, Permission.SERVER_READ)
    assert olga.post("/api/v1/servers/", BODY, format="json").status_code == 201
    note_look(Server.objects.get(), time=timezone.now(), latency_ms=9)
    note_calls([("files", timezone.now(), 4)])
    found = olga.get("/api/v1/servers/files/health/").json()
    today = timezone.now().date().isoformat()
    assert found["looks"][-1] == {"day": today, "looks": 1, "complete": 1, "p50_ms": 9, "p95_ms": 9}
    assert (len(found["looks"]), found["calls"]) == (90, None)
    found = _client(Permission.SERVER_READ, Permission.AUDIT_READ).get("/api/v1/servers/files/health/").json()
    assert found["calls"][-1] == {"day": today, "calls": 1, "p50_ms": 4, "p95_ms": 4}
    assert found["calls"][0]["p50_ms"] is None
