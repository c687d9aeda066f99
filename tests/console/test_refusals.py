"""A refused call in words: every rule that refuses has its words, and its page leads to what would let the call through."""

from typing import Any

import pytest
from django.test import Client

from access.policy import REASONS, Reason
from access.rules import Rule
from audit.drafts import RecordDraft
from audit.events import Event, RecordType
from audit.models import Record
from controlplane import refusals
from core.permissions import Permission
from tests.console.world import HOSTILE, Page, World
from tests.factories import person_with
from tests.tools.records import draft, write
from tools.models import Definition

pytestmark = pytest.mark.django_db


def refused(world: World, rule: Rule | None, **more: Any) -> Record:
    """The record of a refused call of a tool of `files` by the world's agent, as a gateway writes it."""
    reason = REASONS[rule].value if rule else more.pop("reason")
    says = {
        "type": RecordType.DENY, "event": Event.CALL_DENIED, "decision": "denied", "server": "files", "kind": "tool",
        "tool": "write", "method": "tools/call", "agent": world.grant().agent.client_id, "reason": reason,  # type: ignore[union-attr]  # of an agent
        "rule_ids": (rule.value,) if rule else (Rule.ALLOW_DEFINITION.value,), **more,
    }  # fmt: skip
    write([RecordDraft(**draft(says))])
    return Record.objects.filter(event="call.denied").newest_first()[0]


def opened(client: Client, record: Record) -> tuple[str, dict[str, str]]:
    """What the record's page says of the refusal, and its links there by their address."""
    html = client.get(f"/audit/{record.id}/").content.decode()
    part = html.partition('id="refusal-title"')[2].partition("</section>")[0]
    return Page(part).text, {link["href"]: link["href"] for link in Page(part).named("a")}


def test_every_rule_that_refuses_has_its_words() -> None:
    assert set(refusals._BY_RULE) == set(REASONS)


def test_every_reason_that_no_rule_has_has_its_words() -> None:
    in_no_record, of_an_outcome = Reason.AUDIT_UNAVAILABLE, Reason.INVALID_RESULT
    assert set(refusals._BY_REASON) == set(Reason) - set(REASONS.values()) - {in_no_record, of_an_outcome}


def test_what_no_role_reaches_is_explained_with_the_scopes_that_would_do(world: World, console: Client) -> None:
    said, links = opened(console, refused(world, Rule.GRANT_DEFINITION))
    assert "A role of the agent reaches the server, but none reaches this." in said
    assert "grant.definition" in said
    assert "mcp:files:tool:write mcp:files:call" in said
    agent = world.grant().agent
    assert agent is not None
    definition = Definition.objects.get(name="write")
    assert any(url.startswith(f"/grants/give/?holder=agent%3A{agent.client_id}") for url in links)
    assert {f"/agents/{agent.public_id}/", f"/definitions/{definition.public_id}/", "/servers/files/"} <= set(links)
    assert "/access/?server=files" in links


def test_a_sensitive_tool_is_reached_by_its_own_scope_alone(world: World, console: Client) -> None:
    Definition.objects.filter(name="write").update(sensitive=True)
    said, _ = opened(console, refused(world, Rule.GRANT_DEFINITION))
    assert "mcp:files:tool:write" in said
    assert "mcp:files:call" not in said


def test_what_is_withheld_leads_to_its_review(world: World, console: Client) -> None:
    said, links = opened(console, refused(world, Rule.DEFINITION_APPROVED))
    assert "what the server offers is not what somebody approved" in said
    assert f"/reviews/{world.waiting('write').public_id}/" in links
    assert not any("/grants/give/" in url for url in links)


def test_a_token_that_lacks_a_scope_is_told_from_a_role_that_does(world: World, console: Client) -> None:
    record = refused(world, Rule.TOKEN_SCOPE, after={"scopes_needed": ["mcp:connect", "mcp:files:call"]})
    said, _ = opened(console, record)
    assert "The role allows this call; the access token does not." in said
    assert "mcp:connect mcp:files:call" in said


def test_a_suspension_leads_to_the_kill_switch(world: World, console: Client) -> None:
    said, links = opened(console, refused(world, Rule.SUSPENDED_SERVER))
    assert "The server was suspended." in said
    assert "/suspensions/" in links


def test_what_no_rule_refused_is_explained_by_its_reason(world: World, console: Client) -> None:
    said, _ = opened(console, refused(world, None, reason="invalid_arguments"))
    assert "The arguments do not fit the approved schema." in said


def test_who_may_read_the_log_alone_gets_the_words_and_no_way_that_is_closed(world: World) -> None:
    client = Client()
    client.force_login(person_with(Permission.AUDIT_READ))
    said, links = opened(client, refused(world, Rule.GRANT_DEFINITION))
    assert "none reaches this" in said
    assert links == {}


def test_other_records_and_unknown_rules_are_left_as_they_are(world: World, console: Client) -> None:
    unknown = refused(world, None, reason="of_a_later_release", rule_ids=("later.rule",))
    for record in (unknown, Record.objects.filter(event="server.registered").newest_first()[0]):
        page = console.get(f"/audit/{record.id}/")
        assert page.status_code == 200
        assert "Why it was refused" not in page.content.decode()


def test_hostile_names_are_text(world: World, console: Client) -> None:
    for name in HOSTILE:
        record = refused(world, Rule.GRANT_DEFINITION, tool=name.replace("\0", ""), agent=name.replace("\0", ""))
        assert Page(console.get(f"/audit/{record.id}/").content.decode()).inline == []
