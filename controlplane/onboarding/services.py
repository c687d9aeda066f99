"""Letting somebody call a server: role, agent and grant in one transaction, each with its own audit record."""

from dataclasses import dataclass

from access.models import Grant
from access.services import Holder, RegisteredAgent, create_role, give_grant, register_agent
from audit.permit import audited_denials
from core.actor import Actor
from core.errors import Conflict
from core.scopes import baseline_scopes
from servers.models import Server


@dataclass(frozen=True, slots=True, repr=False)
class Let:
    """The grant, and the agent with its secret where one was made for it."""

    grant: Grant
    made: RegisteredAgent | None


@audited_denials
def let_call(
    *, slug: str, actor: Actor, reason: str, role: str = "", holder: Holder | None = None, agent: str = ""
) -> Let:
    """Give `role` to `holder`, or to a new agent called `agent`.

    Without a `role` one is made that lists and calls what is approved of this server and nothing else.
    Raises what `create_role`, `register_agent` and `give_grant` do; then none of it has happened.
    """
    server = Server.objects.visible_to(actor).select_related("owner_team").by_slug(slug)
    given = role or _made_role(server, actor)
    team = server.owner_team.slug if server.owner_team else ""
    made = register_agent(name=agent, owner_team=team, actor=actor) if holder is None else None
    receiver = Holder(agent=made.agent.client_id) if made else holder
    assert receiver is not None  # noqa: S101 -- for the type checker; one of the two is given
    return Let(give_grant(role=given, holder=receiver, actor=actor, reason=reason), made)


def caller_role(slug: str) -> str:
    """The name of the role that is made for callers of a server."""
    return f"{slug}-caller"


def _made_role(server: Server, actor: Actor) -> str:
    name = caller_role(server.slug)
    text = f"Lists and calls what is approved of {server.slug}, but for what is marked sensitive."
    try:
        scopes = sorted(baseline_scopes(server.slug))
        return create_role(name=name, scopes=scopes, description=text, actor=actor).name
    except Conflict as error:
        raise Conflict(error.message, field="role") from error
