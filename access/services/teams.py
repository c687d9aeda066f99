"""Commands about teams."""

from django.db import IntegrityError, transaction

from access.models import Membership, Person, Team
from access.names import checked_name, checked_slug
from access.services.administrators import lock_administrators, refuse_without_administrator
from access.services.authority import actor_for, may_pass_on, permissions_of_team
from access.services.lookups import person_named, team_named
from access.services.recording import changed, refuse_without, subject_of
from access.services.separation import kept_apart
from audit.events import Event
from audit.permit import audited_denials, refuse_unless
from core.actor import Actor
from core.errors import Conflict
from core.names import subject
from core.permissions import Permission


@audited_denials
def create_team(*, slug: str, actor: Actor, name: str = "") -> Team:
    """Make a team; its name is its slug unless given. Raises `Invalid`, `Conflict`, `PermissionDenied`."""
    refuse_without(actor, Permission.TEAM_MANAGE, subject("team", slug[:80]))
    team = Team(slug=checked_slug(slug, field="slug"), name=checked_name(name or slug, field="name"))
    try:
        with transaction.atomic():
            team.save()
    except IntegrityError as error:
        raise Conflict(f"There is a team '{team.slug}' already.", field="slug") from error
    changed(Event.TEAM_CREATED, actor=actor, subject=subject_of(team), owner_team=team.slug)
    return team


@audited_denials
def add_member(*, team: str, username: str, actor: Actor) -> Membership:
    """Put a person into a team, whose grants then reach them.

    Needs `team:manage`, and nobody hands on a permission that they do not hold (`may_pass_on`): neither the team's,
    nor those of the person that reach what their teams own and so this team's things from now on.
    Raises `NotFound`, `Conflict` (a member already, deactivated, would hold two roles that are kept apart),
    `PermissionDenied`.
    """
    joined, person = _pair(team, username, actor)
    handed_on = permissions_of_team(joined.pk) | actor_for(person).own_team_permissions
    about = subject_of(joined)
    refuse_unless(may_pass_on(actor, handed_on), actor=actor, permission=Permission.TEAM_MANAGE, subject=about)
    if not person.is_active:
        raise Conflict("This person is deactivated.", field="username")
    with kept_apart("username"):
        membership, created = Membership.objects.get_or_create(team=joined, person=person)
    if not created:
        raise Conflict("This person is in the team already.", field="username")
    _record(Event.MEMBERSHIP_ADDED, joined, person, actor)
    return membership


@audited_denials
def remove_member(*, team: str, username: str, actor: Actor) -> None:
    """Take a person out of a team.

    Raises `NotFound`, `Conflict` (no member, last administrator), `PermissionDenied`.
    """
    lock_administrators()
    left, person = _pair(team, username, actor)
    gone, _ = Membership.objects.filter(team=left, person=person).delete()
    if not gone:
        raise Conflict("This person is not in the team.", field="username")
    refuse_without_administrator()
    _record(Event.MEMBERSHIP_REMOVED, left, person, actor)


def _pair(team: str, username: str, actor: Actor) -> tuple[Team, Person]:
    row = Team.objects.select_for_update().get(pk=team_named(team).pk)
    refuse_without(actor, Permission.TEAM_MANAGE, subject_of(row))
    return row, person_named(username, field="username")


def _record(event: Event, team: Team, person: Person, actor: Actor) -> None:
    after = {"team": team.slug}
    changed(event, actor=actor, subject=subject_of(person), after=after, owner_team=team.slug)
