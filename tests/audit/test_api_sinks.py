"""Sinks over the API."""

from typing import Any

import pytest

from audit.models import ExportCursor, Record, Sink
from core.permissions import Permission
from tests.access.doors import Api, problem
from tests.factories import person_with

pytestmark = pytest.mark.django_db
SINK = {"name": "siem", "kind": "webhook", "format": "ocsf", "endpoint": "https://siem.example/in"}


@pytest.fixture
def api() -> Api:
    return Api(person_with(Permission.SINK_MANAGE, Permission.AUDIT_READ, Permission.AUDIT_EXPORT))


def test_a_sink_is_made_changed_and_removed(api: Api) -> None:
    made = api.post("audit/sinks/", SINK)
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    place = f"audit/sinks/{made.json()['id']}/"
    (listed,) = api.get("audit/sinks/").json()["results"]
    assert listed == api.get(place).json()
    assert "secret" not in listed
    ExportCursor.objects.update(last_error="answered 500")
    changed = api.send("PATCH", place, {"endpoint": "https://other.example/in", "enabled": False}).json()
    assert (changed["endpoint"], changed["state"], changed["last_error"]) == (
        "https://other.example/in",
        "disabled",
        "",
    )
    assert api.send("DELETE", place).status_code == 204
    assert not Sink.objects.exists()
    events = Record.objects.filter(event__startswith="sink.").order_by("id").values_list("event", flat=True)
    assert list(events) == ["sink.created", "sink.changed", "sink.removed"]


def test_its_lag_is_what_it_does_not_have_yet(api: Api) -> None:
    from audit.services import place_records

    made = api.post("audit/sinks/", SINK).json()
    place_records()
    after = api.get(f"audit/sinks/{made['id']}/").json()
    assert after["index"] == made["index"]
    assert after["lag"] > 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "fax"}, "kind"),
        ({"format": "csv"}, "format"),
        ({"endpoint": "nowhere"}, "endpoint"),
        ({"name": ""}, "name"),
    ],
)
def test_what_does_not_fit_names_its_field(api: Api, change: dict[str, Any], field: str) -> None:
    status, code, fields = problem(api.post("audit/sinks/", SINK | change))
    assert (status, code, fields) == (400, "invalid", [field])


@pytest.mark.parametrize("sink_id", ["01900000-0000-7000-8000-000000000000", "nothing"])
def test_an_unknown_sink_is_not_found(api: Api, sink_id: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        assert api.send(method, f"audit/sinks/{sink_id}/").status_code == 404
