"""A refused call in words: which check refused it, what would have let it through, and where that can be looked at.

All of it follows from what the record says (its rule, or its reason where no rule refused) and from the docs' table of
rules (docs/access.md). What holds now is not asked: a record says what was so when the call came.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from access.models import Agent
from access.policy import REASONS, Reason
from access.rules import Rule
from audit.events import Event
from audit.models import Record
from controlplane.words import SCOPES_NEEDED
from core.actor import Actor
from core.permissions import Permission
from servers.models import Server
from tools.models import Definition, Review
from tools.presentation import scopes_for

Text = Any  # a lazily translated text
_AGENT: Final = "agent:"


@dataclass(frozen=True, slots=True)
class Explanation:
    """`scopes`: those any one of which would have done (of a token: all of them); `links`: title and address."""

    rule: str
    refused: Text
    remedy: Text
    scopes: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


# What each check found, and what it takes. In the order of the checks.
_SUSPENDED: Final = gettext_lazy(
    "Another person than the one who suspended lifts that, on the page of the kill switch."
)
_BY_RULE: Final[Mapping[Rule, tuple[Text, Text]]] = {
    Rule.SUSPENDED_EVERYTHING: (gettext_lazy("Everything was suspended."), _SUSPENDED),
    Rule.SUSPENDED_AGENT: (gettext_lazy("The agent was suspended."), _SUSPENDED),
    Rule.SUSPENDED_PERSON: (gettext_lazy("The person for whom the agent acts was suspended."), _SUSPENDED),
    Rule.SUSPENDED_TEAM: (
        gettext_lazy("A team was suspended: that of the agent, of the person, or of the server."),
        _SUSPENDED,
    ),
    Rule.AGENT_ACTIVE: (
        gettext_lazy("The agent was not active."),
        gettext_lazy("Somebody who manages agents resumes it on its page."),
    ),
    Rule.PERSON_ACTIVE: (
        gettext_lazy("The account of the person for whom the agent acts was deactivated."),
        gettext_lazy("Nothing, for this person: an account stays deactivated. Somebody else has to consent."),
    ),
    Rule.SERVER_KNOWN: (
        gettext_lazy("There was no server of this name."),
        gettext_lazy("The agent has another address in its settings, or the server has to be registered."),
    ),
    Rule.TOKEN_AUDIENCE: (
        gettext_lazy("The access token was issued for another endpoint than this one."),
        gettext_lazy("The agent asks for a token for this endpoint. One token is never good for two servers."),
    ),
    Rule.GRANT_SERVER: (
        gettext_lazy("No grant that held then and there reached this server."),
        gettext_lazy(
            "A grant of a role with any scope of this server; one that has ended, is for another environment, or whose "
            "conditions were not met does not count."
        ),
    ),
    Rule.CEILING_SERVER: (
        gettext_lazy("The person may reach this server, but the agent's own grants do not."),
        gettext_lazy("A grant to the agent itself: it is bound by its own ones, whoever it acts for."),
    ),
    Rule.SUSPENDED_SERVER: (gettext_lazy("The server was suspended."), _SUSPENDED),
    Rule.SERVER_ACTIVE: (
        gettext_lazy("The server was not active."),
        gettext_lazy("Nothing of it is served until it was approved, or after it was suspended or retired."),
    ),
    Rule.SERVER_CARD: (
        gettext_lazy("The server's identity, endpoint or authorization is not what was approved."),
        gettext_lazy("Somebody decides the review of its card; all of the server is withheld until then."),
    ),
    Rule.SERVER_EMERGENCY: (
        gettext_lazy("Only an emergency served this server, and that had ended."),
        gettext_lazy("Somebody decides the review of its card."),
    ),
    Rule.TOKEN_CONNECT: (
        gettext_lazy("The role allows connecting; the access token does not."),
        gettext_lazy("The client asks for a token with these scopes, as the answer told it:"),
    ),
    Rule.DEFINITION_KNOWN: (
        gettext_lazy("The server was never seen to offer anything of this name."),
        gettext_lazy("Another name, or a look at the server that finds it. The agent was told that there is none."),
    ),
    Rule.DEFINITION_SHOWN: (
        gettext_lazy("The server does not show this to this agent."),
        gettext_lazy("That is the server's own choice. The agent was told that there is none."),
    ),
    Rule.GRANT_DEFINITION: (
        gettext_lazy("A role of the agent reaches the server, but none reaches this."),
        gettext_lazy("A role with one of these scopes. The agent was told that there is nothing of this name."),
    ),
    Rule.CEILING_DEFINITION: (
        gettext_lazy("The person may use this, but no role of the agent itself reaches it."),
        gettext_lazy("A role with one of these scopes, given to the agent itself:"),
    ),
    Rule.SUSPENDED_DEFINITION: (gettext_lazy("This definition was suspended."), _SUSPENDED),
    Rule.DEFINITION_APPROVED: (
        gettext_lazy("It was withheld: what the server offers is not what somebody approved."),
        gettext_lazy("Somebody decides its review. Until then no role reaches it."),
    ),
    Rule.DEFINITION_UNEXPIRED: (
        gettext_lazy("Its approval had come to its end."),
        gettext_lazy("Somebody approves it again: it waits in the inbox."),
    ),
    Rule.DEFINITION_SCHEMA: (
        gettext_lazy("No arguments can be checked against its approved schema, so it is withheld."),
        gettext_lazy("The server offers a schema that can be used, and somebody approves that."),
    ),
    Rule.DEFINITION_SCHEME: (
        gettext_lazy("A URI of this scheme is none of what was approved of this server."),
        gettext_lazy("A resource or template that spells this scheme out, approved. The agent was told of none."),
    ),
    Rule.INTENTION_GIVEN: (
        gettext_lazy("The server asks for calls like this to say why they are made, and this one did not."),
        gettext_lazy("The agent sets holdfast/intention in the request's _meta, as the answer told it."),
    ),
    Rule.TOKEN_SCOPE: (
        gettext_lazy("The role allows this call; the access token does not."),
        gettext_lazy("The client asks for a token with these scopes, as the answer told it:"),
    ),
}
# What no check of policy refused, but what came before or after it.
_BY_REASON: Final[Mapping[Reason, tuple[Text, Text]]] = {
    Reason.INVALID_ARGUMENTS: (
        gettext_lazy("The arguments do not fit the approved schema."),
        gettext_lazy("Other arguments: the answer told the agent what was wrong with them."),
    ),
    Reason.INVALID_REQUEST: (
        gettext_lazy("It was not a valid request of the protocol."),
        gettext_lazy("A client that speaks the protocol."),
    ),
    Reason.INVALID_TOKEN: (
        gettext_lazy("It came without an access token, or with one that is not good here."),
        gettext_lazy(
            "A token for this endpoint. A client that has none yet begins like this: it is told where to get one."
        ),
    ),
    Reason.METHOD_NOT_SUPPORTED: (
        gettext_lazy("What was approved of this server does not include this method."),
        gettext_lazy("A server that says that it has it, approved."),
    ),
    Reason.POLICY_STALE: (
        gettext_lazy("The gateway could not read the policy in force, and refused everything."),
        gettext_lazy("Nothing that anybody grants: look at the gateway and its database."),
    ),
    Reason.SERVER_BUSY: (
        gettext_lazy("The server, or this caller at it, had as much under way as it may have."),
        gettext_lazy("Calling again later. How many calls at once is a limit of the server."),
    ),
}
_OF_TOKEN: Final = frozenset({Rule.TOKEN_CONNECT, Rule.TOKEN_SCOPE})
_OF_DEFINITION: Final = frozenset({Rule.GRANT_DEFINITION, Rule.CEILING_DEFINITION})
_OF_GRANT: Final = frozenset({Rule.GRANT_SERVER, Rule.CEILING_SERVER}) | _OF_DEFINITION
_OF_REVIEW: Final = frozenset(
    {Rule.SERVER_CARD, Rule.SERVER_EMERGENCY, Rule.DEFINITION_APPROVED, Rule.DEFINITION_UNEXPIRED}
)


def explained(record: Record, actor: Actor) -> Explanation | None:
    """The refusal in words, with links to what the actor may open; None for what is no refused call."""
    if record.event != Event.CALL_DENIED.value:
        return None
    found = _definition(record, actor)
    rule = next((Rule(text) for text in record.rule_ids if text in _RULES), None)
    if rule is not None:
        refused, remedy = _BY_RULE[rule]
        return Explanation(
            rule.value, refused, remedy, _scopes(record, rule, found), _links(record, rule, actor, found)
        )
    if record.reason in _REASONS:
        return Explanation("", *_BY_REASON[Reason(record.reason)], links=_links(record, None, actor, found))
    return None


_RULES: Final = frozenset(rule.value for rule in REASONS)
_REASONS: Final = frozenset(reason.value for reason in _BY_REASON)


def _scopes(record: Record, rule: Rule, found: Definition | None) -> tuple[str, ...]:
    if rule in _OF_TOKEN:
        needed = record.after.get(SCOPES_NEEDED, ()) if isinstance(record.after, dict) else ()
        return tuple(map(str, needed)) if isinstance(needed, list) else ()
    if rule not in _OF_DEFINITION:
        return ()
    return scopes_for(record.server, record.kind, record.tool, sensitive=found is not None and found.sensitive)


def _links(record: Record, rule: Rule | None, actor: Actor, found: Definition | None) -> tuple[tuple[str, str], ...]:
    """Where it can be looked at and changed: what decided first, then what it is about."""
    sees_server = bool(record.server) and Server.objects.visible_to(actor).filter(slug=record.server).exists()
    makers: list[Callable[[], tuple[str, str] | None]] = []
    if rule in _OF_GRANT:
        makers += [partial(_grant, record, actor), partial(_matrix, record, actor, sees_server=sees_server)]
    if rule in _OF_REVIEW:
        makers.append(partial(_review, record, actor))
    if rule is not None and REASONS[rule] is Reason.SUSPENDED:
        makers.append(partial(_suspensions, actor))
    makers += [
        partial(_agent, record, actor),
        partial(_about, found),
        partial(_server, record, sees_server=sees_server),
    ]
    return tuple(link for make in makers if (link := make()) is not None)


def _grant(record: Record, actor: Actor) -> tuple[str, str] | None:
    if not actor.may_somewhere(Permission.GRANT_MANAGE) or not record.agent:
        return None
    query = {"holder": f"{_AGENT}{record.agent}", "next": reverse("audit:record", args=[record.id])}
    return _("Give the agent a role"), f"{reverse('access:give_grant')}?{urlencode(query)}"


def _matrix(record: Record, actor: Actor, *, sees_server: bool) -> tuple[str, str] | None:
    if not sees_server or not actor.may_somewhere(Permission.ROLE_READ):
        return None
    url = f"{reverse('matrix:matrix')}?{urlencode({'server': record.server})}"
    return _("What each role reaches on this server"), url


def _review(record: Record, actor: Actor) -> tuple[str, str] | None:
    waiting = Review.objects.visible_to(actor).waiting().filter(definition__server__slug=record.server)
    if record.tool:
        waiting = waiting.filter(definition__kind=record.kind, definition__name=record.tool)
    if (found := waiting.first()) is None:
        return None
    return _("The review that waits"), reverse("tools:review", args=[found.public_id])


def _suspensions(actor: Actor) -> tuple[str, str] | None:
    may = actor.may_somewhere(Permission.SUSPENSION_READ)
    return (_("Kill switch"), reverse("tools:suspensions")) if may else None


def _agent(record: Record, actor: Actor) -> tuple[str, str] | None:
    found = Agent.objects.visible_to(actor).filter(client_id=record.agent).first() if record.agent else None
    return (_("What the agent holds"), reverse("access:agent", args=[found.public_id])) if found else None


def _about(found: Definition | None) -> tuple[str, str] | None:
    if found is None:
        return None
    return _("The definition, and who may call it"), reverse("tools:definition", args=[found.public_id])


def _server(record: Record, *, sees_server: bool) -> tuple[str, str] | None:
    return (_("The server"), reverse("tools:server_detail", args=[record.server])) if sees_server else None


def _definition(record: Record, actor: Actor) -> Definition | None:
    if not record.tool:
        return None
    found = Definition.objects.visible_to(actor).filter(server__slug=record.server)
    return found.filter(kind=record.kind, name=record.tool).first()
