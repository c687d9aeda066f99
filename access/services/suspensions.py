"""The kill switch: what is suspended stops at every gateway within a second, until another person lifts it.

This is the emergency's own mechanism, beside the everyday states of agents, servers and people
(docs/operations/kill-switch.md, ADR 0021). What a server and a definition is, `tools.services.suspending` knows.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from access.models import Agent, Membership, Person, Suspension, Team
from access.names import checked_reason
from access.rules import Rule
from access.services.administrators import lock_administrators, refuse_without_administrator
from access.services.lookups import agent_with, locked, person_named, team_named
from access.services.recording import changed, refuse_without, subject_of
from access.suspended import Key, Suspended, SuspensionKind, split_definition
from audit.events import Event
from audit.permit import audited_denials
from core.actor import Actor, ActorKind
from core.errors import Conflict, Invalid
from core.names import subject
from core.permissions import Permission

EVERYTHING = subject("installation", "everything")
_HOLDS_PEOPLE = frozenset({SuspensionKind.PERSON, SuspensionKind.TEAM})


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be suspended: its name as a suspension keeps it, its audit subject, and the team that owns it."""

    kind: SuspensionKind
    name: str
    subject: str
    owner_team: Team | None = None


def target_of(*, kind: SuspensionKind, name: str) -> Target:
    """An agent by its client id, a person by user name, a team by slug, or everything. Raises `NotFound`, `Invalid`."""
    if kind is SuspensionKind.AGENT:
        agent = agent_with(name, field="name")
        return Target(kind, agent.client_id, subject_of(agent), agent.owner_team)
    if kind is SuspensionKind.PERSON:
        person = person_named(name, field="name")
        return Target(kind, str(person.public_id), subject_of(person))
    if kind is SuspensionKind.TEAM:
        team = team_named(name, field="name")
        return Target(kind, team.slug, subject_of(team), team)
    if name:
        raise Invalid("Everything has no name.", field="name")
    return Target(SuspensionKind.EVERYTHING, "", EVERYTHING)


@audited_denials
def suspend(*, target: Target, actor: Actor, reason: str) -> Suspension:
    """Stop something at every gateway. Nothing is taken away: what was issued works again once it is lifted.

    Raises `PermissionDenied`, `Invalid` (no reason), `Conflict` (suspended already; nobody would be left who is an
    administrator).
    """
    team = target.owner_team
    refuse_without(actor, Permission.SUSPENSION_SET, target.subject, team_id=team.pk if team else None)
    if target.kind in _HOLDS_PEOPLE:
        lock_administrators()
    row = Suspension(kind=target.kind.value, name=target.name, owner_team=team.slug if team else "")
    row.reason, row.suspended_by = checked_reason(reason), _person(actor)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        if not Suspension.objects.live().filter(kind=row.kind, name=row.name).exists():
            raise
        raise Conflict("This is suspended already.", field="name") from error
    if target.kind in _HOLDS_PEOPLE:
        refuse_without_administrator()
    _record(Event.SUSPENSION_SET, row, actor, row.reason)
    return row


@audited_denials
def lift(*, suspension_id: UUID, actor: Actor, reason: str) -> Suspension:
    """End a suspension: another person than who set it, or the command line on the host, which the record says.

    Raises `NotFound`, `PermissionDenied`, `Invalid` (no reason), `Conflict` (lifted already, or by who set it).
    """
    row = locked(Suspension, suspension_id, "suspension")
    team = Team.objects.filter(slug=row.owner_team).first() if row.owner_team else None
    refuse_without(actor, Permission.SUSPENSION_LIFT, _subject(row), team_id=team.pk if team else None)
    if row.lifted_at is not None:
        raise Conflict("This was lifted already.")
    person = _person(actor)
    if person is not None and person.pk == row.suspended_by_id:
        raise Conflict("Another person lifts it: it was you who set it.")
    row.lifted_by, row.lifted_at, row.lift_reason = person, Now(), checked_reason(reason)
    row.save(update_fields=["lifted_by", "lifted_at", "lift_reason"])
    row.refresh_from_db(fields=["lifted_at"])
    _record(Event.SUSPENSION_LIFTED, row, actor, row.lift_reason)
    return row


