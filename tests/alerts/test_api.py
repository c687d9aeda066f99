"""Alerts and channels over the API."""

from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework.test import APIRequestFactory, force_authenticate

from alerts import services
from alerts.api.views import AlertViewSet, ChannelViewSet
from alerts.models import Alert
from audit.events import Event
from core.actor import Actor
from tests.alerts.logs import Log

pytestmark = pytest.mark.django_db


def ask(
    view: Any, actor: Actor | None, method: str, action: str, query: str = "", data: Any = None, **kwargs: Any
) -> Any:
    request = getattr(APIRequestFactory(), method)(
        f"/api/v1/x/{query}", data=data, format="json" if data is not None else None
    )
    if actor is not None:
        force_authenticate(request, user=SimpleNamespace(actor=actor, is_authenticated=True))  # type: ignore[arg-type]
    return view.as_view({method: action})(request, **kwargs)


@pytest.fixture
def two(log: Log) -> dict[str, Alert]:
    log.says(Event.TOOL_DRIFTED, digest="sha256:aa")
    log.says(Event.SERVER_BECAME_UNREACHABLE, "server:db", owner_team="blue")
    return {alert.kind: alert for alert in Alert.objects.all()}


def test_an_item_carries_what_outside_tools_rely_on(two: dict[str, Alert], operator: Actor) -> None:
    answer = ask(AlertViewSet, operator, "get", "list", "?kind=drift")
    assert answer.status_code == 200
    assert set(answer.data) == {"results", "next"}
    (item,) = answer.data["results"]
    expected = {
        "id": str(two["drift"].public_id),
        "kind": "drift",
        "subject": "tool:files/read",
        "state": "open",
        "server": "files",
        "count": 1,
        "severity": "high",
        "digest": "sha256:aa",
        "team": "red",
    }
    assert {name: item[name] for name in expected} == expected
    assert item["time"].endswith("Z")


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("", {"drift", "unreachable"}),
        ("?kind=unreachable", {"unreachable"}),
        ("?state=open", {"drift", "unreachable"}),
        ("?state=resolved", set()),
        ("?server=files", {"drift"}),
    ],
)
def test_filters_find_exactly(two: dict[str, Alert], operator: Actor, query: str, kinds: set[str]) -> None:
    answer = ask(AlertViewSet, operator, "get", "list", query)
    assert {item["kind"] for item in answer.data["results"]} == kinds


@pytest.mark.parametrize("query", ["?kind=gossip", "?state=gone", "?server=%00"])
def test_a_bad_filter_is_400_and_names_its_field(db: None, operator: Actor, query: str) -> None:
    answer = ask(AlertViewSet, operator, "get", "list", query)
    assert answer.status_code == 400
    assert answer.data["error"]["details"][0]["field"] == query[1:].partition("=")[0]


def test_own_teams_alerts_only(two: dict[str, Alert], owner: Actor) -> None:
    assert [item["server"] for item in ask(AlertViewSet, owner, "get", "list").data["results"]] == ["files"]
    assert ask(AlertViewSet, owner, "get", "retrieve", id=str(two["unreachable"].public_id)).status_code == 404
    assert ask(AlertViewSet, owner, "get", "retrieve", id=str(two["drift"].public_id)).status_code == 200


def test_acknowledge_then_resolve_then_conflict(two: dict[str, Alert], operator: Actor) -> None:
    alert_id = str(two["drift"].public_id)
    done = ask(AlertViewSet, operator, "post", "acknowledge", data={"reason": "looking"}, id=alert_id)
    assert (done.status_code, done.data["state"], done.data["handled_by"]) == (200, "acknowledged", "olga")
    assert ask(AlertViewSet, operator, "post", "resolve", data={}, id=alert_id).data["state"] == "resolved"
    assert ask(AlertViewSet, operator, "post", "resolve", data={}, id=alert_id).status_code == 409


def test_a_reason_that_is_no_text_is_400(two: dict[str, Alert], operator: Actor) -> None:
    answer = ask(AlertViewSet, operator, "post", "resolve", data={"reason": ["a"]}, id=str(two["drift"].public_id))
    assert answer.status_code == 400


@pytest.mark.parametrize("alert_id", ["x", "0", "01932c00-0000-7000-8000-000000000000"])
def test_a_missing_alert_is_404(db: None, operator: Actor, alert_id: str) -> None:
    assert ask(AlertViewSet, operator, "get", "retrieve", id=alert_id).status_code == 404
    assert ask(AlertViewSet, operator, "post", "acknowledge", data={}, id=alert_id).status_code == 404


def test_who_may_not_is_refused(db: None, nobody: Actor) -> None:
    assert ask(AlertViewSet, nobody, "get", "list").status_code == 403
    assert ask(ChannelViewSet, nobody, "get", "list").status_code == 403
    assert (
        ask(ChannelViewSet, nobody, "post", "create", data={"name": "n", "url": "https://h.example"}).status_code == 403
    )
    assert ask(AlertViewSet, None, "get", "list").status_code in (401, 403)


def test_a_channels_secret_is_in_the_answer_to_its_creation_and_nowhere_else(db: None, operator: Actor) -> None:
    made = ask(ChannelViewSet, operator, "post", "create", data={"name": "hook", "url": "https://h.example/x"})
    assert made.status_code == 201
    assert made.data["secret"].startswith("whsec_")
    (item,) = ask(ChannelViewSet, operator, "get", "list").data["results"]
    one = ask(ChannelViewSet, operator, "get", "retrieve", id=made.data["id"]).data
    assert item == one
    assert item == {name: value for name, value in made.data.items() if name != "secret"}


def test_a_channel_is_tested_changed_disabled_and_enabled(db: None, operator: Actor) -> None:
    channel_id = str(services.create_channel(name="hook", url="https://h.example/x", actor=operator).channel.public_id)
    sent = ask(ChannelViewSet, operator, "post", "test", id=channel_id)
    assert (sent.status_code, sent.data["event"], sent.data["state"]) == (202, "channel.tested", "pending")
    listed = ask(ChannelViewSet, operator, "get", "deliveries", id=channel_id)
    assert [item["id"] for item in listed.data["results"]] == [sent.data["id"]]
    changed = ask(ChannelViewSet, operator, "patch", "partial_update", data={"kinds": ["drift"]}, id=channel_id)
    assert changed.data["kinds"] == ["drift"]
    assert ask(ChannelViewSet, operator, "post", "disable", data={}, id=channel_id).data["state"] == "disabled"
    assert ask(ChannelViewSet, operator, "post", "test", id=channel_id).status_code == 409
    assert ask(ChannelViewSet, operator, "post", "enable", id=channel_id).data["state"] == "active"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"url": "https://h.example"}, "name"),
        ({"name": "n"}, "url"),
        ({"name": "n", "url": "gopher://h.example"}, "url"),
        ({"name": "n", "url": "https://h.example", "kinds": ["gossip"]}, "kinds"),
        ({"name": "n", "url": "https://h.example", "kinds": "drift"}, "kinds"),
        ({"name": 3.5, "url": ["x"]}, "url"),
        ([], "non_field_errors"),
    ],
)
def test_bad_input_is_400_and_names_its_field(db: None, operator: Actor, data: Any, field: str) -> None:
    answer = ask(ChannelViewSet, operator, "post", "create", data=data)
    assert answer.status_code == 400
    assert any(item["field"].startswith(field) for item in answer.data["error"]["details"])
