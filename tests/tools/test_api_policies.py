"""Change policies over the API."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from access.models import Person
from core.permissions import Permission
from servers.models import Server
from tests.tools.making import actor_of, approve, entrust, poll, reject, tool, waiting
from tests.tools.test_api import client_of
from tools.models import ChangePolicy, Review

pytestmark = pytest.mark.django_db
URL = "/api/v1/policies/"
RULE = {"classes": ["wording"], "environments": ["development"], "text_max": 20}
WRITTEN = {**RULE, "name": "small words", "why": "Typing mistakes."}


def client_with(username: str, *permissions: str) -> APIClient:
    person, _ = Person.objects.get_or_create(username=username)
    return client_of(actor_of(person, *permissions))


@pytest.fixture
def client(db: None) -> APIClient:
    return client_with("olga")


@pytest.fixture
def second(db: None) -> APIClient:
    return client_with("otto")


@pytest.fixture
def policy(client: APIClient) -> str:
    made = client.post(URL, WRITTEN, format="json")
    assert made.status_code == 201
    return f"{URL}{made.json()['id']}/"


def test_a_policy_is_written_confirmed_put_in_force_and_decides(
    client: APIClient, second: APIClient, policy: str, server: Server
) -> None:
    signing = {"revision": 1, "reason": "Read it."}
    assert second.post(f"{policy}confirm/", signing, format="json").json()["revisions"][0]["confirmed_by"] == "otto"
    assert client.post(f"{policy}enable/", signing, format="json").json()["in_force"] == 1
    poll(server, tool())
    approve(waiting(), entrust(actor_of(Person.objects.get(username="olga"))))
    poll(server, tool(description="Read one file."))
    review = Review.objects.latest("pk")
    shown = client.get(policy).json()
    assert (shown["decisions"], shown["newest"], shown["name"]) == (1, 1, "small words")
    (decision,) = client.get(f"/api/v1/reviews/{review.public_id}/").json()["decisions"]
    assert (decision["policy"], decision["person"]) == ("small words revision 1", None)


def test_the_list_and_the_detail_say_what_is_in_force(client: APIClient, policy: str) -> None:
    (item,) = client.get(URL).json()["results"]
    assert item == {
        "id": item["id"],
        "name": "small words",
        "in_force": None,
        "newest": 1,
        "decisions": 0,
        "created_at": item["created_at"],
    }
    (revision,) = client.get(policy).json()["revisions"]
    assert revision == {
        "revision": 1,
        "classes": ["wording"],
        "environments": ["development"],
        "kinds": [],
        "servers": [],
        "text_max": 20,
        "why": "Typing mistakes.",
        "written_by": "olga",
        "written_at": revision["written_at"],
        "confirmed_by": None,
        "confirmed_at": None,
    }


def test_a_policy_is_revised_and_disabled(client: APIClient, policy: str) -> None:
    revised = client.post(f"{policy}revise/", {**RULE, "text_max": 5, "why": "Less."}, format="json")
    assert revised.status_code == 201
    assert [each["revision"] for each in revised.json()["revisions"]] == [2, 1]
    client.post(f"{policy}enable/", {"revision": 2, "reason": "x"}, format="json")
    disabled = client.post(f"{policy}disable/", {"reason": "Enough."}, format="json")
    assert (disabled.status_code, disabled.json()["in_force"]) == (200, None)
    assert client.post(f"{policy}disable/", {"reason": "Enough."}, format="json").status_code == 409


def test_a_rule_is_tried_without_being_written(client: APIClient, server: Server) -> None:
    olga = actor_of(Person.objects.get(username="olga"))
    poll(server, tool())
    approve(waiting(), olga)
    poll(server, tool(description="Read one file."))
    review = reject(waiting(), olga)
    trial = client.post(f"{URL}try/", RULE, format="json")
    assert trial.status_code == 200
    assert trial.json() == {
        "days": 90,
        "changes": 1,
        "would_approve": 1,
        "outcomes": {"rejected": 1},
        "declined": {},
        "cut": False,
        "reviews": [
            {
                "id": str(review.public_id),
                "server": "files",
                "kind": "tool",
                "name": "read",
                "change": ["wording"],
                "characters": 4,
                "outcome": "rejected",
                "opened_at": trial.json()["reviews"][0]["opened_at"],
            }
        ],
    }
    assert not ChangePolicy.objects.exists()


FLAWS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown class": ({"classes": ["instructions"]}, "classes.0"),
    "no class": ({"classes": []}, "classes"),
    "an unknown environment": ({"environments": ["moon"]}, "environments.0"),
    "text in production": ({"environments": ["production"]}, "environments"),
    "no characters": ({"text_max": 0}, "text_max"),
    "too many characters": ({"text_max": 201}, "text_max"),
    "a server that is not there": ({"servers": ["absent"]}, "servers"),
    "days": ({"days": 91}, "days"),
}


@pytest.mark.parametrize(("values", "field"), FLAWS.values(), ids=FLAWS)
def test_what_does_not_fit_is_told_by_field(client: APIClient, values: dict[str, Any], field: str) -> None:
    doors = {f"{URL}try/": RULE} if field == "days" else {URL: WRITTEN, f"{URL}try/": RULE}
    for door, body in doors.items():
        response = client.post(door, {**body, **values}, format="json")
        assert response.status_code == 400
        assert field in [each["field"] for each in response.json()["error"]["details"]], door


def test_a_name_is_taken_once(client: APIClient, policy: str) -> None:
    response = client.post(URL, WRITTEN, format="json")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "conflict")


def test_whoever_wrote_it_does_not_confirm_it(client: APIClient, policy: str) -> None:
    assert client.post(f"{policy}confirm/", {"revision": 1, "reason": "x"}, format="json").status_code == 403


WRITES = ("", "try/", "{id}/revise/", "{id}/confirm/", "{id}/enable/", "{id}/disable/")


@pytest.mark.parametrize("path", WRITES)
def test_who_only_reads_writes_nothing(policy: str, path: str) -> None:
    reader = client_with("nina", Permission.POLICY_READ)
    body = {**WRITTEN, "name": "other", "revision": 1, "reason": "x"}
    door = URL + path.replace("{id}/", policy.removeprefix(URL))
    assert reader.post(door, body, format="json").status_code == 403


@pytest.mark.parametrize("path", ["", "{id}/revise/", "{id}/confirm/"])
def test_who_may_not_decide_reviews_signs_nothing(policy: str, path: str) -> None:
    manager = client_with("nina", Permission.POLICY_MANAGE, Permission.POLICY_READ)
    body = {**WRITTEN, "name": "other", "revision": 1, "reason": "x"}
    response = manager.post(URL + path.replace("{id}/", policy.removeprefix(URL)), body, format="json")
    assert (response.status_code, "review:decide" in response.json()["error"]["message"]) == (403, True)
    assert manager.post(f"{policy}enable/", body, format="json").status_code == 200


def test_who_may_not_read_is_refused(policy: str) -> None:
    stranger = client_with("nina", Permission.REVIEW_READ)
    assert stranger.get(URL).status_code == 403
    assert stranger.get(policy).status_code == 403


def test_what_is_not_there_is_404_and_a_wrong_method_405(client: APIClient, policy: str) -> None:
    assert client.get(f"{URL}{uuid4()}/").status_code == 404
    assert client.post(f"{policy}enable/", {"revision": 9, "reason": "x"}, format="json").status_code == 404
    assert client.delete(policy).status_code == 405
    assert client.get(f"{URL}try/").status_code == 405


def test_the_list_costs_no_more_with_more_rows(client: APIClient, policy: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(URL)
        return len(captured)

    few = queries()
    for number in range(6):
        client.post(URL, {**WRITTEN, "name": f"p{number}"}, format="json")
    assert len(client.get(URL).json()["results"]) == 7
    assert queries() == few