def goes_on(actor: Actor, suspended: frozenset[tuple[str, str]]) -> bool:
    """Whether neither the person nor a team of theirs is among what is `suspended` (`live_names`)."""
    return suspended.isdisjoint({("person", actor.id), *(("team", slug) for slug in actor.team_slugs)})


def live_names() -> frozenset[tuple[str, str]]:
    """Kind and name of all that is suspended now."""
    return frozenset(Suspension.objects.live().order_by().values_list("kind", "name"))


def is_suspended(person: Person) -> bool:
    """Whether a person, or a team of theirs, is suspended."""
    return not Person.objects.active().filter(pk=person.pk).exists() and person.is_active


def refuse_leaving(team: Team | None, *, field: str) -> None:
    """Raise `Conflict` while a team is suspended: nothing gets out of that by leaving the team."""
    if team is not None and Suspension.objects.live().filter(kind="team", name=team.slug).exists():
        raise Conflict(f"The team '{team.slug}' is suspended: lift that first.", field=field)


def suspended_now() -> Suspended | None:
    """All that is suspended, as the gateway decides by it; None where nothing is."""
    named: dict[str, set[str]] = {kind.value: set() for kind in SuspensionKind}
    for kind, name in live_names():
        named[kind].add(name)
    if not any(named.values()):
        return None
    teams = frozenset(named[SuspensionKind.TEAM])
    return Suspended(
        everything=bool(named[SuspensionKind.EVERYTHING]),
        agents=_with_rules(
            Agent.objects.filter(client_id__in=named[SuspensionKind.AGENT]).values_list("pk", flat=True),
            Agent.objects.filter(owner_team__slug__in=teams).values_list("pk", flat=True),
            Rule.SUSPENDED_AGENT,
        ),
        people=_with_rules(
            Person.objects.filter(public_id__in=named[SuspensionKind.PERSON]).values_list("pk", flat=True),
            Membership.objects.filter(team__slug__in=teams).values_list("person_id", flat=True),
            Rule.SUSPENDED_PERSON,
        ),
        teams=teams,
        servers=frozenset(named[SuspensionKind.SERVER]),
        definitions=_by_server(named[SuspensionKind.DEFINITION]),
    )


def _with_rules(themselves: Any, of_teams: Any, rule: Rule) -> MappingProxyType[int, Rule]:
    return MappingProxyType(dict.fromkeys(of_teams, Rule.SUSPENDED_TEAM) | dict.fromkeys(themselves, rule))


def _by_server(names: set[str]) -> MappingProxyType[str, frozenset[Key]]:
    found: dict[str, set[Key]] = {}
    for parts in filter(None, map(split_definition, names)):
        kind, slug, own = parts
        found.setdefault(slug, set()).add((kind, own))
    return MappingProxyType({slug: frozenset(keys) for slug, keys in found.items()})


def _person(actor: Actor) -> Person | None:
    """The acting person; None for the command line on the host, which is no person."""
    return Person.objects.get(public_id=actor.id) if actor.kind is ActorKind.PERSON else None


def _subject(row: Suspension) -> str:
    if row.kind == SuspensionKind.PERSON.value:
        return subject_of(Person.objects.get(public_id=row.name))
    if row.kind == SuspensionKind.EVERYTHING.value:
        return EVERYTHING
    return row.name if row.kind == SuspensionKind.DEFINITION.value else subject(row.kind, row.name)


def _record(event: Event, row: Suspension, actor: Actor, reason: str) -> None:
    about = _subject(row)
    changed(
        event,
        actor=actor,
        subject=about,
        reason=reason,
        after={"suspension": str(row.public_id), "kind": row.kind, "on_the_host": actor.kind is not ActorKind.PERSON},
        owner_team=row.owner_team,
        agent=row.name if row.kind == SuspensionKind.AGENT.value else "",
    )
