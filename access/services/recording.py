"""How `access` names things in the audit log, and its one way of ending a change: record it, bump the revision."""

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from access.completing import Completed
from access.models import Agent, ApiToken, Grant, Person, Role, RoleSeparation, Team
from access.services.revisions import ACCESS_PART, bump_revision
from audit.events import Event, RecordType
from audit.permit import refuse_unless
from audit.services import Fact, record, record_many
from audit.subjects import pseudonym_for
from core.actor import Actor
from core.names import subject


def subject_of(thing: Agent | ApiToken | Grant | Person | Role | RoleSeparation | Team) -> str:
    """The audit subject of a row. A person stands there under the pseudonym that their own records carry."""
    match thing:
        case Agent():
            return subject("agent", thing.client_id)
        case Role():
            return subject("role", thing.name)
        case Team():
            return subject("team", thing.slug)
        case ApiToken():
            return subject("api_token", str(thing.public_id))
        case RoleSeparation():
            return subject("separation", str(thing.public_id))
        case Grant():
            return subject("grant", str(thing.public_id))
        case _:
            return subject("person", pseudonym_for(public_id=thing.public_id, name=thing.username))


def told_of(completed: Completed | None) -> dict[str, Any]:
    """What a record says of the toxic flow that the change completes, if any."""
    return {} if completed is None else {"completes_flow": structs.asdict(completed)}


def note_auth(
    event: Event,
    *,
    actor: Actor,
    subject: str,
    address: str = "",
    reason: str = "",
    decision: str = "allowed",
    after: Mapping[str, Any] | None = None,
) -> None:
    """Record how somebody proved who they are, or failed to. Within a transaction."""
    record(
        type=RecordType.AUTH,
        event=event,
        actor=actor,
        subject=subject,
        reason=reason,
        decision=decision,
        after=after,
        client_ip=address,
    )


def refuse_without(actor: Actor, permission: str, about: str, *, team_id: int | None = None) -> None:
    """Raise `PermissionDenied` unless `actor` holds `permission` for what team `team_id` owns."""
    refuse_unless(actor.may(permission, team_id=team_id), actor=actor, permission=permission, subject=about)


def changed(  # noqa: PLR0913 -- what an audit record says
    event: Event,
    *,
    actor: Actor,
    subject: str,
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    owner_team: str = "",
    environment: str = "",
    agent: str = "",
) -> None:
    """Record a change of who may do what, and tell the gateways."""
    record(
        type=RecordType.ADMIN,
        event=event,
        actor=actor,
        subject=subject,
        reason=reason,
        before=before,
        after=after,
        owner_team=owner_team,
        environment=environment,
        agent=agent,
    )
    bump_revision(ACCESS_PART)


def created_many(event: Event, *, actor: Actor, after: Mapping[str, Mapping[str, Any]]) -> None:
    """The same for several things of a kind that are new: `after` is by subject."""
    said = Fact(type=RecordType.ADMIN, event=event, actor=actor, before={})
    record_many([{**said, "subject": about, "after": new} for about, new in after.items()])
    bump_revision(ACCESS_PART)
