"""`decide`: the one answer to "may this call happen?", for gateway, API, simulator and decision point.

Pure: plain frozen facts in, `Allowed` or `Denied` out. It reads no clock and no table; `gateway/facts.py`
collects the facts. Whatever is unknown is denied, and the first check that fails names the rule, which has one reason.
Order: what suspends the caller, identity, audience, server, definition, role, what the definition may be used for,
token. So a caller learns nothing of definitions that its role does not reach, and nothing of those that the server
hides from it (`NOT_GRANTED`, `NOT_SHOWN` and `UNKNOWN_DEFINITION` are answered alike on the wire), nor whether either
is suspended, and a missing token scope is only said where the role would allow the call (RFC 6750, 3.1; MCP
authorization, step-up).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final

from msgspec import Struct

from access.intentions import NOT_NEEDED, is_needed
from access.principals import GrantFacts, PrincipalFacts
from access.rules import Rule
from access.suspended import Stop
from core.scopes import CONNECT, call_scope, connects, definition_scope, read_scope

_CONNECT_ALONE: Final = frozenset({CONNECT})
_BY_URI: Final = frozenset({"resources/read", "resources/subscribe", "resources/unsubscribe"})


class Reason(StrEnum):
    """Why a call was refused. Stands in audit records and error data; never renamed."""

    AGENT_INACTIVE = "agent_inactive"
    AUDIT_UNAVAILABLE = "audit_unavailable"
    DEFINITION_QUARANTINED = "definition_quarantined"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    INTENTION_REQUIRED = "intention_required"
    INVALID_ARGUMENTS = "invalid_arguments"
    INVALID_REQUEST = "invalid_request"
    INVALID_RESULT = "invalid_result"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 -- a reason, no secret
    METHOD_NOT_SUPPORTED = "method_not_supported"
    NOT_GRANTED = "not_granted"
    NOT_SHOWN = "not_shown"
    PERSON_INACTIVE = "person_inactive"
    PIN_EXPIRED = "pin_expired"
    POLICY_STALE = "policy_stale"
    SCHEMA_UNUSABLE = "schema_unusable"
    SCHEME_NOT_ALLOWED = "scheme_not_allowed"
    SERVER_BUSY = "server_busy"
    SERVER_NOT_ACTIVE = "server_not_active"
    SERVER_WITHHELD = "server_withheld"
    SUSPENDED = "suspended"
    UNKNOWN_DEFINITION = "unknown_definition"
    UNKNOWN_SERVER = "unknown_server"
    WRONG_AUDIENCE = "wrong_audience"


REASONS: Final[Mapping[Rule, Reason]] = {
    Rule.SUSPENDED_EVERYTHING: Reason.SUSPENDED,
    Rule.SUSPENDED_AGENT: Reason.SUSPENDED,
    Rule.SUSPENDED_PERSON: Reason.SUSPENDED,
    Rule.SUSPENDED_TEAM: Reason.SUSPENDED,
    Rule.AGENT_ACTIVE: Reason.AGENT_INACTIVE,
    Rule.PERSON_ACTIVE: Reason.PERSON_INACTIVE,
    Rule.SERVER_KNOWN: Reason.UNKNOWN_SERVER,
    Rule.TOKEN_AUDIENCE: Reason.WRONG_AUDIENCE,
    Rule.GRANT_SERVER: Reason.NOT_GRANTED,
    Rule.CEILING_SERVER: Reason.NOT_GRANTED,
    Rule.SUSPENDED_SERVER: Reason.SUSPENDED,
    Rule.SERVER_ACTIVE: Reason.SERVER_NOT_ACTIVE,
    Rule.SERVER_CARD: Reason.SERVER_WITHHELD,
    Rule.SERVER_EMERGENCY: Reason.SERVER_WITHHELD,
    Rule.TOKEN_CONNECT: Reason.INSUFFICIENT_SCOPE,
    Rule.DEFINITION_KNOWN: Reason.UNKNOWN_DEFINITION,
    Rule.DEFINITION_SHOWN: Reason.NOT_SHOWN,
    Rule.GRANT_DEFINITION: Reason.NOT_GRANTED,
    Rule.CEILING_DEFINITION: Reason.NOT_GRANTED,
    Rule.SUSPENDED_DEFINITION: Reason.SUSPENDED,
    Rule.DEFINITION_APPROVED: Reason.DEFINITION_QUARANTINED,
    Rule.DEFINITION_UNEXPIRED: Reason.PIN_EXPIRED,
    Rule.DEFINITION_SCHEMA: Reason.SCHEMA_UNUSABLE,
    Rule.DEFINITION_SCHEME: Reason.SCHEME_NOT_ALLOWED,
    Rule.INTENTION_GIVEN: Reason.INTENTION_REQUIRED,
    Rule.TOKEN_SCOPE: Reason.INSUFFICIENT_SCOPE,
}


class PinState(StrEnum):
    """What the store knows of a definition. `NOT_SHOWN`: the server does not show it to the caller's class."""

    APPROVED = "approved"
    NOT_SHOWN = "not_shown"
    QUARANTINED = "quarantined"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The server, or None where there is none. `withheld`: its identity or endpoint changed unapproved.

    `trusted_until`: only an emergency keeps it from being withheld, and that ends then. `schemes`: those that its
    approved resources and templates spell out; a URI of any other is none of its resources. `intention`: which calls
    must say why (`access.intentions`).
    """

    slug: str
    resource: str
    environment: str
    active: bool
    withheld: bool = False
    trusted_until: datetime | None = None
    schemes: frozenset[str] = frozenset()
    intention: str = NOT_NEEDED


@dataclass(frozen=True, slots=True)
class DefinitionFacts:
    """The definition that a call names. A sensitive one needs its own scope, `:call` or `:read` is not enough.

    `unusable`: its approved text cannot be acted upon, because no value can be checked against its schema. `scheme` is
    that of the URI that is asked for; of a template that is only listed, the one that it spells out (None: none).
    `uri` is what is asked for, in normal form, where a template is to give it.
    """

    kind: str
    name: str
    state: PinState
    digest: str = ""
    expires_at: datetime | None = None
    sensitive: bool = False
    unusable: bool = False
    scheme: str | None = None
    uri: str | None = None


class Facts(Struct, frozen=True):
    """Everything that `decide` may look at. `client_ip`: where the caller is, as far as the gateway sees.

    `stop`: what is suspended of this caller and server; None where nothing is.
    """

    principal: PrincipalFacts
    server: ServerFacts | None
    client_ip: str = ""
    stop: Stop | None = None


class Call(Struct, frozen=True):
    """What is asked. `definition` is None for connecting and listing; `intention`: the caller says why."""

    method: str
    definition: DefinitionFacts | None = None
    intention: bool = False


class Allowed(Struct, frozen=True):
    """The call may be made; `digest` is the approved version it is about, `scopes` and `grants` what carried it."""

    rule: Rule
    grants: tuple[GrantFacts, ...]
    scopes: frozenset[str]
    digest: str = ""

    @property
    def rule_ids(self) -> tuple[str, ...]:
        """For the record: the rule, and each grant with its role."""
        if len(self.grants) == 1:
            return (str.__str__(self.rule), *self.grants[0].names)
        return (self.rule.value, *(name for grant in self.grants for name in grant.names))


class Denied(Struct, frozen=True):
    """The call may not be made. `needed`: every scope a new token must hold (step-up), only where that helps."""

    rule: Rule
    needed: frozenset[str] = frozenset()

    @property
    def reason(self) -> Reason:
        """What the caller is told, where it is told anything."""
        return REASONS[self.rule]

    @property
    def rule_ids(self) -> tuple[str, ...]:
        """For the record."""
        return (self.rule.value,)


Decision = Allowed | Denied


def decide(call: Call, facts: Facts, now: datetime) -> Decision:  # noqa: PLR0912 -- each check a line, in their order
    """Judge one call. `now` is an aware datetime."""
    principal, server, stop = facts.principal, facts.server, facts.stop
    if stop is not None and stop.caller is not None:
        return Denied(stop.caller)
    if not principal.agent_active:
        return Denied(Rule.AGENT_ACTIVE)
    if principal.person_active is False:
        return Denied(Rule.PERSON_ACTIVE)
    if server is None:
        return Denied(Rule.SERVER_KNOWN)
    if principal.audience != server.resource:
        return Denied(Rule.TOKEN_AUDIENCE)
    held, connecting = _holding(principal.grants, server, now, facts.client_ip)
    if not connecting:
        return Denied(Rule.GRANT_SERVER)
    own = None
    if principal.ceiling is not None:
        own, reaching = _holding(principal.ceiling, server, now, facts.client_ip)
        if not reaching:
            return Denied(Rule.CEILING_SERVER)
        connecting += reaching
    if stop is not None and stop.server is not None:
        return Denied(stop.server)
    if not server.active:
        return Denied(Rule.SERVER_ACTIVE)
    if server.withheld:
        return Denied(Rule.SERVER_CARD)
    if server.trusted_until is not None and server.trusted_until <= now:
        return Denied(Rule.SERVER_EMERGENCY)
    if call.definition is None:
        return _decide_connection(server.slug, connecting, principal.token_scopes)
    return _decide_definition(call, call.definition, facts, server, (held, own), now)


def _holding(
    grants: tuple[GrantFacts, ...], server: ServerFacts, now: datetime, client_ip: str
) -> tuple[Sequence[GrantFacts], tuple[GrantFacts, ...]]:
    """Those of the grants that hold at this server now, and those of them that let their holder connect to it."""
    if len(grants) == 1:  # of most callers
        only = grants[0]
        if not only.holds(server.environment, now, client_ip):
            return (), ()
        return grants, grants if only.connects(server.slug) else ()
    held, connecting = [], []
    for grant in grants:
        if grant.holds(server.environment, now, client_ip):
            held.append(grant)
            if grant.connects(server.slug):
                connecting.append(grant)
    return held, tuple(connecting)


def accepted_scopes(slug: str, definition: DefinitionFacts) -> frozenset[str]:
    """The scopes any one of which reaches `definition`."""
    return _accepted(slug, definition.kind, definition.name, definition.sensitive)


@lru_cache(maxsize=16_384)  # asked for definitions that somebody registered, not for every name that a caller makes up
def _accepted(slug: str, kind: str, name: str, sensitive: bool) -> frozenset[str]:  # noqa: FBT001 -- the cache's key
    own = definition_scope(slug, kind, name)
    if sensitive:
        return frozenset({own})
    broad = call_scope(slug) if kind == "tool" else read_scope(slug)
    return frozenset({own, broad})


def _decide_connection(slug: str, connecting: tuple[GrantFacts, ...], token_scopes: frozenset[str]) -> Decision:
    if connects(token_scopes, slug):
        return Allowed(Rule.ALLOW_CONNECTION, connecting, _CONNECT_ALONE)
    return Denied(Rule.TOKEN_CONNECT, needed=_CONNECT_ALONE)


def _decide_definition(
    call: Call,
    definition: DefinitionFacts,
    facts: Facts,
    server: ServerFacts,
    held: tuple[Sequence[GrantFacts], Sequence[GrantFacts] | None],
    now: datetime,
) -> Decision:
    if definition.state is PinState.UNKNOWN:
        return Denied(Rule.DEFINITION_KNOWN)
    if definition.state is PinState.NOT_SHOWN:
        return Denied(Rule.DEFINITION_SHOWN)
    accepted = accepted_scopes(server.slug, definition)
    grants, own = held
    carrying = _reaching(grants, accepted)
    if not carrying:
        return Denied(Rule.GRANT_DEFINITION)
    if own is not None:
        bounding = _reaching(own, accepted)
        if not bounding:
            return Denied(Rule.CEILING_DEFINITION)
        carrying += bounding
    if facts.stop is not None and facts.stop.holds_back(definition.kind, definition.name, definition.uri):
        return Denied(Rule.SUSPENDED_DEFINITION)
    if definition.state is not PinState.APPROVED or not definition.digest:
        return Denied(Rule.DEFINITION_APPROVED)
    if definition.expires_at is not None and definition.expires_at <= now:
        return Denied(Rule.DEFINITION_UNEXPIRED)
    if definition.unusable:
        return Denied(Rule.DEFINITION_SCHEMA)
    # Tools, which nearly every call is about, are no resources: what `_needs_scheme` says of them is known.
    is_tool = definition.kind == "tool"
    if not is_tool and _needs_scheme(call.method, definition) and definition.scheme not in server.schemes:
        return Denied(Rule.DEFINITION_SCHEME)
    asks_why = server.intention != NOT_NEEDED and not call.intention
    if asks_why and is_needed(server.intention, call.method, sensitive=definition.sensitive):
        return Denied(Rule.INTENTION_GIVEN)
    # A broader scope of the token includes what a narrower one of the role allows (R3: the hierarchy is honoured).
    used = accepted & facts.principal.token_scopes
    if not used:
        # Of those that the role holds: a client is sent for what the one call needs, even if it must come again.
        carried = frozenset().union(*(accepted & grant.scopes for grant in carrying))
        smallest = max(carried, key=lambda scope: scope.count(":"))
        return Denied(Rule.TOKEN_SCOPE, needed=frozenset({CONNECT, smallest}))
    return Allowed(Rule.ALLOW_DEFINITION, carrying, used, definition.digest)


def _reaching(grants: Sequence[GrantFacts], accepted: frozenset[str]) -> tuple[GrantFacts, ...]:
    """Those of the grants that have a scope by which the definition is reached."""
    if len(grants) == 1:  # of most callers
        return () if accepted.isdisjoint(grants[0].scopes) else (grants[0],)
    return tuple([grant for grant in grants if not accepted.isdisjoint(grant.scopes)])


def _needs_scheme(method: str, definition: DefinitionFacts) -> bool:
    """A resource is a URI. A template is none until one is asked for; whoever forgets to say which is refused."""
    if definition.kind == "template":
        return definition.scheme is not None or method in _BY_URI
    return definition.kind == "resource"
