"""What the gateway knows when it decides: frozen parts, replaced one at a time. Pure module.

`gateway.facts` builds the parts; nothing here reads a table, a clock or a socket. A part changes by being
replaced, so whoever holds a snapshot decides one request by one state of the world.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from access.policy import (
    Allowed,
    Call,
    Decision,
    DefinitionFacts,
    Facts,
    PinState,
    ServerFacts,
    decide,
)
from access.principals import GrantFacts, PrincipalFacts
from access.suspended import Suspended
from audit.redaction import NOTHING, Capture
from gateway import capabilities
from gateway.headers import HeaderMap
from gateway.protocol import HANDSHAKE_VERSIONS, Wire
from gateway.uris import UriTemplate, normal_form, scheme_of
from gateway.validation import Validator
from servers.limits import DEFAULTS, CallLimits
from servers.rules import Answers
from tools.rules import vantage_of_agent

STALE_AFTER: Final = 5.0  # seconds since the revisions were last read
Key = tuple[str, str]  # kind and name
Shown = frozenset[Key] | None  # what the server shows a class of principals (`gateway.looking`); None: not known
HANDSHAKE: Final = Wire(modern=False, version=HANDSHAKE_VERSIONS[0])


@dataclass(frozen=True, slots=True)
class Token:
    """An access token that is valid by itself: known, not expired, not revoked.

    `agent` and `person` are keys (`person` None: the agent acts for itself). `principal` is the caller in the
    grammar of audit records: `agent:<client id>`, or a person's pseudonym. `holder` is whom a session belongs to: the
    client, and the person that it acts for; `vantage` the class of principals that servers may show something else.
    """

    id: str
    client_id: str
    agent: int
    agent_active: bool
    person: int | None
    person_active: bool | None
    principal: str
    resource: str
    scopes: frozenset[str]
    holder: str = field(init=False)
    vantage: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "holder", f"{self.agent}|{'' if self.person is None else self.person}")
        object.__setattr__(self, "vantage", vantage_of_agent(self.client_id))


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Checks:
    """What calls of one approved version are checked by, made once per version. `unusable` says why nothing can be."""

    input: Validator | None = None
    output: Validator | None = None
    headers: HeaderMap = field(default_factory=dict)
    unusable: str = ""


NO_CHECKS: Final = Checks()


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition as policy sees it, with its approved text (empty unless it is served)."""

    facts: DefinitionFacts
    body: bytes = b""
    checks: Checks = NO_CHECKS
    template: UriTemplate | None = None

    @property
    def headers(self) -> HeaderMap:
        """The headers that a tool's arguments travel in too."""
        return self.checks.headers

    @property
    def input(self) -> Validator | None:
        """What a tool's arguments are held to; None for other kinds."""
        return self.checks.input

    @property
    def output(self) -> Validator | None:
        """What a tool's structured result is held to; None where it promises none."""
        return self.checks.output


