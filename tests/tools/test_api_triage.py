"""The API of sharing the work on reviews: what the console can do, programs can."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from access.models import Person
from audit.models import Record, SavedSearch
from core.ids import new_id
from core.permissions import Permission
from servers.models import Server
from tests.access.doors import Api, problem
from tests.factories import person_with
from tests.tools.making import make_server, poll, tool, waiting

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(db: None) -> Person:
    return person_with(*Permission, username="ada")


@pytest.fixture
def api(ada: Person, server: Server) -> Api:
    poll(server, tool("read"), tool("write"))
    return Api(ada)


def path(name: str = "read", what: str = "") -> str:
    return f"reviews/{waiting(name).public_id}/{what}"


def found(api: Api, query: str) -> list[str]:
    return sorted(item["name"] for item in api.get(f"reviews/?state=waiting&{query}").json()["results"])


def test_a_review_is_given_to_somebody_and_found_by_that(api: Api) -> None:
    answer = api.send("POST", path(what="assign/"), {"assignee": "ada"}).json()
    assert answer["assignee"] == "ada"
    assert found(api, "assignee=me") == found(api, "assignee=ada") == ["read"]
    assert found(api, "assignee=nobody") == ["write"]
    assert api.send("POST", path(what="assign/"), {"assignee": ""}).json()["assignee"] is None


def test_who_may_not_decide_it_is_given_nothing(api: Api) -> None:
    Person.objects.create(username="bystander")
    answer = api.send("POST", path(what="assign/"), {"assignee": "bystander"})
    assert problem(answer) == (400, "invalid", ["assignee"])
    assert api.send("POST", path(what="assign/"), {"assignee": "no-such-person"}).status_code == 404


def test_a_review_is_put_off_and_waits_all_the_same(api: Api) -> None:
    until = (timezone.now() + timedelta(days=2)).isoformat()
    answer = api.send("POST", path(what="snooze/"), {"until": until}).json()
    assert (answer["state"], answer["snoozed"]) == ("waiting", True)
    assert answer["snoozed_until"] is not None
    assert (found(api, "snoozed=true"), found(api, "snoozed=false"), found(api, "")) == (
        ["read"], ["write"], ["read", "write"],
    )  # fmt: skip
    assert api.send("POST", path(what="wake/"), {}).json()["snoozed"] is False
    assert api.send("POST", path(what="wake/"), {}).status_code == 409
    assert api.send("POST", path(what="snooze/"), {"until": None}).json()["snoozed_until"] is None
    assert problem(api.send("POST", path(what="snooze/"), {"until": "2020-01-01T00:00:00Z"}))[2] == ["until"]


def test_comments_are_read_and_written(api: Api, ada: Person) -> None:
    made = api.send("POST", path(what="comments/"), {"text": "<b>Why?</b>"})
    assert (made.status_code, made.json()["text"], made.json()["person"]) == (201, "<b>Why?</b>", "ada")
    assert [each["text"] for each in api.get(path(what="comments/")).json()["results"]] == ["<b>Why?</b>"]
    reader = Api(person_with(Permission.REVIEW_READ))
    assert reader.get(path(what="comments/")).status_code == 200
    assert reader.send("POST", path(what="comments/"), {"text": "Me too."}).status_code == 403
    assert problem(api.send("POST", path(what="comments/"), {"text": ""}))[2] == ["text"]


def test_the_list_narrows_by_why_risk_findings_and_age(api: Api, server: Server, settings: Any) -> None:
    settings.REVIEW_DUE_HOURS = {"high": 1, "medium": 1, "low": 1}
    poll(server, tool("read"), tool("write"), tool("tagged", "Hello\U000e0041\U000e0042"))
    assert found(api, "why=hidden") == found(api, "finding=critical") == ["tagged"]
    assert "tagged" in found(api, f"risk={waiting('tagged').risk}")
    assert found(api, "overdue=true") == []
    assert found(api, "overdue=false") == ["read", "tagged", "write"]
    assert found(api, f"digest={waiting('read').version.digest}") == ["read"]
    for query in ("why=nonsense", "finding=nonsense", "risk=nonsense"):
        assert api.get(f"reviews/?{query}").status_code == 400, query


def test_the_list_tells_of_the_same_change_elsewhere_and_of_one_look(api: Api, server: Server) -> None:
    poll(server, tool("read"), tool("write"))
    poll(make_server("other"), tool("read"))
    rows = api.get("reviews/?server=files").json()["results"]
    assert {row["name"]: row["identical"] for row in rows} == {"read": 2, "write": 1}
    first = next(row["id"] for row in rows if row["name"] == "read")
    shown = api.get(f"reviews/?identical_to={first}").json()["results"]
    assert {row["server"] for row in shown} == {"files", "other"}
    assert found(api, f"look={first}") == ["read", "write"]
    assert found(api, f"look={new_id()}") == []
    assert api.get("reviews/?identical_to=nonsense").status_code == 400


def test_a_batch_has_an_id_and_is_taken_back(api: Api) -> None:
    reviews = [
        {"id": str(waiting(name).public_id), "digest": waiting(name).version.digest} for name in ("read", "write")
    ]
    decided = api.send(
        "POST", "reviews/decide/", {"decision": "approve", "reason": "Known.", "reviews": reviews}
    ).json()
    batches = set(Record.objects.filter(event="review.decided").values_list("batch_id", flat=True))
    assert {str(each) for each in batches} == {decided["batch_id"]}
    undone = api.send("POST", "reviews/undo/", {"reason": "Too fast.", "reviews": reviews}).json()
    assert [each["result"] for each in undone["results"]] == ["waiting", "waiting"]
    assert undone["batch_id"] != decided["batch_id"]
    again = api.send("POST", "reviews/undo/", {"reason": "Too fast.", "reviews": reviews}).json()
    assert {each["error"]["code"] for each in again["results"]} == {"conflict"}


def test_a_view_is_kept_listed_and_removed_by_its_person_alone(api: Api) -> None:
    made = api.send("POST", "reviews/views/", {"name": "Mine", "query": {"assignee": "me", "overdue": "on"}})
    assert (made.status_code, made.json()["inbox"]) == (201, "/?assignee=me&overdue=on")
    assert [each["name"] for each in api.get("reviews/views/").json()["results"]] == ["Mine"]
    other = Api(person_with(*Permission, username="bea"))
    assert other.get("reviews/views/").json()["results"] == []
    assert other.send("DELETE", f"reviews/views/{made.json()['id']}/", {}).status_code == 404
    assert api.send("DELETE", f"reviews/views/{made.json()['id']}/", {}).status_code == 204
    assert not SavedSearch.objects.exists()


def test_a_shared_view_is_listed_for_others_with_its_owner(api: Api) -> None:
    made = api.send("POST", "reviews/views/", {"name": "Ours", "query": {"risk": "high"}, "shared": True}).json()
    assert (made["owner"], made["shared"]) == ("ada", True)
    other = Api(person_with(Permission.REVIEW_READ, username="bea"))
    assert [(each["name"], each["owner"]) for each in other.get("reviews/views/").json()["results"]] == [
        ("Ours", "ada")
    ]
    assert other.send("DELETE", f"reviews/views/{made['id']}/", {}).status_code == 204
    nobody = Api(person_with(Permission.AUDIT_READ, username="eve"))
    assert nobody.get("reviews/views/").status_code == 403


@pytest.mark.parametrize(
    ("query", "field"),
    [({"colour": "red"}, "query.colour"), ({"risk": "awful"}, "query.risk"), ({}, "query")],
)
def test_a_view_holds_filters_that_the_inbox_has(api: Api, query: dict[str, str], field: str) -> None:
    answer = api.send("POST", "reviews/views/", {"name": "Mine", "query": query})
    assert problem(answer) == (400, "invalid", [field])


def test_a_review_says_about_how_many_tokens_a_model_gets(api: Api) -> None:
    item = api.get(path()).json()
    assert item["tokens"] > 0
    assert item["tokens_before"] is None
