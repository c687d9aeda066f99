"""Commands about agents."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from access.models import AccessToken, Agent, AgentState, AuthorizationCode, NameStyle, RefreshToken, Team
from access.names import checked_name, checked_reason
from access.redirects import problem_of_all
from access.services.lookups import agent_with, team_named
from access.services.recording import changed, refuse_without, subject_of
from audit.events import Event, RecordType
from audit.permit import audited_denials
from audit.services import record
from core.actor import Actor
from core.errors import Conflict, Invalid
from core.names import subject
from core.permissions import Permission

GRANT_TYPES = {
    "client_credentials": Agent.GRANT_CLIENT_CREDENTIALS,
    "authorization_code": Agent.GRANT_AUTHORIZATION_CODE,
}
_SECRET_PREFIX = "hfs_"  # noqa: S105 -- by which people and secret scanners know one


@dataclass(frozen=True, slots=True, repr=False)
class RegisteredAgent:
    """An agent with its secret, which is shown this once and never again; empty for a public agent, which has none."""

    agent: Agent
    secret: str


@audited_denials
def register_agent(
    *,
    name: str,
    actor: Actor,
    grant_types: Iterable[str] = ("client_credentials",),
    redirect_uris: Iterable[str] = (),
    public: bool = False,
    owner_team: str = "",
    name_style: str = NameStyle.DOUBLE_UNDERSCORE.value,
) -> RegisteredAgent:
    """Make an OAuth client for an agent. It may nothing until a grant gives it, or whom it acts for, a role.

    One that acts for people (`authorization_code`) names where they are sent back to; if it is `public`, a program on
    the person's own computer that could keep no secret, it gets none.
    Raises `Invalid`, `NotFound` (no such team), `PermissionDenied`.
    """
    team = team_named(owner_team, field="owner_team") if owner_team else None
    refuse_without(actor, Permission.AGENT_MANAGE, subject("agent", "new"), team_id=team.pk if team else None)
    if name_style not in NameStyle:
        raise Invalid("Use double_underscore, slash or dot.", field="name_style")
    grant_type = _checked_grant_type(grant_types)
    uris = _checked_redirect_uris(redirect_uris, grant_type, public=public)
    made = insert_agent(
        name=checked_name(name, field="name"),
        authorization_grant_type=grant_type,
        redirect_uris=uris,
        public=public,
        owner_team=team,
        name_style=name_style,
    )
    after = {"name": made.agent.name, "name_style": name_style, "public": public, "redirect_uris": uris}
    _record(Event.AGENT_REGISTERED, made.agent, actor, after=after)
    return made


def insert_agent(*, redirect_uris: Iterable[str], public: bool, **columns: Any) -> RegisteredAgent:
    """The row and its secret, without asking who may; within a command that is under way already."""
    secret = _new_secret()
    agent = Agent.objects.create(
        client_type=Agent.CLIENT_PUBLIC if public else Agent.CLIENT_CONFIDENTIAL,
        # Of a public agent nobody ever learns it: the hash of an empty one would be a secret that anybody has.
        client_secret=secret,
        redirect_uris=" ".join(redirect_uris),
        **columns,
    )
    return RegisteredAgent(agent, "" if public else secret)


def record_registration(agent: Agent, *, actor: Actor, address: str = "") -> None:
    """Record that an agent registered itself. No gateway needs to hear of it: it holds neither grant nor token yet."""
    after = {"name": agent.name, "source": agent.source, "redirect_uris": agent.redirect_uris.split()}
    record(
        type=RecordType.ADMIN,
        event=Event.AGENT_REGISTERED,
        actor=actor,
        subject=subject_of(agent),
        after={**after, "public": agent.is_public, "digest": agent.document_digest},
        agent=agent.client_id,
        client_ip=address,
    )


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
    if agent.is_public:
        raise Conflict("This agent is public and has no secret.")
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
        raise Invalid("Name one of client_credentials and authorization_code.", field="grant_types")
    return str(GRANT_TYPES[wanted[0]])


def _checked_redirect_uris(redirect_uris: Iterable[str], grant_type: str, *, public: bool) -> list[str]:
    uris = list(dict.fromkeys(redirect_uris))
    if grant_type == Agent.GRANT_CLIENT_CREDENTIALS:
        if uris:
            raise Invalid("An agent that acts for nobody sends nobody back.", field="redirect_uris")
        if public:
            raise Invalid("An agent that acts for nobody needs a secret.", field="public")
    elif not uris:
        raise Invalid("Name at least one redirect URI.", field="redirect_uris")
    if sentence := problem_of_all(uris):
        raise Invalid(sentence, field="redirect_uris")
    return uris


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