@dataclass(frozen=True, slots=True)
class Resources:
    """A server's resources as URIs find them: concrete ones by normal form, and templates, approved ones first."""

    forms: frozenset[str] = frozenset()
    templates: tuple[Definition, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """How a server presents itself: approved text, until the approval expires."""

    identity: Mapping[str, Any]
    instructions: str = ""
    expires_at: datetime | None = None
    capabilities: Mapping[str, Any] | None = None  # None: nobody approved any


@dataclass(frozen=True, slots=True)
class ServerPart:
    """One server: its facts, the way to it, and every definition by kind and name, in the order of lists."""

    facts: ServerFacts
    url: str = ""
    upstream: Wire = HANDSHAKE
    card: Card | None = None
    owner_team: str = ""
    limits: CallLimits = DEFAULTS
    capture: Capture = NOTHING
    answers: Answers = Answers.RECORD
    definitions: Mapping[Key, Definition] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    # The kinds of which it has lists, by its word or by what it showed the poller.
    lists: frozenset[str] = frozenset()
    # Digests, the card's included: what the poller was shown last; by vantage, where that ever differed (None: not).
    observed: Mapping[Key, str] = field(default_factory=dict)
    sighted: Mapping[str, Mapping[Key, str | None]] = field(default_factory=dict)
    # What `able` worked out. Nobody else's: the part stays what it was.
    _able: dict[tuple[bool, bool], Mapping[str, Any]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def known_shown(self, vantage: str) -> dict[Key, str]:
        """Digests of what is on record as shown to `vantage`: as to the poller, or otherwise."""
        known: dict[Key, str | None] = {**self.observed, **self.sighted.get(vantage, {})}
        return {key: digest for key, digest in known.items() if digest is not None}

    def presented(self, now: datetime) -> Card:
        """The approved card, or a neutral one that says nothing of the server's own words."""
        card = self.card
        if card is None or (card.expires_at is not None and card.expires_at <= now):
            return Card(identity={"name": self.facts.slug, "version": "1"})
        return card

    def able(self, card: Card, *, modern: bool) -> Mapping[str, Any]:
        """The capabilities that its clients are told of, while it presents itself with `card` (`presented`)."""
        key = (card.capabilities is None, modern)
        found = self._able.get(key)
        if found is None:
            kinds = (kind for kind, _ in self.definitions)
            found = self._able[key] = capabilities.presented(card.capabilities, kinds, modern=modern)
        return found

    def definition(self, kind: str, name: str, shown: Shown = None) -> Definition:
        """The definition, or one whose state is unknown; one that is not `shown` to the caller tells nothing else."""
        found = self.definitions.get((kind, name))
        if found is None:
            return Definition(DefinitionFacts(kind=kind, name=name, state=PinState.UNKNOWN))
        return found if shown is None or (kind, name) in shown else self._as_shown(found, shown)

    def _as_shown(self, found: Definition, shown: Shown) -> Definition:
        kind, name = found.facts.kind, found.facts.name
        if shown is None or (kind, name) in shown or found.facts.state is PinState.UNKNOWN:
            return found
        return Definition(DefinitionFacts(kind=kind, name=name, state=PinState.NOT_SHOWN))

    def readable(self, uri: str, shown: Shown = None) -> tuple[Definition, ...]:
        """What a request for `uri` may be about, never empty; it may be carried out if any of them allows it.

        The concrete resource of exactly this URI, or else every template that gives it. Another spelling of a concrete
        resource is nobody's, or a template would reach what is withheld under its own name.
        """
        scheme = scheme_of(uri)
        exact = self.definition("resource", uri)
        found: list[Definition] = []
        form: str | None = None
        if exact.facts.state is PinState.UNKNOWN and scheme and (form := normal_form(uri)) not in self.resources.forms:
            found = [each for each in self.resources.templates if each.template and each.template.gives(uri)]
        seen = (self._as_shown(each, shown) for each in found or [exact])
        return tuple(replace(each, facts=replace(each.facts, scheme=scheme, uri=form)) for each in seen)

    def referred(self, uri: str, shown: Shown = None) -> tuple[Definition, ...]:
        """What a completion's `ref/resource` names: a template by its own text, or else what `readable` finds."""
        template = self.definition("template", uri, shown)
        return (template,) if template.facts.state is not PinState.UNKNOWN else self.readable(uri, shown)

    def of_kind(self, kind: str, shown: Shown = None) -> Iterator[Definition]:
        """Every definition of one kind that is `shown` to the caller."""
        for key, each in self.definitions.items():
            if key[0] == kind and (shown is None or key in shown):
                yield each


@dataclass(frozen=True, slots=True)
class AccessPart:
    """The grants that reach somebody, by key of the agent and of the person (own grants and those of teams).

    An agent to which something was given once stands here, though nothing of it may hold any more. `suspended` is None
    where nothing is, so that every other call pays next to nothing for asking.
    """

    agents: Mapping[int, tuple[GrantFacts, ...]] = field(default_factory=dict)
    people: Mapping[int, tuple[GrantFacts, ...]] = field(default_factory=dict)
    suspended: Suspended | None = None

    def principal(self, token: Token) -> PrincipalFacts:
        """The facts of a token's holder.

        An agent that acts for a person has that person's grants: the token's scopes narrow them, and so does what the
        agent was given itself, once it was given anything (docs/adr/0017-an-agent-is-bound-by-its-own-grants.md).
        """
        own = self.agents.get(token.agent)
        if token.person is None:
            return PrincipalFacts(token.agent_active, None, own or (), token.scopes, token.resource)
        grants = self.people.get(token.person, ())
        return PrincipalFacts(token.agent_active, token.person_active, grants, token.scopes, token.resource, own)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All parts, the revision of each, and when the revisions were last compared (monotonic seconds)."""

    servers: Mapping[str, ServerPart] = field(default_factory=dict)
    access: AccessPart = field(default_factory=AccessPart)
    revisions: Mapping[str, int] = field(default_factory=dict)
    # Of the rows that each part was read from; and what records of calls say of it, by server.
    digests: Mapping[str, str] = field(default_factory=dict)
    stamps: Mapping[str, str] = field(default_factory=dict)
    read_at: float = float("-inf")

    def is_stale(self, now: float) -> bool:
        """Whether the snapshot is too old to decide by."""
        return now - self.read_at > STALE_AFTER

    def facts(self, token: Token, slug: str, client_ip: str) -> Facts:
        """What `decide` looks at for this caller and server."""
        access, server = self.access, self.servers.get(slug)
        suspended, principal = access.suspended, access.principal(token)
        facts = server.facts if server is not None else None
        if suspended is None:
            return Facts(principal, facts, client_ip)
        stop = suspended.stop(token.agent, token.person, slug, server.owner_team if server else "")
        return Facts(principal, facts, client_ip, stop)

    def decide(self, call: Call, token: Token, slug: str, now: datetime, client_ip: str = "") -> Decision:
        """Judge one call by this snapshot. Where the caller is not known, no grant for a network holds."""
        return decide(call, self.facts(token, slug, client_ip), now)

    def decide_any(
        self,
        asked: Call,
        candidates: tuple[Definition, ...],
        token: Token,
        slug: str,
        now: datetime,
        client_ip: str = "",
    ) -> tuple[Definition, Decision]:
        """The first of `candidates` of which what is `asked` is allowed, or the first of all with what it says."""
        facts = self.facts(token, slug, client_ip)
        if len(candidates) == 1:  # nearly always
            only = candidates[0]
            return only, decide(Call(asked.method, only.facts, asked.intention), facts, now)
        denied: list[tuple[Definition, Decision]] = []
        for each in candidates:
            decision = decide(Call(asked.method, each.facts, asked.intention), facts, now)
            if isinstance(decision, Allowed):
                return each, decision
            denied.append((each, decision))
        return denied[0]

    def with_server(self, slug: str, part: ServerPart | None) -> "Snapshot":
        """A snapshot with one server replaced, or taken out."""
        servers = {key: value for key, value in self.servers.items() if key != slug}
        if part is not None:
            servers[slug] = part
        return replace(self, servers=MappingProxyType(servers))
