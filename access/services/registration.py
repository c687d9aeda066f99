"""Clients that register themselves (RFC 7591)."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from access.client_metadata import ClientMetadata
from access.models import Agent
from access.services.agents import RegisteredAgent, insert_agent, record_registration
from access.services.recording import refuse_without
from audit.permit import audited_denials
from core.actor import Actor
from core.errors import Unavailable
from core.names import subject
from core.permissions import Permission

PER_DAY = 1000  # of the whole installation, from however many addresses


@audited_denials
def register_client(*, metadata: ClientMetadata, actor: Actor, address: str = "") -> RegisteredAgent:
    """Make an agent of what a client said about itself. It acts for people, by what they hold, and holds nothing.

    Where registration is open anybody may; otherwise it takes `agent:register`.
    Raises `PermissionDenied`, `Unavailable` (off, or too many today).
    """
    if settings.DYNAMIC_REGISTRATION == "off":
        raise Unavailable("Clients do not register themselves here.")
    if settings.DYNAMIC_REGISTRATION != "open":
        refuse_without(actor, Permission.AGENT_REGISTER, subject("agent", "new"))
    lately = Agent.objects.filter(
        registration_source=Agent.RegistrationSource.DCR, created__gt=timezone.now() - timedelta(days=1)
    )
    if lately.count() >= PER_DAY:
        raise Unavailable("Too many clients registered themselves today.")
    made = insert_agent(
        name=metadata.name,
        authorization_grant_type=Agent.GRANT_AUTHORIZATION_CODE,
        redirect_uris=metadata.redirect_uris,
        public=metadata.auth_method == "none",
        registration_source=Agent.RegistrationSource.DCR,
    )
    record_registration(made.agent, actor=actor, address=address)
    return made
