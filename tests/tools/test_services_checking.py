"""How a server is reached and what its tools are together is judged when either changes, and keeps nobody out."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from access.models import Person
from core.actor import Actor
from core.permissions import Permission
from servers.models import Server
from servers.services import Registration, edit_server, register_server
from servers.surface import Item, ObservationProblem, Problem, Surface
from tests.tools.making import actor_of, card, make_server, poll, tool
from tools import services
from tools.models import ServerFinding
from tools.services import checking
from tools.services.checking import check_server_now

pytestmark = pytest.mark.django_db
CRUD = tuple(tool(f"{verb}_{thing}") for verb in ("get", "create", "delete") for thing in ("issue", "label"))


def remote(**values: Any) -> Server:
    return make_server("shop", **{"url": "https://mcp.shop.example/mcp", **values})


def found(server: Server) -> dict[str, str]:
    """Severity by rule."""
    return dict(ServerFinding.objects.filter(server=server).values_list("rule", "severity"))


def test_a_server_that_answers_whoever_asks_is_said_to_do_so() -> None:
    server = remote()
    check_server_now(slug="shop")
    assert found(server) == {}  # nobody knows yet
    poll(server, card(), tool())
    assert found(server) == {"HF-703": "low"}


def test_a_server_that_asks_for_a_token_is_judged_by_the_scopes_it_wants() -> None:
    server = remote()
    asks = {"scheme": "Bearer", "scope": None, "metadata": {"scopes_supported": ["issues:read", "admin"]}}
    poll(server, card(authorization=asks), tool())
    assert found(server) == {"HF-709": "medium"}
    poll(server, card(authorization={**asks, "scope": "issues:read"}), tool())
    assert found(server) == {}


def test_what_asks_for_credentials_before_it_shows_anything_is_not_said_to_ask_for_none() -> None:
    server = remote()
    problem = ObservationProblem(Problem.NEEDS_CREDENTIALS, "It asks for credentials.")
    seen = Surface((), "poller", complete=False, problem=problem, asked_for_authentication=True)
    services.absorb(server=server, surface=seen, actor=services.polling.POLLING)
    assert found(server) == {}


def test_the_tools_are_judged_together_at_every_look_that_shows_another_set() -> None:
    server = make_server("shop")
    poll(server, card(), *CRUD, *(tool(f"step_{number}") for number in range(25)))
    assert found(server) == {"HF-720": "low", "HF-721": "low"}
    first = ServerFinding.objects.get(rule="HF-721")
    poll(server, card(), *CRUD)
    assert found(server) == {"HF-721": "low"}
    assert ServerFinding.objects.get().found_at == first.found_at
    poll(server, card(), tool("triage_issues"))
    assert found(server) == {}


@pytest.mark.parametrize(
    ("tools", "severity"),
    [
        ((tool("list_orders"), tool("delete_order")), "medium"),
        ((tool("list_orders"), tool("create_order")), "low"),
        ((tool("list_orders"), tool("delete_order", annotations={"readOnlyHint": True})), None),
        ((tool("create_order", annotations={"destructiveHint": True}),), "medium"),
        ((tool("list_orders"), tool("format_c")), "low"),
    ],
)
def test_writing_to_production_is_told_and_destroying_is_for_a_person(
    tools: tuple[Item, ...], severity: str | None
) -> None:
    server = make_server("shop", environment="production")
    poll(server, card(), *tools, asked_for_authentication=True)
    assert found(server).get("HF-722") == severity


def test_elsewhere_tools_may_write() -> None:
    server = make_server("shop", environment="staging")
    poll(server, card(), tool("delete_order"))
    assert found(server) == {}


def test_registering_and_editing_ask_for_it_and_are_never_refused_by_it(
    reviewer: Actor, settings: Any, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    settings.OUTBOUND_ALLOW = ["10.0.0.0/8"]
    sent: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr("core.queue._send", lambda task, kwargs: sent.append((task, kwargs)))
    with django_capture_on_commit_callbacks(execute=True):
        asked = Registration("shop", "Shop", "http://mcp.shop.example/mcp?api_key=9f8a7b6c5d4e3f2a1b0c", "staging")
        server = register_server(registration=asked, actor=reviewer)
    assert ("tools.check_server", {"slug": "shop"}) in sent
    assert check_server_now(slug="shop")
    assert {"HF-705", "HF-708"} <= found(server).keys()
    assert not any("9f8a" in row.evidence for row in ServerFinding.objects.all())
    sent.clear()
    with django_capture_on_commit_callbacks(execute=True):
        edit_server(slug="shop", changes={"url": "https://mcp.shop.example/mcp"}, actor=reviewer)
    assert ("tools.check_server", {"slug": "shop"}) in sent
    check_server_now(slug="shop")
    assert found(server) == {}
    assert not check_server_now(slug="gone")


def test_what_is_known_from_the_last_look_counts_when_a_server_is_edited(reviewer: Actor) -> None:
    server = make_server("shop", environment="staging")
    poll(server, card(), tool("delete_order"))
    edit_server(slug="shop", changes={"environment": "production"}, actor=reviewer)
    check_server_now(slug="shop")
    assert found(server) == {"HF-722": "medium"}


def test_a_look_at_what_is_unchanged_asks_nothing_of_it() -> None:
    server = remote()
    poll(server, card(), tool())
    with CaptureQueriesContext(connection) as captured:
        poll(server, card(), tool())
    assert not any("serverfinding" in each["sql"] for each in captured.captured_queries)


def test_a_failure_here_costs_nobody_the_observation(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("a defect")

    server = remote()
    monkeypatch.setattr(checking, "_keep", fails)
    assert poll(server, card(), tool()).complete


def test_what_cannot_be_judged_whole_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a defect")

    server = remote()
    monkeypatch.setattr("tools.scanner.configured.toolset_hits", fails)
    poll(server, card(), tool())
    assert found(server)["HF-000"] == "high"


def test_who_may_not_read_tools_sees_no_finding_that_names_them(reviewer: Actor) -> None:
    server = make_server("shop")
    poll(server, card(), *CRUD)
    reads = actor_of(Person.objects.create(username="rex"), Permission.SERVER_READ)
    assert ServerFinding.objects.visible_to(reviewer).filter(server=server).count() == 1
    assert not ServerFinding.objects.visible_to(reads).exists()


def test_a_rule_is_found_once_at_one_place() -> None:
    server = make_server("shop")
    poll(server, card(), *CRUD)
    with pytest.raises(IntegrityError, match="server_finding_unique"), transaction.atomic():
        ServerFinding.objects.create(
            server=server, rule="HF-721", field="/tools", severity="low", confidence="low", evidence=""
        )
