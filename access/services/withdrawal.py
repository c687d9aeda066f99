"""Taking a retired server out of every role and consent (docs/adr/0001-grants-name-resources-as-text.md)."""

from access.models import Role
from access.services.consents import end_consents_at
from access.services.recording import changed, subject_of
from audit.events import Event
from core.actor import Actor
from core.scopes import scope_server


def withdraw_server_scopes(*, slug: str, actor: Actor, reason: str) -> int:
    """Remove every scope of server `slug` from every role, so that a revived slug finds no old rights.

    What people allowed agents to do there ends too: nobody allowed it at the server that comes after.
    Part of the transaction that retires the server, whose service has checked who may. Answers how many roles changed.
    """
    end_consents_at(slug=slug, actor=actor, reason=reason)
    roles = [
        role
        for role in Role.objects.select_for_update().order_by("pk")
        if any(scope_server(scope) == slug for scope in role.scopes)
    ]
    for role in roles:
        before = {"scopes": role.scopes}
        role.scopes = [scope for scope in role.scopes if scope_server(scope) != slug]
        role.save(update_fields=["scopes", "updated_at"])
        after = {"scopes": role.scopes}
        changed(Event.ROLE_CHANGED, actor=actor, subject=subject_of(role), reason=reason, before=before, after=after)
    return len(roles)
