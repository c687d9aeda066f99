"""Commands about roles."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from access.completing import Completed, completed_by_change
from access.models import Grant, Reach, Role
from access.names import checked_name, checked_reason, checked_scopes
from access.services.authority import may_pass_on
from access.services.builtin import BUILTIN_ROLES, BuiltinRole
from access.services.lookups import locked
from access.services.recording import changed, created_many, refuse_without, subject_of, told_of
from audit.events import Event
from audit.permit import audited_denials, refuse_unless
from core.actor import Actor, system_actor
from core.errors import Conflict, Invalid
from core.names import subject
from core.permissions import Permission

DESCRIPTION_MAX = 2000


@audited_denials
def create_role(
    *, name: str, scopes: Iterable[str], actor: Actor, description: str = "", reach: str = "installation"
) -> Role:
    """Make a role of permissions and MCP scopes.

    Needs `role:manage`, and nobody names a permission that they do not hold (`may_pass_on`).
    Raises `Invalid`, `Conflict` (the name is taken), `PermissionDenied`.
    """
    about = subject("role", name[:80])
    refuse_without(actor, Permission.ROLE_MANAGE, about)
    role = Role(name=checked_name(name, field="name"), scopes=checked_scopes(scopes))
    role.description, role.reach = _checked_description(description), _checked_reach(reach)
    _refuse_to_raise(role, actor, about)
    try:
        with transaction.atomic():
            role.save()
    except IntegrityError as error:
        raise Conflict(f"There is a role '{role.name}' already.", field="name") from error
    changed(Event.ROLE_CREATED, actor=actor, subject=subject_of(role), after=_facts(role))
    return role


@audited_denials
def change_role(
    *,
    role_id: UUID,
    actor: Actor,
    scopes: Iterable[str],
    description: str | None = None,
    unchanged_since: datetime | None = None,
    reason: str = "",
) -> Role:
    """Give a role other scopes; whoever holds it follows at once. Built-in roles do not change.

    Both the old and the new permissions must be the actor's own. More for a role that somebody holds is given to
    somebody, so that takes `grant:manage` too, and the answer's `completes` says which toxic flow it completes.
    `unchanged_since` is the role's `updated_at` as the actor knows it, an aware moment. Raises as `create_role`,
    `NotFound`, and `Conflict` (built in, changed since then, or it completes a flow where such grants are refused).
    """
    role = locked(Role, role_id, "role")
    about = subject_of(role)
    refuse_without(actor, Permission.ROLE_MANAGE, about)
    if role.builtin:
        raise Conflict("A built-in role does not change; make one of your own.")
    _refuse_to_raise(role, actor, about)
    if unchanged_since is not None and role.updated_at != unchanged_since:
        raise Conflict("The role was changed meanwhile; look at it again.", field="unchanged_since")
    before = _facts(role)
    earlier, role.scopes = role.scopes, checked_scopes(scopes)
    role.description = role.description if description is None else _checked_description(description)
    _refuse_to_raise(role, actor, about)
    if set(role.scopes) - set(earlier) and Grant.objects.live().filter(role=role).exists():
        refuse_without(actor, Permission.GRANT_MANAGE, about)
    role.save()
    role.completes = _completed(role, earlier)
    after = _facts(role) | told_of(role.completes)
    changed(Event.ROLE_CHANGED, actor=actor, subject=about, reason=_checked_note(reason), before=before, after=after)
    return role


def _completed(role: Role, earlier: list[str]) -> Completed | None:
    """What the change completes. Raises `Conflict` where this installation gives nothing that does."""
    found = completed_by_change(role, earlier)
    if found is not None and settings.REFUSE_TOXIC_GRANTS:
        raise Conflict(
            "It would complete a toxic flow for who holds the role, and this installation allows no such change.",
            field="scopes",
        )
    return found


def ensure_builtin_roles() -> None:
    """Make the built-in roles what this version ships them as. Does nothing where they are so already.

    Raises `Conflict` where a role has the name of one in other letters.
    """
    actor = system_actor("setup")
    with transaction.atomic():
        _make_builtin_roles(actor)
        rows = {role.name: role for role in _builtin_roles().select_for_update()}
        for shipped in BUILTIN_ROLES:
            if shipped.name not in rows:
                raise Conflict(f"There is a role '{shipped.name}' already, in other letters.")
            role, wanted = rows[shipped.name], _shipped(shipped)
            if any(getattr(role, field) != value for field, value in wanted.items()):
                before = _facts(role)
                Role.objects.filter(pk=role.pk).update(**wanted)
                after = {"scopes": wanted["scopes"], "reach": shipped.reach}
                changed(Event.ROLE_CHANGED, actor=actor, subject=subject_of(role), before=before, after=after)


def _make_builtin_roles(actor: Actor) -> None:
    """Make those that are missing, all at once. Who makes the same at the same time goes first, and records them."""
    there = set(_builtin_roles().values_list("name", flat=True))
    missing = [Role(name=role.name, **_shipped(role)) for role in BUILTIN_ROLES if role.name not in there]
    if missing:
        Role.objects.bulk_create(missing, ignore_conflicts=True)
        ours = {role.public_id for role in missing}
        made = [role for role in _builtin_roles() if role.public_id in ours]
        created_many(Event.ROLE_CREATED, actor=actor, after={subject_of(role): _facts(role) for role in made})


def _builtin_roles() -> QuerySet[Role]:
    return Role.objects.filter(name__in=[role.name for role in BUILTIN_ROLES])


def _shipped(role: BuiltinRole) -> dict[str, Any]:
    scopes = sorted(map(str, role.permissions))
    return {"description": role.description, "scopes": scopes, "reach": role.reach, "builtin": True}


def _refuse_to_raise(role: Role, actor: Actor, about: str) -> None:
    refuse_unless(may_pass_on(actor, role.scopes), actor=actor, permission=Permission.ROLE_MANAGE, subject=about)


def _checked_reach(reach: str) -> str:
    if reach not in Reach:
        raise Invalid("Use installation or own_teams.", field="reach")
    return reach


def _checked_description(text: str) -> str:
    if len(text) > DESCRIPTION_MAX or "\0" in text:
        raise Invalid(f"At most {DESCRIPTION_MAX} characters.", field="description")
    return text.strip()


def _checked_note(reason: str) -> str:
    return checked_reason(reason) if reason.strip() else ""


def _facts(role: Role) -> dict[str, object]:
    return {"scopes": list(role.scopes), "reach": role.reach}
