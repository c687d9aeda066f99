"""What a person may do, and what they may hand on to others."""

from collections.abc import Iterable
from typing import Final

from django.db.models import Q

from access.models import Grant, Membership, Person, Reach, Role
from access.names import PERMISSIONS
from access.querysets import GrantQuerySet
from access.services.auditors import appointed, is_appointed
from access.services.builtin import AUDITOR
from core.actor import Actor, ActorKind
from core.permissions import Permission

PAYLOADS: Final[frozenset[str]] = frozenset({Permission.PAYLOAD_READ})


def actor_for(person: Person, *, narrowed_to: Iterable[str] = ()) -> Actor:
    """The person as an actor, with what their live grants and those of their teams give them now.

    `narrowed_to` (an API token's scopes) keeps only what it names; empty keeps everything. A grant for
    one environment, or on conditions, gives MCP scopes there and then, but no permission of the console.
    `payload:read` comes from an appointment alone (`access.services.auditors`).
    """
    everywhere: set[str] = set()
    own_teams: set[str] = set()
    grants = Grant.objects.live().unconditional().reaching_person(person).select_related("role")
    for grant in grants if person.is_active else ():
        target = everywhere if grant.role.reach == Reach.INSTALLATION else own_teams
        target.update(grant.role.scopes)
    if PAYLOADS & everywhere and not is_appointed(person):
        everywhere -= PAYLOADS
    own_teams -= PAYLOADS
    kept = PERMISSIONS & (frozenset(narrowed_to) or PERMISSIONS)
    teams = list(person.memberships.values_list("team_id", "team__slug"))
    return Actor(
        kind=ActorKind.PERSON,
        id=str(person.public_id),
        name=person.username,
        permissions=frozenset(everywhere & kept),
        own_team_permissions=frozenset(own_teams & kept),
        team_ids=frozenset(team_id for team_id, _ in teams),
        team_slugs=frozenset(slug for _, slug in teams),
        narrowed=not kept >= PERMISSIONS - PAYLOADS or bool(PAYLOADS & (everywhere - kept)),
    )


def may_pass_on(actor: Actor, scopes: Iterable[str]) -> bool:
    """Whether `actor` holds every permission among `scopes` themselves, everywhere.

    The one rule against raising oneself: whoever gives a role, changes one, adds somebody to a team, sets another's
    password or makes a token for another may hand on no permission that they do not hold. MCP scopes are not
    permissions: who may grant at all may grant them.
    """
    return all(scope in actor.permissions for scope in scopes if scope in PERMISSIONS)


def may_give(actor: Actor, role: Role) -> bool:
    """Whether `actor` may give this role: by `may_pass_on`, but for the auditor's `payload:read`.

    Whoever gives that lacks it, or nobody could appoint the first; it counts only where two people gave it.
    """
    excepted = PAYLOADS if role.builtin and role.name == AUDITOR else frozenset()
    return may_pass_on(actor, set(role.scopes) - excepted)


def permissions_of_team(team_id: int) -> set[str]:
    """Every permission that the live grants of a team give to its members."""
    scopes = Grant.objects.live().filter(team_id=team_id).values_list("role__scopes", flat=True)
    return {scope for held in scopes for scope in held} - PAYLOADS


def people_who_may(permission: str, *, team_id: int | None) -> set[int]:
    """Primary keys of the active people who may do this to what a team owns (None: nobody's), as `actor_for` says."""
    if permission in PAYLOADS:
        return set(Person.objects.active().filter(pk__in=appointed()).values_list("pk", flat=True))
    giving = Grant.objects.live().unconditional().filter(role__scopes__contains=[permission])
    anywhere = _holders(giving.filter(role__reach=Reach.INSTALLATION))
    members = Membership.objects.filter(team__in=[] if team_id is None else [team_id]).values("person_id")
    own = _holders(giving.exclude(role__reach=Reach.INSTALLATION)) & Q(pk__in=members)
    return set(Person.objects.active().filter(anywhere | own).values_list("pk", flat=True))


def _holders(grants: GrantQuerySet) -> Q:
    return Q(pk__in=grants.values("person_id")) | Q(memberships__team__in=grants.values("team_id"))
