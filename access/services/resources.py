"""What tokens may be issued for, and who may ask about them. `servers` keeps the first in step with its own states."""

from django.conf import settings

from access.models import Agent, ProtectedResource
from access.names import checked_reason
from access.resource_uri import canonical_resource
from access.services.lookups import agent_with
from access.services.recording import changed, refuse_without
from audit.events import Event
from audit.permit import audited_denials
from core.actor import Actor
from core.errors import Invalid
from core.names import subject
from core.permissions import Permission


def keep_protected_resource(*, server_slug: str, active: bool) -> ProtectedResource:
    """Make the gateway's endpoint of a server something that tokens are (or are no longer) issued for.

    Called within the transaction of the server's own command, which records it.
    """
    uri = canonical_resource(f"{settings.GATEWAY_URL}/{server_slug}")
    if uri is None:
        raise ValueError(f"GATEWAY_URL and '{server_slug}' make no resource")
    resource, _ = ProtectedResource.objects.update_or_create(
        server_slug=server_slug, defaults={"uri": uri, "active": active}
    )
    return resource


@audited_denials
def name_introspector(
    *, server_slug: str, owner_team_id: int | None, client_id: str, actor: Actor, reason: str
) -> ProtectedResource:
    """Let one agent ask what tokens for a server are worth: the server itself, with a secret. Empty: nobody.

    `servers` calls it, which knows the team that owns the server.
    Raises `NotFound` (no such agent), `Invalid` (no reason, an agent without a secret), `PermissionDenied`.
    """
    about = subject("server", server_slug)
    refuse_without(actor, Permission.SERVER_EDIT, about, team_id=owner_team_id)
    agent = agent_with(client_id, field="agent") if client_id else None
    if agent is not None:
        refuse_without(actor, Permission.AGENT_MANAGE, about, team_id=agent.owner_team_id)
    if agent is not None and agent.client_type != Agent.CLIENT_CONFIDENTIAL:
        raise Invalid("Only an agent with a secret can prove that it stands for the server.", field="agent")
    resource = ProtectedResource.objects.select_for_update(of=("self",)).get(server_slug=server_slug)
    before, resource.introspector = resource.introspector, agent
    resource.save(update_fields=["introspector"])
    changed(
        Event.AGENT_CHANGED,
        actor=actor,
        subject=about,
        reason=checked_reason(reason),
        before={"introspector": before.client_id if before else None},
        after={"introspector": client_id or None},
        agent=client_id,
    )
    return resource
