"""Dismissing, opening again, breaking the glass; withdrawing, going back, ending: over the API."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from access.services import actor_for
from core.actor import Actor
from core.permissions import Permission
from servers.models import Server
from tests.factories import person_with
from tests.tools.making import approve, poll, reject, served, surface, tool, waiting
from tests.tools.test_api import client_of
from tools import services
from tools.models import BreakGlass, Review
from tools.services.polling import POLLING

pytestmark = pytest.mark.django_db
NOWHERE = "sha256:" + "0" * 64
REVIEWS, DEFINITIONS = "/api/v1/reviews/", "/api/v1/definitions/"


@pytest.fixture
def actor(db: None) -> Actor:
    return actor_for(person_with(*Permission, username="olga"))


@pytest.fixture
def client(actor: Actor) -> APIClient:
    return client_of(actor)


@pytest.fixture
def review(server: Server) -> Review:
    poll(server, tool())
    return waiting()


def about(review: Review, **values: Any) -> dict[str, Any]:
    return {"digest": review.version.digest, "reason": "Because.", **values}


def post(client: APIClient, path: str, body: dict[str, Any], *, status: int = 200) -> Any:
    response = client.post(path, body, format="json")
    assert response.status_code == status, response.content
    return response.json()


def definition_url(review: Review, action: str) -> str:
    return f"{DEFINITIONS}{review.definition.public_id}/{action}/"


def test_a_rejection_is_opened_again(client: APIClient, review: Review, reviewer: Actor) -> None:
    reject(review, reviewer)
    body = post(client, f"{REVIEWS}{review.public_id}/reopen/", {"reason": "They answered."})
    assert (body["state"], body["reopens"], body["decisions"]) == ("waiting", str(review.public_id), [])
    assert body["id"] != str(review.public_id)
    post(client, f"{REVIEWS}{review.public_id}/reopen/", {"reason": "They answered."}, status=409)


def test_what_only_agents_were_shown_is_dismissed(
    client: APIClient, server: Server, review: Review, reviewer: Actor
) -> None:
    url = f"{REVIEWS}{review.public_id}/dismiss/"
    assert "not dismissed" in post(client, url, about(review), status=409)["error"]["message"]
    approve(review, reviewer)
    shown = surface(tool(description="else"), vantage="agent:robot")
    services.sight(server=Server.objects.get(), surface=shown, actor=POLLING)
    assert served(server) == {}
    different = waiting()
    body = post(client, f"{REVIEWS}{different.public_id}/dismiss/", about(different))
    assert (body["state"], body["vantage"]) == ("dismissed", "agent:robot")
    assert list(served(server)) == ["read"]


def test_the_glass_is_broken_and_mended(client: APIClient, server: Server, review: Review) -> None:
    person_with(Permission.REVIEW_DECIDE)
    url = f"{REVIEWS}{review.public_id}/break-glass/"
    until = timezone.now() + timedelta(hours=2)
    post(client, url, about(review, until=(until + timedelta(days=1)).isoformat()), status=400)
    post(client, url, about(review, digest=NOWHERE, until=until.isoformat()), status=409)
    body = post(client, url, about(review, until=until.isoformat()))
    assert (body["state"], body["id"]) == ("waiting", str(review.public_id))
    assert BreakGlass.objects.get().expires_at == until
    assert list(served(server)) == ["read"]
    body = post(client, definition_url(review, "end-glass"), {"reason": "Done."})
    assert (body["state"], served(server)) == ("held", {})
    post(client, definition_url(review, "end-glass"), {"reason": "Done."}, status=409)


def test_an_approval_is_withdrawn(client: APIClient, server: Server, review: Review, reviewer: Actor) -> None:
    approve(review, reviewer)
    post(client, definition_url(review, "withdraw"), about(review, digest=NOWHERE), status=409)
    body = post(client, definition_url(review, "withdraw"), about(review))
    assert (body["state"], body["approved_digest"], served(server)) == ("held", "", {})


def test_an_earlier_version_is_returned_to(client: APIClient, server: Server, review: Review, reviewer: Actor) -> None:
    approve(review, reviewer)
    poll(server, tool(description="newer"))
    newer = approve(waiting(), reviewer).version.digest
    url = definition_url(review, "return")
    error = post(client, url, about(review, expected_pin=""), status=409)["error"]
    assert error["details"][0]["field"] == "expected_pin"
    body = post(client, url, about(review, expected_pin=newer))
    assert (body["approved_digest"], body["digest"]) == (review.version.digest, newer)


@pytest.mark.parametrize(
    ("action", "permissions"),
    [
        ("reviews/{review}/dismiss/", [Permission.REVIEW_READ]),
        ("reviews/{review}/reopen/", [Permission.REVIEW_READ]),
        ("reviews/{review}/break-glass/", [Permission.REVIEW_READ, Permission.REVIEW_DECIDE]),
        ("definitions/{definition}/withdraw/", [Permission.TOOL_READ]),
        ("definitions/{definition}/return/", [Permission.TOOL_READ]),
        ("definitions/{definition}/end-glass/", [Permission.TOOL_READ]),
    ],
)
def test_each_needs_its_permission_and_hides_what_may_not_be_read(
    review: Review, action: str, permissions: list[str]
) -> None:
    until = timezone.now() + timedelta(hours=1)
    body = about(review, expected_pin="", until=until.isoformat())
    path = "/api/v1/" + action.format(review=review.public_id, definition=review.definition.public_id)
    post(client_of(actor_for(person_with(*permissions))), path, body, status=403)
    post(client_of(actor_for(person_with(Permission.SERVER_READ))), path, body, status=404)
    missing = "/api/v1/" + action.format(review=uuid4(), definition=uuid4())
    post(client_of(actor_for(person_with(*Permission))), missing, body, status=404)
    assert APIClient().post(path, body, format="json").status_code == 401


@pytest.mark.parametrize("action", ["dismiss", "reopen", "break-glass"])
def test_a_body_without_what_is_asked_for_is_refused(client: APIClient, review: Review, action: str) -> None:
    for body in ({}, {"reason": ""}, {"reason": "x", "digest": 5}, {"reason": ["x"], "until": "soon"}):
        response = client.post(f"{REVIEWS}{review.public_id}/{action}/", body, format="json")
        assert response.status_code in (400, 409), body
        assert response.json()["error"]["code"] in ("invalid", "conflict")
