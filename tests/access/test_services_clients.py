"""Clients that are documents: which are trusted, how long they count, and what a changed one changes."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from access import services
from access.client_metadata import ClientMetadata
from access.models import Agent, FailedDocument, RequestCount, Revision
from access.services.clients import UNLISTED_PER_MINUTE, keep_client_document
from audit.models import Record
from core.actor import ANONYMOUS, Actor
from tests.access.document_host import DocumentHost, client_document
from tests.factories import AgentFactory

pytestmark = [pytest.mark.django_db, pytest.mark.network]
DOCUMENTS = ["claude_ai", "chatgpt", "vscode", "claude_code", "codex", "zed", "opencode"]
resolve_client = partial(services.resolve_client, for_person=True)
DOCUMENT = {"client_name": "App", "redirect_uris": ["https://app.example/cb"]}


def events(name: str) -> int:
    return Record.objects.filter(event=name).count()


def expire(agent: Agent, *, since: timedelta = timedelta(seconds=1)) -> None:
    Agent.objects.filter(pk=agent.pk).update(cimd_expires_at=timezone.now() - since)
    FailedDocument.objects.all().delete()


def known(host: DocumentHost) -> Agent:
    agent = resolve_client(host.publish(DOCUMENT))
    assert agent is not None
    return agent


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_clients_that_people_use_are_known_by_their_documents(host: DocumentHost, name: str) -> None:
    document = client_document(name)
    url = host.publish({key: value for key, value in document.items() if key != "client_id"})
    agent = resolve_client(url)
    assert agent is not None
    assert (agent.client_id, agent.name) == (url, document["client_name"])
    assert agent.redirect_uris.split() == document["redirect_uris"]
    assert (agent.is_public, agent.acts_for_people, agent.owner_team) == (True, True, None)
    for uri in document["redirect_uris"]:
        used = uri.replace("/callback", ":53076/callback") if uri.startswith("http://") and uri.count(":") == 1 else uri
        assert agent.redirect_uri_allowed(used)
    record: Any = Record.objects.get(event="agent.registered")
    assert (record.agent, record.principal, record.after["source"]) == (url, "anonymous", "document")


def test_a_document_counts_until_its_time_and_is_looked_at_again_after(host: DocumentHost) -> None:
    agent = known(host)
    assert resolve_client(agent.client_id) == agent
    assert len(host.asked) == 1
    expire(agent)
    again = resolve_client(agent.client_id)
    assert again is not None
    assert again.document_ends_at > timezone.now() + timedelta(minutes=4)
    assert (len(host.asked), events("agent.changed")) == (2, 0)


def test_a_changed_document_changes_the_agent_and_says_so(host: DocumentHost) -> None:
    agent = known(host)
    host.publish({**DOCUMENT, "redirect_uris": ["https://elsewhere.example/cb"]})
    expire(agent)
    changed = resolve_client(agent.client_id)
    assert changed is not None
    assert changed.redirect_uris == "https://elsewhere.example/cb"
    assert changed.document_digest != agent.document_digest
    record: Any = Record.objects.get(event="agent.changed")
    assert record.before["redirect_uris"] == ["https://app.example/cb"]
    assert record.after["redirect_uris"] == ["https://elsewhere.example/cb"]
    assert Revision.objects.get(part="access").n == 1


def test_an_agent_outlives_a_host_that_is_away_by_a_day_and_not_more(host: DocumentHost) -> None:
    agent = known(host)
    host.publish(b"", status=503)
    expire(agent)
    assert resolve_client(agent.client_id) == agent
    expire(agent, since=timedelta(days=2))
    assert resolve_client(agent.client_id) is None


@pytest.mark.parametrize(("body", "status"), [(b"", 404), (b"", 410), (b"{}", 200), (b"rubbish", 200)])
def test_a_publisher_that_takes_its_document_back_ends_its_agent_at_once(
    host: DocumentHost, body: bytes, status: int
) -> None:
    agent = known(host)
    host.publish(body, status=status)
    expire(agent)
    assert resolve_client(agent.client_id) is None
    assert resolve_client(agent.client_id) is None
    assert (len(host.asked), events("agent.registration_refused")) == (2, 1)


def test_what_was_not_to_be_had_is_left_alone_for_a_minute(host: DocumentHost) -> None:
    url = host.publish({**DOCUMENT, "client_id": "https://app.example/another"})
    assert resolve_client(url) is None
    assert resolve_client(url) is None
    assert len(host.asked) == 1
    assert "its own URL" in Record.objects.get(event="agent.registration_refused").reason
    FailedDocument.objects.update(failed_at=timezone.now() - timedelta(minutes=2))
    host.publish(DOCUMENT)
    assert resolve_client(url) is not None
    assert not Agent.objects.exclude(client_id=url).exists()


@pytest.mark.parametrize(
    ("policy", "listed", "trusted"),
    [("off", True, False), ("listed", False, False), ("listed", True, True), ("any", False, True)],
)
def test_the_installation_says_whose_documents_count(
    host: DocumentHost, settings: Any, policy: str, *, listed: bool, trusted: bool
) -> None:
    url = host.publish(DOCUMENT)
    settings.CLIENT_DOCUMENTS = policy
    settings.CLIENT_DOCUMENT_URLS = (url,) if listed else (f"{url}/another",)
    assert (resolve_client(url) is not None) is trusted
    assert bool(host.asked) is trusted
    assert services.is_listed(url) is listed


def test_a_stranger_chooses_no_address_that_we_fetch(host: DocumentHost, settings: Any) -> None:
    url = host.publish(DOCUMENT)
    assert (services.resolve_client(url), host.asked) == (None, [])
    assert services.awaits_person(url)
    assert resolve_client(url) is not None
    assert not services.awaits_person(url)
    assert services.resolve_client(url) is not None
    listed = host.publish(DOCUMENT, "/listed.json")
    settings.CLIENT_DOCUMENT_URLS = (listed,)
    assert not services.awaits_person(listed)
    assert services.resolve_client(listed) is not None


@pytest.mark.parametrize("client_id", ["", "bot", "\0", "https://app.example/" + "x" * 300])
def test_nobody_signs_in_for_what_is_no_document(settings: Any, client_id: str) -> None:
    settings.CLIENT_DOCUMENTS = "any"
    assert not services.awaits_person(client_id)


def test_who_is_no_longer_trusted_is_no_client_from_then_on(host: DocumentHost, settings: Any) -> None:
    agent = known(host)
    settings.CLIENT_DOCUMENTS = "off"
    assert resolve_client(agent.client_id) is None


def test_a_suspended_agent_is_not_looked_up_and_stays_suspended(host: DocumentHost, admin: Actor) -> None:
    agent = known(host)
    services.suspend_agent(client_id=agent.client_id, actor=admin, reason="Odd.")
    expire(agent)
    found = resolve_client(agent.client_id)
    assert found is not None
    assert not found.is_usable(None)
    assert len(host.asked) == 1


def test_strangers_cannot_make_us_fetch_without_end(host: DocumentHost, settings: Any) -> None:
    RequestCount.objects.create(key="documents", count=UNLISTED_PER_MINUTE, window_started_at=timezone.now())
    url = host.publish(DOCUMENT)
    assert resolve_client(url) is None
    assert not FailedDocument.objects.exists()
    settings.CLIENT_DOCUMENT_URLS = (url,)
    assert resolve_client(url) is not None


@pytest.mark.parametrize("client_id", ["", "\0", "https://app.example/\0", "x" * 300, "bot", "https://app.example/"])
def test_what_can_be_no_document_costs_no_fetch(host: DocumentHost, client_id: str) -> None:
    assert resolve_client(client_id) is None
    assert not RequestCount.objects.exists()


def test_an_agent_that_people_registered_is_found_by_its_id_whatever_the_policy(settings: Any) -> None:
    for client_id in ("bot", "https://app.example/x"):
        agent = AgentFactory.create(client_id=client_id)
        assert resolve_client(client_id) == agent


def test_two_first_requests_make_one_agent(host: DocumentHost) -> None:
    agent = known(host)
    metadata = ClientMetadata("App", ("https://app.example/cb",))
    ends_at = timezone.now() + timedelta(hours=1)
    same = keep_client_document(client_id=agent.client_id, metadata=metadata, ends_at=ends_at, actor=ANONYMOUS)
    assert same == agent
    assert events("agent.registered") == 1


@pytest.mark.parametrize(
    "columns",
    [
        {"document_digest": "a" * 64},
        {"registration_source": "cimd"},
        {"document_digest": "x", "registration_source": "cimd"},
    ],
)
def test_the_table_knows_half_a_document_from_a_whole_one(columns: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="agent_document_complete"), transaction.atomic():
        AgentFactory.create(**columns)
