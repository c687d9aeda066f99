"""How often one address may ask the authorization server."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from access.models import RequestCount
from audit.models import Record

pytestmark = pytest.mark.django_db
ENDPOINTS = ["token", "revoke", "authorize", "register"]


@pytest.fixture(autouse=True)
def few(settings: Any) -> None:
    settings.OAUTH_REQUESTS_PER_MINUTE = 3
    settings.DYNAMIC_REGISTRATION = "open"


def ask(endpoint: str) -> Any:
    client = Client(raise_request_exception=False)
    return client.post(f"/oauth/{endpoint}/", b"", "text/plain")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_who_asks_too_often_is_told_when_to_come_back_and_recorded_once(endpoint: str) -> None:
    assert {ask(endpoint).status_code for _ in range(3)}.isdisjoint({429, 500})
    for _ in range(3):
        late = ask(endpoint)
        assert (late.status_code, late["Cache-Control"]) == (429, "no-store")
        assert 0 < int(late["Retry-After"]) <= 60
        assert late.json()["error"] == "temporarily_unavailable"
    record: Any = Record.objects.get(event="requests.limited")
    assert (record.type, record.decision, record.client_ip) == ("auth", "denied", "127.0.0.1")


def test_all_endpoints_count_together() -> None:
    for endpoint in ENDPOINTS[:3]:
        ask(endpoint)
    assert ask("register").status_code == 429


def test_each_address_counts_on_its_own_and_a_header_makes_no_other() -> None:
    client = Client()
    for number in range(4):
        last = client.post("/oauth/token/", headers={"x-forwarded-for": f"198.51.100.{number}"})
    assert last.status_code == 429
    for number in range(4):
        other = client.post("/oauth/token/", REMOTE_ADDR=f"198.51.100.{number}")
        assert other.status_code != 429
    assert RequestCount.objects.count() == 5


def test_metadata_may_be_read_as_often_as_one_likes() -> None:
    client = Client()
    assert {client.get("/.well-known/oauth-authorization-server").status_code for _ in range(5)} == {200}


def test_a_database_that_cannot_count_is_no_defect_of_ours() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
    response = ask("token")
    assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
