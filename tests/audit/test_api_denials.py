"""What a view of the API refuses before it asks a service is in the log all the same, once."""

import pytest

from audit.models import Record
from tests.access.doors import Api
from tests.factories import person_with

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["audit/records/", "people/", "servers/", "reviews/", "channels/"])
def test_a_read_that_is_refused_is_recorded(path: str) -> None:
    api = Api(person_with("alert:read"))
    assert api.get(path).status_code == 403
    denial = Record.objects.get(type="deny")
    assert (denial.subject, denial.decision) == (f"page:/api/v1/{path}", "denied")


def test_what_a_service_refuses_is_recorded_once() -> None:
    assert Api(person_with("alert:read")).post("teams/", {"slug": "blue"}).status_code == 403
    assert Record.objects.filter(type="deny").count() == 1


def test_who_did_not_sign_in_leaves_no_record() -> None:
    assert Api(None).get("audit/records/").status_code == 401
    assert not Record.objects.exists()
