"""Asking for a permission in a service of this app, before its transaction begins.

`audit.permit` does so for the apps above: it stands on these services.
"""

from audit.services.recording import denied
from core.actor import Actor
from core.errors import PermissionDenied
from core.permissions import Permission


def permit(actor: Actor, permission: Permission, *, about: str, somewhere: bool = False) -> None:
    """Raise `PermissionDenied`, which is recorded, unless the actor holds the permission; `somewhere`: for anything."""
    if actor.may_somewhere(permission) if somewhere else actor.may(permission):
        return
    denied(actor=actor, permission=permission, subject=about)
    raise PermissionDenied(f"This needs the permission {permission}.", subject=about)
