"""Commands about agents."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from access.models import AccessToken, Agent, AgentState, AuthorizationCode, NameStyle, RefreshToken, Team
from access.names import checked_name, checked_reason
from access.services.lookups import agent_with, team_named
from access.services.recording import changed, refuse_without, subject_of
from audit.events import Event
from audit.permit import audited_denials
from core.actor import Actor
from core.errors import Conflict, Invalid
from core.names import subject
from core.permissions import Permission

GRANT_TYPES = {"client_credentials": Agent.GRANT_CLIENT_CREDENTIALS}
_SECRET_PREFIX = "hfs_"  # noqa: S105 -- by which people and secret scanners know one


@dataclass(frozen=True, slots=True, repr=False)
class RegisteredAgent:
    """An agent with its secret, which is shown this once and never again."""

    agent: Agent
    secret: str


@audited_denials
def register_agent(
    *,
    name: str,
    actor: Actor,
    grant_types: Iterable[str] = ("client_credentials",),
    owner_team: str = "",
    name_style: str = NameStyle.DOUBLE_UNDERSCORE.value,
) -> RegisteredAgent:
    """Make an OAuth client for an agent. It may nothing until a grant gives it a role.

    Raises `Invalid`, `NotFound` (no such team), `PermissionDenied`.
    """
    team = team_named(owner_team, field="owner_team") if owner_team else None
    refuse_without(actor, Permission.AGENT_MANAGE, subject("agent", "new"), team_id=team.pk if team else None)
    if name_style not in NameStyle:
        raise Invalid("Use double_underscore, slash or dot.", field="name_style")
    secret = _new_secret()
    agent = Agent.objects.create(
        name=checked_name(name, field="name"),
        client_type=Agent.CLIENT_CONFIDENTIAL,
        authorization_grant_type=_checked_grant_type(grant_types),
        client_secret=secret,
        owner_team=team,
        name_style=name_style,
    )
    _record(Event.AGENT_REGISTERED, agent, actor, after={"name": agent.name, "name_style": name_style})
    return RegisteredAgent(agent, secret)


@audited_denials
def suspend_agent(*, client_id: str, actor: Actor, reason: str) -> Agent:
    """Stop an agent at once: its tokens end and it gets no new ones. Grants stay.

    Raises `NotFound`, `Conflict` (suspended already), `PermissionDenied`, `Invalid` (no reason).
    """
    agent = _locked(client_id, actor)
    if agent.state == AgentState.SUSPENDED:
        raise Conflict("This agent is suspended already.")
    agent.state = AgentState.SUSPENDED.value
    agent.save(update_fields=["state", "updated"])
    after = {"state": agent.state, "tokens_ended": _end_tokens(agent)}
    _record(Event.AGENT_SUSPENDED, agent, actor, reason=checked_reason(reason), after=after)
    return agent


@audited_denials
def resume_agent(*, client_id: str, actor: Actor, reason: str) -> Agent:
    """Let a suspended agent get tokens again. Raises as `suspend_agent`."""
    agent = _locked(client_id, actor)
    if agent.state == AgentState.ACTIVE:
        raise Conflict("This agent is active.")
    agent.state = AgentState.ACTIVE.value
    agent.save(update_fields=["state", "updated"])
    _record(Event.AGENT_RESUMED, agent, actor, reason=checked_reason(reason), after={"state": agent.state})
    return agent


@audited_denials
def rotate_secret(*, client_id: str, actor: Actor, reason: str) -> RegisteredAgent:
    """Replace an agent's secret; the old one and every token got with it end now. Raises as `suspend_agent`."""
    agent = _locked(client_id, actor)
    secret = _new_secret()
    agent.client_secret = secret
    agent.save(update_fields=["client_secret", "updated"])
    after = {"tokens_ended": _end_tokens(agent)}
    _record(Event.AGENT_SECRET_ROTATED, agent, actor, reason=checked_reason(reason), after=after)
    return RegisteredAgent(agent, secret)


def _new_secret() -> str:
    return f"{_SECRET_PREFIX}{secrets.token_hex(32)}"


def _checked_grant_type(grant_types: Iterable[str]) -> str:
    wanted = list(grant_types)
    if len(wanted) != 1 or wanted[0] not in GRANT_TYPES:
        raise Invalid("Use client_credentials; other grant types are not offered yet.", field="grant_types")
    return str(GRANT_TYPES[wanted[0]])


def _locked(client_id: str, actor: Actor) -> Agent:
    agent = agent_with(client_id)
    refuse_without(actor, Permission.AGENT_MANAGE, subject_of(agent), team_id=agent.owner_team_id)
    return Agent.objects.select_for_update().get(pk=agent.pk)


def _end_tokens(agent: Agent) -> int:
    AuthorizationCode.objects.filter(application=agent).delete()
    RefreshToken.objects.filter(application=agent).delete()
    gone, _ = AccessToken.objects.filter(application=agent).delete()
    return int(gone)


def _record(event: Event, agent: Agent, actor: Actor, *, after: Mapping[str, object], reason: str = "") -> None:
    team = Team.objects.filter(pk=agent.owner_team_id).first()
    changed(
        event,
        actor=actor,
        subject=subject_of(agent),
        reason=reason,
        after=after,
        owner_team=team.slug if team else "",
        agent=agent.client_id,
    )
