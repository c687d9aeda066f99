"""Audit records of this app, with the columns that every one of them fills."""

from collections.abc import Mapping
from typing import Any, Required, TypedDict, Unpack
from uuid import UUID

from audit.events import Event, RecordType
from audit.services import Fact, record
from core.actor import Actor
from core.names import subject
from servers.models import Server
from tools.models import Review


class Said(TypedDict, total=False):
    """What a record says beside what it is about."""

    reason: str
    batch_id: UUID | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


class About(Said, total=False):
    """What a record says of a definition."""

    server: Required[Server]
    actor: Required[Actor]
    kind: Required[str]
    name: Required[str]
    type: RecordType
    digest: str


def note_definition(event: Event, **about: Unpack[About]) -> None:
    """Record a fact about a definition."""
    record(**fact_of_definition(event, **about))


def note_review(event: Event, review: Review, *, server: Server, actor: Actor, **columns: Unpack[Said]) -> None:
    """Record a fact about a review: about its definition, and exactly its version."""
    definition = review.definition
    about: About = {
        "type": RecordType.REVIEW,
        "server": server,
        "kind": definition.kind,
        "name": definition.name,
        "actor": actor,
        "digest": review.version.digest,
        **columns,
    }
    note_definition(event, **about)


def fact_of_definition(event: Event, **about: Unpack[About]) -> Fact:
    """What `audit.services` records of a definition."""
    server, kind, name = about["server"], about["kind"], about["name"]
    return {
        "type": about.get("type", RecordType.CONFIG),
        "event": event,
        "actor": about["actor"],
        "subject": subject(kind, server.slug, name),
        "server": server.slug,
        "tool": name,
        "kind": kind,
        "digest": about.get("digest", ""),
        "reason": about.get("reason", ""),
        "owner_team": server.owner_team.slug if server.owner_team else "",
        "environment": server.environment,
        "batch_id": about.get("batch_id"),
        "before": about.get("before"),
        "after": about.get("after"),
    }
