"""Commands about grants."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from access.completing import completed_by
from access.conditions import checked as checked_conditions
from access.models import Agent, Environment, Grant, Person, Team
from access.names import checked_reason
from access.services.administrators import lock_administrators, refuse_without_administrator
from access.services.authority import may_give
from access.services.builtin import ADMINISTRATOR
from access.services.lookups import agent_with, locked, person_named, role_named, team_named
from access.services.recording import changed, refuse_without, subject_of, told_of
from access.services.separation import kept_apart
from audit.events import Event
from audit.permit import audited_denials, refuse_unless
from core.actor import Actor, ActorKind
from core.errors import Conflict, Invalid
from core.names import subject
from core.permissions import Permission


@dataclass(frozen=True, slots=True)
class Holder:
    """Who is to hold a role: exactly one of an agent's client id, a user name, a team's slug."""

    agent: str = ""
    person: str = ""
    team: str = ""

    def found(self) -> Agent | Person | Team:
        """The row that is named. Raises `Invalid` when not exactly one is, `NotFound` when it is not there."""
        if sum(map(bool, (self.agent, self.person, self.team))) != 1:
            raise Invalid("Name exactly one of agent, person and team.", field="agent")
        if self.agent:
            return agent_with(self.agent, field="agent")
        if self.person:
            return person_named(self.person, field="person")
        return team_named(self.team, field="team")


@audited_denials
def give_grant(
    *,
    role: str,
    holder: Holder,
    actor: Actor,
    reason: str,
    environment: str = "",
    expires_at: datetime | None = None,
    conditions: Mapping[str, Any] | None = None,
) -> Grant:
    """Give `role` to an agent, a person or a team.

    Perhaps in one environment only, until an aware moment, or on conditions (`access.conditions`).
    Needs `grant:manage`, and nobody hands on a permission that they do not hold (`may_give`).
    The answer's `completes` says which toxic flow it completes, if any; so does the record.
    Raises `Invalid`, `NotFound`, `PermissionDenied`, `Conflict` (the person is deactivated, somebody would hold two
    roles that are kept apart, or it completes a flow where such grants are refused).
    """
    return grant_role(
        role=role,
        holder=holder,
        actor=actor,
        reason=reason,
        environment=environment,
        expires_at=expires_at,
        conditions=conditions,
    )


def grant_role(
    *,
    role: str,
    holder: Holder,
    actor: Actor,
    reason: str,
    environment: str = "",
    expires_at: datetime | None = None,
    conditions: Mapping[str, Any] | None = None,
) -> Grant:
    """`give_grant` within a command that is under way already."""
    given, receiver = role_named(role, field="role"), holder.found()
    about = subject("role", given.name)
    refuse_without(actor, Permission.GRANT_MANAGE, about)
    refuse_unless(may_give(actor, given), actor=actor, permission=Permission.GRANT_MANAGE, subject=about)
    if environment not in Environment:
        raise Invalid("Use development, staging or production, or leave it empty.", field="environment")
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid("The grant would have ended already.", field="expires_at")
    if isinstance(receiver, Person) and not receiver.is_active:
        raise Conflict("This person is deactivated.", field="person")
    wanted = Grant(role=given, environment=environment, expires_at=expires_at, reason=checked_reason(reason))
    wanted.conditions = checked_conditions({} if conditions is None else conditions)
    grant = _insert(wanted, receiver, actor)
    grant.completes = completed_by(grant)
    if grant.completes is not None and settings.REFUSE_TOXIC_GRANTS:
        raise Conflict("It would complete a toxic flow, and this installation gives no such grant.", field="role")
    changed(
        Event.GRANT_GIVEN,
        actor=actor,
        subject=subject_of(receiver),
        reason=grant.reason,
        after=_facts(grant, receiver) | told_of(grant.completes),
        environment=environment,
        agent=receiver.client_id if isinstance(receiver, Agent) else "",
    )
    return grant


@audited_denials
def revoke_grant(*, grant_id: UUID, actor: Actor, reason: str) -> Grant:
    """End a grant now. Raises `NotFound`, `Conflict` (ended already, last administrator), `PermissionDenied`."""
    lock_administrators()
    grant = locked(Grant, grant_id, "grant")
    refuse_without(actor, Permission.GRANT_MANAGE, subject_of(grant))
    if grant.revoked_at is not None:
        raise Conflict("This grant was revoked already.")
    grant.revoked_at = timezone.now()
    grant.save(update_fields=["revoked_at"])
    if grant.role.name == ADMINISTRATOR:
        refuse_without_administrator()
    receiver = _receiver(grant)
    changed(
        Event.GRANT_REVOKED,
        actor=actor,
        subject=subject_of(receiver),
        reason=checked_reason(reason),
        before=_facts(grant, receiver),
        environment=grant.environment,
        agent=receiver.client_id if isinstance(receiver, Agent) else "",
    )
    return grant


def _receiver(grant: Grant) -> Agent | Person | Team:
    receiver = grant.person or grant.agent or grant.team
    assert receiver is not None  # noqa: S101 -- for the type checker; a constraint of the table says so
    return receiver


def _insert(grant: Grant, receiver: Agent | Person | Team, actor: Actor) -> Grant:
    grant.agent = receiver if isinstance(receiver, Agent) else None
    grant.person = receiver if isinstance(receiver, Person) else None
    grant.team = receiver if isinstance(receiver, Team) else None
    if actor.kind is ActorKind.PERSON:
        grant.granted_by = Person.objects.filter(public_id=actor.id).first()
    with kept_apart("role"):
        grant.save()
    return grant


def _facts(grant: Grant, receiver: Agent | Person | Team) -> dict[str, Any]:
    return {
        "grant": str(grant.public_id),
        "role": grant.role.name,
        "holder": subject_of(receiver),
        "environment": grant.environment,
        "expires_at": grant.expires_at.isoformat() if grant.expires_at else None,
        **({"conditions": grant.conditions} if grant.conditions else {}),
    }
