"""Making a role of what another role's holders use. It is given to nobody: who looks at it gives it."""

from uuid import UUID

from access.models import Role
from access.services import create_role
from audit.permit import audited_denials, refuse_unless
from core.actor import Actor
from core.errors import Conflict, NotFound
from core.names import subject
from core.permissions import Permission
from tools.rightsizing import NEEDED, sized_roles


@audited_denials
def narrow_role(*, role_id: UUID, name: str, days: int, actor: Actor) -> Role:
    """Make a role named `name` of the scopes that would have done for `days` days. The wider role stays as it is.

    Needs `role:manage`, and sight of everything that it is worked out from (`NEEDED`).
    Raises `NotFound`, `Conflict` (nothing to narrow, the name is taken), `Invalid` (the name), `PermissionDenied`.
    """
    about = subject("role", name[:80])
    for permission in (Permission.ROLE_MANAGE, *NEEDED):
        refuse_unless(actor.may(permission), actor=actor, permission=permission, subject=about)
    role = Role.objects.visible_to(actor).filter(public_id=role_id).first()
    if role is None:
        raise NotFound("There is no such role.")
    sizings = [each.sizing for each in sized_roles(actor, Role.objects.filter(pk=role.pk), days=days)]
    if not sizings:
        raise Conflict(f"Nobody holds '{role.name}' now, so there is no use to go by.")
    (sizing,) = sizings
    if sizing is None:
        raise Conflict(f"'{role.name}' was given, changed or counted for fewer than {days} days.")
    if not sizing.narrower:
        raise Conflict(f"There is no narrower role to make of '{role.name}': all of it was used, or nothing of it.")
    description = f"Of '{role.name}', what its holders used within {days} days."
    return create_role(name=name, scopes=sizing.narrower, description=description, reach=role.reach, actor=actor)
