"""Marking a definition as sensitive: it then needs a scope of its own."""

from uuid import UUID

from access.services import bump_revision, server_part
from audit.events import Event
from audit.permit import audited_denials, refuse_unless
from core.actor import Actor
from core.errors import Invalid, NotFound
from core.names import subject
from core.permissions import Permission
from tools.models import Definition
from tools.rules import REASON_MAX
from tools.services.recording import note_definition


@audited_denials
def mark_sensitive(*, definition_id: UUID, sensitive: bool, actor: Actor, reason: str) -> Definition:
    """Mark or unmark. Raises `NotFound`, `PermissionDenied`, `Invalid` (no reason)."""
    if not reason.strip() or len(reason) > REASON_MAX or "\0" in reason:
        raise Invalid(f"Say why, in 1 to {REASON_MAX} characters.", field="reason")
    rows = Definition.objects.visible_to(actor).select_for_update(of=("self",)).select_related("server__owner_team")
    definition = rows.filter(public_id=definition_id).first()
    if definition is None:
        raise NotFound("There is no such definition.")
    server = definition.server
    refuse_unless(
        actor.may(Permission.SERVER_EDIT, team_id=server.owner_team_id),
        actor=actor,
        permission=Permission.SERVER_EDIT,
        subject=subject(definition.kind, server.slug, definition.name),
    )
    if definition.sensitive == sensitive:
        return definition
    definition.sensitive = sensitive
    definition.save(update_fields=["sensitive"])
    note_definition(
        Event.TOOL_MARKED_SENSITIVE,
        server=server,
        kind=definition.kind,
        name=definition.name,
        actor=actor,
        reason=reason.strip(),
        before={"sensitive": not sensitive},
        after={"sensitive": sensitive},
    )
    bump_revision(server_part(server.slug))
    return definition
