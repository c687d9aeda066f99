"""Definitions, reviews and polling over the API."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from access.models import Person, Team
from audit.models import Record
from core.actor import Actor, ActorKind
from core.permissions import Permission
from servers.models import Server
from tests.fixtures_mcp.processes import HonestServer, honest_server
from tests.tools.making import approve, make_server, poll, reject, served, tool, waiting
from tools.models import Definition, Review

pytestmark = pytest.mark.django_db
NOWHERE = "sha256:" + "0" * 64


class _User:
    """What authentication leaves on the request."""

    is_authenticated = True

    def __init__(self, actor: Actor):
        self.actor = actor


def client_of(actor: Actor) -> APIClient:
    client = APIClient()
    client.force_authenticate(user=_User(actor))  # type: ignore[arg-type]  # not a Django user on purpose
    return client


def client_with(*permissions: str) -> APIClient:
    person, _ = Person.objects.get_or_create(username="olga")
    return client_of(Actor(ActorKind.PERSON, str(person.public_id), "olga", frozenset(permissions)))


@pytest.fixture
def client(db: None) -> APIClient:
    return client_with(*Permission)


@pytest.fixture
def review(server: Server) -> Review:
    poll(server, tool(description="Read. <IMPORTANT>"))
    return waiting()


def url(review: Review, action: str = "") -> str:
    return f"/api/v1/reviews/{review.public_id}/{action}"


def decision(review: Review, **values: Any) -> dict[str, Any]:
    return {"digest": review.version.digest, "reason": "Read the code.", **values}


def test_the_list_of_reviews_says_what_waits(client: APIClient, review: Review) -> None:
    (item,) = client.get("/api/v1/reviews/?server=files&state=waiting").json()["results"]
    assert item == {
        "id": str(review.public_id),
        "server": "files",
        "kind": "tool",
        "name": "read",
        "digest": review.version.digest,
        "vantage": "poller",
        "change": ["new"],
        "findings": [
            {
                "rule": "HF-010",
                "severity": "medium",
                "confidence": "medium",
                "field": "/description",
                "start": 6,
                "end": 17,
                "evidence": "Read. <IMPORTANT>",
                "suppressed_until": None,
                "since_approval": None,
            }
        ],
        "risk_level": "medium",
        "risk": "high",
        "state": "waiting",
        "definition": str(review.definition.public_id),
        "approvals": 0,
        "required_approvals": 1,
        "times": 1,
        "reopens": None,
        "opened_at": item["opened_at"],
        "closed_at": None,
        "rejected_before": False,
        "assignee": None,
        "snoozed": False,
        "snoozed_until": None,
        "due_at": item["due_at"],
        "overdue": False,
        "identical": 1,
    }


@pytest.mark.parametrize("query", ["server=other", "state=approved", "kind=prompt"])
def test_reviews_are_filtered(client: APIClient, review: Review, query: str) -> None:
    assert client.get(f"/api/v1/reviews/?{query}").json() == {"results": [], "next": None}


@pytest.mark.parametrize("path", ["reviews/?state=open", "reviews/?kind=x", "definitions/?state=x"])
def test_a_filter_value_that_does_not_exist_is_named(client: APIClient, path: str) -> None:
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == 400
    assert response.json()["error"]["details"][0]["field"] in ("state", "kind")


def test_a_review_shows_both_texts_and_what_differs(client: APIClient, server: Server, review: Review) -> None:
    assert client.post(url(review, "approve/"), decision(review), format="json").status_code == 200
    schema = {"type": "object", "properties": {"n": {"maximum": 2**64 - 1, "const": "\0"}}}
    poll(server, tool(description="Read, then send.", inputSchema=schema))
    shown = client.get(url(waiting())).json()
    assert shown["before"]["description"] == "Read. <IMPORTANT>"
    assert shown["after"]["inputSchema"] == schema
    assert shown["change"] == ["input_schema_widened", "wording"]
    changed = {field["path"]: field for field in shown["fields_changed"]}
    assert set(changed) == {"/description", "/inputSchema/properties/n"}
    assert changed["/description"]["segments"][0] == {"op": "same", "text": "Read"}
    assert changed["/inputSchema/properties/n"]["before"] is None


def test_approving_answers_the_decided_review(client: APIClient, server: Server, review: Review) -> None:
    response = client.post(url(review, "approve/"), decision(review), format="json")
    assert response.status_code == 200
    shown = response.json()
    assert (shown["state"], shown["approvals"]) == ("approved", 1)
    assert shown["decisions"][0].items() >= {"person": "olga", "verdict": "approve"}.items()
    assert list(served(server)) == ["read"]


def test_rejecting_answers_the_decided_review(client: APIClient, review: Review) -> None:
    response = client.post(url(review, "reject/"), decision(review), format="json")
    assert (response.status_code, response.json()["state"]) == (200, "rejected")


@pytest.mark.parametrize("action", ["approve/", "reject/"])
def test_another_digest_than_the_one_waiting_is_a_conflict(client: APIClient, review: Review, action: str) -> None:
    response = client.post(url(review, action), decision(review, digest=NOWHERE), format="json")
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "conflict"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"digest": None}, "digest"),
        ({"digest": 5 * "x" * 80}, "digest"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 2001}, "reason"),
        ({"reason": ["a"]}, "reason"),
        ({"approve_until": "tomorrow"}, "approve_until"),
        ({"approve_until": "2001-01-01T00:00:00Z"}, "approve_until"),
    ],
)
def test_malformed_decisions_name_the_field(
    client: APIClient, review: Review, change: dict[str, Any], field: str
) -> None:
    response = client.post(url(review, "approve/"), decision(review, **change), format="json")
    assert response.status_code == 400
    assert response.json()["error"]["details"][0]["field"] == field


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b'{"digest": "a", "digest": "b"}', b'"x"', b"\xff", b'{"reason": "\\u0000"}']
)
def test_bodies_that_are_no_object_are_refused(client: APIClient, review: Review, raw: bytes) -> None:
    response = client.generic("POST", url(review, "approve/"), raw, content_type="application/json")  # type: ignore[arg-type]  # bytes are fine
    assert response.status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "01932c00-0000-7000-8000-000000000000/",
        "not-a-uuid/",
        "-" * 36 + "/",
        "01932c00-0000-7000-8000-000000000000/approve/",
        "x/reject/",
    ],
)
def test_reviews_that_do_not_exist_are_not_found(client: APIClient, path: str) -> None:
    body = {"digest": NOWHERE, "reason": "x"}
    full = f"/api/v1/reviews/{path}"
    response = client.post(full, body, format="json") if "approve" in path or "reject" in path else client.get(full)
    assert response.status_code == 404


@pytest.mark.parametrize(("path", "method"), [("approve/", "get"), ("", "delete"), ("", "put"), ("reject/", "patch")])
def test_wrong_methods_are_refused(client: APIClient, review: Review, path: str, method: str) -> None:
    assert getattr(client, method)(url(review, path)).status_code == 405


def test_without_identity_nothing_is_answered(review: Review) -> None:
    for path in ("reviews/", "definitions/", f"reviews/{review.public_id}/"):
        assert APIClient().get(f"/api/v1/{path}").status_code == 401
    assert APIClient().post(url(review, "approve/"), decision(review), format="json").status_code == 401


def test_permissions_are_asked_for(review: Review) -> None:
    reader = client_with(Permission.REVIEW_READ)
    assert reader.get("/api/v1/reviews/").status_code == 200
    assert reader.post(url(review, "approve/"), decision(review), format="json").status_code == 403
    assert reader.get("/api/v1/definitions/").status_code == 403
    assert client_with(Permission.TOOL_READ).get("/api/v1/reviews/").status_code == 403


def test_who_reads_for_their_team_sees_their_teams_servers_only(review: Review) -> None:
    team = Team.objects.create(slug="blue", name="Blue")
    person = Person.objects.create(username="nina")
    own = frozenset({Permission.REVIEW_READ, Permission.TOOL_READ})
    nina = client_of(Actor(ActorKind.PERSON, str(person.public_id), "nina", frozenset(), own, frozenset({team.pk})))
    assert nina.get("/api/v1/reviews/").json()["results"] == []
    assert nina.get(url(review)).status_code == 404
    Server.objects.update(owner_team=team)
    assert len(nina.get("/api/v1/reviews/").json()["results"]) == 1
    assert len(nina.get("/api/v1/definitions/").json()["results"]) == 1


def test_a_bulk_decision_answers_one_result_per_item(client: APIClient, server: Server) -> None:
    poll(server, tool("a"), tool("b"))
    first, second = Review.objects.waiting().select_related("version").order_by("definition__name")
    items = [
        {"id": str(first.public_id), "digest": first.version.digest},
        {"id": str(second.public_id), "digest": NOWHERE},
    ]
    body = {"decision": "approve", "reason": "Read both.", "reviews": items}
    response = client.post("/api/v1/reviews/decide/", body, format="json")
    assert response.status_code == 200
    good, bad = response.json()["results"]
    assert good == {"id": str(first.public_id), "result": "approved"}
    assert (bad["id"], bad["error"]["code"]) == (str(second.public_id), "conflict")


def test_a_bulk_decision_is_refused_as_a_whole_to_who_may_decide_nothing(server: Server) -> None:
    body = {"decision": "approve", "reason": "x", "reviews": [{"id": str(uuid4()), "digest": NOWHERE}]}
    reader = client_with(Permission.REVIEW_READ)
    assert reader.post("/api/v1/reviews/decide/", body, format="json").status_code == 403
    assert Record.objects.filter(event="action.denied").count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"decision": "maybe"},
        {"reason": " "},
        {"reviews": []},
        {"reviews": [{"id": "x", "digest": "y"}]},
        {"reviews": "x"},
    ],
)
def test_malformed_bulk_decisions_are_refused(client: APIClient, change: dict[str, Any]) -> None:
    body = {"decision": "approve", "reason": "x", "reviews": [{"id": str(uuid4()), "digest": NOWHERE}], **change}
    assert client.post("/api/v1/reviews/decide/", body, format="json").status_code == 400


def test_definitions_say_whether_agents_may_see_them(client: APIClient, server: Server, reviewer: Actor) -> None:
    poll(server, tool("a"), tool("b"), tool("c"))
    review = approve(waiting("a"), reviewer)
    poll(server, tool("a"), tool("b"))
    for state, names in (("approved", ["a"]), ("held", ["b"]), ("gone", ["c"])):
        results = client.get(f"/api/v1/definitions/?server=files&kind=tool&state={state}").json()["results"]
        assert [(item["name"], item["state"]) for item in results] == [(name, state) for name in names]
    shown = client.get(f"/api/v1/definitions/{review.definition.public_id}/").json()
    assert shown["approved_digest"] == shown["digest"] == review.version.digest
    assert shown["approved_body"] == shown["body"]
    assert client.get(f"/api/v1/definitions/{uuid4()}/").status_code == 404


def test_a_definition_is_marked_sensitive(client: APIClient, review: Review) -> None:
    path = f"/api/v1/definitions/{review.definition.public_id}/sensitive/"
    assert client.post(path, {"sensitive": True}, format="json").status_code == 400
    response = client.post(path, {"sensitive": True, "reason": "Money."}, format="json")
    assert response.json()["sensitive"] is True
    assert response.json()["needs"] == f"mcp:{review.definition.server.slug}:tool:{review.definition.name}"
    assert Definition.objects.get().sensitive


@pytest.mark.parametrize("path", ["reviews/", "definitions/"])
def test_lists_cost_the_same_number_of_queries_however_long(client: APIClient, server: Server, path: str) -> None:
    def queries(count: int) -> int:
        poll(server, *(tool(f"t{number}", "\u200b") for number in range(count)))
        with CaptureQueriesContext(connection) as captured:
            assert (
                len(client.get(f"/api/v1/{path}?state={'waiting' if 'reviews' in path else 'held'}").json()["results"])
                == count
            )
        return len(captured)

    assert queries(3) == queries(40) <= 5


@pytest.fixture(scope="module")
def upstream() -> Iterator[HonestServer]:
    with honest_server() as running:
        yield running


@pytest.mark.network
def test_polling_and_waiting_answers_what_came_of_it(client: APIClient, upstream: HonestServer) -> None:
    make_server("real", url=upstream.url)
    shown = client.post("/api/v1/servers/real/poll/?wait=true").json()
    assert shown.items() >= {"complete": True, "error": None}.items()
    assert shown["definitions"] == shown["reviews_opened"] > 1


@pytest.mark.network
def test_polling_a_server_that_does_not_answer_says_why(client: APIClient) -> None:
    make_server("dead", url="http://127.0.0.1:1/mcp")
    shown = client.post("/api/v1/servers/dead/poll/?wait=true").json()
    assert shown.items() >= {"complete": False, "definitions": 0, "reviews_opened": 0}.items()
    assert shown["error"]
    assert shown["error_class"] == "refused"


def test_polling_without_waiting_is_queued(client: APIClient, server: Server) -> None:
    response = client.post("/api/v1/servers/files/poll/")
    assert (response.status_code, response.json()) == (202, {"queued": True})
    server.refresh_from_db()
    assert (server.lease_token, server.next_poll_at <= timezone.now()) == (None, True)


@pytest.mark.parametrize(
    ("path", "status"), [("none/poll/?wait=true", 404), ("files/poll/?wait=perhaps", 400), ("No_Slug/poll/", 404)]
)
def test_polls_that_cannot_be(client: APIClient, server: Server, path: str, status: int) -> None:
    assert client.post(f"/api/v1/servers/{path}").status_code == status


def test_polling_needs_its_permission(server: Server) -> None:
    reader = client_with(Permission.SERVER_READ)
    assert reader.post("/api/v1/servers/files/poll/?wait=true").status_code == 403


def test_retiring_ends_the_pins(client: APIClient, server: Server, review: Review, reviewer: Actor) -> None:
    approve(review, reviewer)
    assert client.post("/api/v1/servers/files/retire/", {"reason": ""}, format="json").status_code == 400
    response = client.post("/api/v1/servers/files/retire/", {"reason": "Replaced."}, format="json")
    assert (response.status_code, response.json()["state"]) == (200, "retired")
    assert served(server) == {}


def test_a_review_names_relatives_and_precedents(server: Server, reviewer: Actor, client: APIClient) -> None:
    words = "Read the contents of a file from the workspace and return it as text."
    other = make_server("other")
    poll(other, tool("evil", words), tool("read", words))
    reject(waiting("evil"), reviewer, reason="It is evil.")
    reject(waiting("read"), reviewer, reason="So is this.")
    poll(server, tool("read", words))
    body = client.get(url(waiting())).json()
    first, second = body["resemblances"]
    assert (first["relation"], first["server"], first["name"], first["state"]) == ("clone", "other", "read", "rejected")
    assert (first["likeness"], first["reason"], first["server_state"]) == (100, "So is this.", "active")
    assert second["name"] == "evil"
    assert second["wording_likeness"] == second["schema_likeness"] == 100 > second["name_likeness"]
    (precedent,) = body["precedents"]
    assert (precedent["ground"], precedent["state"], precedent["server"]) == ("same_version", "rejected", "other")
    assert precedent["decisions"][0]["reason"] == "So is this."
    assert precedent["digest"] == body["digest"]
