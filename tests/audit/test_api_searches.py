"""Saved searches over the API."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from rest_framework.test import APIRequestFactory, force_authenticate

from audit.api.views import SavedSearchViewSet
from audit.models import SavedSearch
from core.actor import Actor
from tests.audit.test_api import ask as ask_records

pytestmark = pytest.mark.django_db
URL = "/api/v1/audit/searches/"
ALL: Any = {"get": "list", "post": "create"}
ONE: Any = {"get": "retrieve", "delete": "destroy"}


def ask(actor: Actor, method: str = "get", body: Any = None, search_id: str | None = None) -> Any:
    request = getattr(APIRequestFactory(), method)(URL, body, format="json")
    force_authenticate(request, user=SimpleNamespace(actor=actor, is_authenticated=True))  # type: ignore[arg-type]
    view: Any = SavedSearchViewSet.as_view(ALL if search_id is None else ONE)
    return view(request) if search_id is None else view(request, id=search_id)


def test_a_search_is_kept_shown_opened_and_removed(ada: Actor) -> None:
    made = ask(ada, "post", {"name": "mine", "query": {"event": "search.saved", "server": ""}, "shared": True})
    assert made.status_code == 201
    shown = made.data
    assert (shown["name"], shown["owner"], shown["shared"]) == ("mine", "ada", True)
    assert shown["query"] == {"event": "search.saved"}
    assert ask(ada).data["results"] == [shown] == [ask(ada, search_id=shown["id"]).data]
    address = urlsplit(shown["records"])
    assert address.path == "/api/v1/audit/records/"
    assert [item["event"] for item in ask_records(ada, f"?{address.query}").data["results"]] == ["search.saved"]
    assert ask(ada, "delete", search_id=shown["id"]).status_code == 204
    assert ask(ada, "delete", search_id=shown["id"]).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"query": {"server": "files"}}, "name"),
        ({"name": "x" * 101, "query": {"server": "files"}}, "name"),
        ({"name": "mine", "query": {}}, "query"),
        ({"name": "mine", "query": "server=files"}, "query"),
        ({"name": "mine", "query": {"type": "gossip"}}, "query.type"),
        ({"name": "mine", "query": {"colour": "red"}}, "query.colour"),
        ({"name": "mine", "query": {"server": ["a"]}}, "query.server"),
        ({"name": "a\nb", "query": {"server": "files"}}, "name"),
    ],
)
def test_what_does_not_fit_is_400_and_names_its_field(ada: Actor, body: Any, field: str) -> None:
    answer = ask(ada, "post", body)
    assert answer.status_code == 400
    assert [item["field"] for item in answer.data["error"]["details"]] == [field]


def test_what_a_later_release_does_not_know_is_said_when_it_is_opened(ada: Actor) -> None:
    made = ask(ada, "post", {"name": "mine", "query": {"server": "files"}}).data
    SavedSearch.objects.update(query={"colour": "red"})
    shown = ask(ada, search_id=made["id"]).data
    assert shown["query"] == {"colour": "red"}
    assert ask_records(ada, f"?{urlsplit(shown['records']).query}").status_code == 400


@pytest.mark.parametrize("search_id", ["x", "01932c00-0000-7000-8000-000000000000"])
def test_a_missing_search_is_404(ada: Actor, search_id: str) -> None:
    assert ask(ada, search_id=search_id).status_code == 404
    assert ask(ada, "delete", search_id=search_id).status_code == 404


def test_who_may_not_read_the_log_is_refused(bob: Actor) -> None:
    assert ask(bob).status_code == 403
    assert ask(bob, "post", {"name": "mine", "query": {"server": "files"}}).status_code == 403
    assert ask(bob, "delete", search_id="01932c00-0000-7000-8000-000000000000").status_code == 403
