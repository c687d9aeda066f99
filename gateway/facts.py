"""The parts of the snapshot, made of the rows that decide: who holds what, and what a server's calls are decided by.

`gateway.store` keeps them fresh for calls; whoever asks what is reachable reads them for one question (`reach`).
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any

from django.db import InterfaceError, OperationalError
from django.db.models import Q
from msgspec import structs

from access.conditions import read as conditions_of
from access.models import Grant, Membership, Role
from access.policy import PinState, ServerFacts
from access.principals import GrantFacts
from access.querysets import GrantQuerySet
from access.services import suspended_now
from access.suspended import Suspended
from audit.redaction import capture_of
from gateway.parts import card_of, definition_of, resources_of, schemes_of, tool_facts
from gateway.protocol import HANDSHAKE_VERSIONS, MODERN_VERSIONS, Wire
from gateway.reach import Offered
from gateway.snapshot import AccessPart, Definition, Key, ServerPart
from gateway.uris import normal_form
from servers.listing import announced
from servers.models import Server
from servers.rules import Answers, Era, ServerState
from servers.surface import CARD_NAME, Kind
from tools.models import Definition as DefinitionRow
from tools.models import Sighting
from tools.querysets import DefinitionQuerySet, ServedRow
from tools.trust import Trust, trust_in, trusts

logger = logging.getLogger(__name__)


def read_access(grants: GrantQuerySet | None = None) -> AccessPart:
    """The grants that reach somebody, or those of `grants` that do, and all that is suspended."""
    given = Grant.objects.all() if grants is None else grants
    agents: dict[int, list[GrantFacts]] = {agent: [] for agent in given.agents_ever_given()}
    people: dict[int, list[GrantFacts]] = {}
    members: dict[int, list[int]] = {}
    for team, person in Membership.objects.values_list("team_id", "person_id"):
        members.setdefault(team, []).append(person)
    for row in given.unrevoked_rows():
        facts = _grant_facts(row)
        if row["agent_id"] is not None:
            agents.setdefault(row["agent_id"], []).append(facts)
        holders = [row["person_id"]] if row["person_id"] is not None else members.get(row["team_id"], [])
        for holder in holders:
            people.setdefault(holder, []).append(facts)
    return AccessPart(agents=_frozen(agents), people=_frozen(people), suspended=_suspended())


def _suspended() -> Suspended | None:
    """All that is suspended; a resource in its normal form too, by which a template would reach it."""
    found = suspended_now()
    if found is None:
        return None
    definitions = {
        slug: keys | {(kind, normal_form(name)) for kind, name in keys if kind == Kind.RESOURCE.value}
        for slug, keys in found.definitions.items()
    }
    return structs.replace(found, definitions=MappingProxyType(definitions))


def _grant_facts(row: Mapping[str, Any]) -> GrantFacts:
    return GrantFacts(
        row["scopes"],
        row["environment"] or None,
        row["expires_at"],
        names=(f"grant:{row['public_id']}", f"role:{row['role']}"),
        conditions=conditions_of(row["conditions"]),
    )


def _frozen(grants: Mapping[int, Iterable[GrantFacts]]) -> Mapping[int, tuple[GrantFacts, ...]]:
    return MappingProxyType({holder: tuple(held) for holder, held in grants.items()})


def read_access_beside(grant: Grant) -> AccessPart:
    """All that reaches those whom `grant` reaches, and perhaps some of what reaches others."""
    if grant.agent_id is not None:
        return read_access(Grant.objects.filter(agent_id=grant.agent_id))
    people = Q(person_id=grant.person_id)
    if grant.team_id is not None:
        people = Q(person_id__in=Membership.objects.filter(team_id=grant.team_id).values("person_id"))
    teams = Membership.objects.filter(people).order_by().values("team_id")
    return read_access(Grant.objects.filter(people | Q(team_id__in=teams) | Q(pk=grant.pk)))


def read_access_around(role: Role, grants: GrantQuerySet | None = None) -> AccessPart:
    """All of `grants` (all that there are) that reaches those who hold `role`, and perhaps some that reaches others."""
    given = Grant.objects.all() if grants is None else grants
    giving = given.filter(role=role, revoked_at__isnull=True).order_by()
    agents, owners = giving.exclude(agent=None), giving.exclude(person=None)
    members = Membership.objects.filter(team__in=giving.exclude(team=None).values("team_id"))
    people = Q(person__in=owners.values("person_id")) | Q(person__in=members.values("person_id"))
    teams = Membership.objects.filter(people).order_by().values("team_id")
    return read_access(given.filter(Q(agent__in=agents.values("agent_id")) | people | Q(team__in=teams)))


def readable_server(slug: str, resource: Callable[[str], str]) -> ServerPart | None:
    """One server's part; one that cannot be read is unknown, so that it never takes the others along."""
    try:
        return _read_server(slug, resource)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("server %s cannot be read", slug)
        return None


def _read_server(slug: str, resource: Callable[[str], str]) -> ServerPart | None:
    server = Server.objects.select_related("owner_team").filter(slug=slug).first()
    if server is None or server.state == ServerState.RETIRED.value:
        return None
    card, observed, definitions = _read_definitions(server)
    trust = trust_in(server, card)
    return ServerPart(
        facts=_server_facts(server, trust, resource(slug), schemes_of(definitions.values())),
        url=server.url,
        upstream=_wire(server),
        card=card_of(card) if card is not None else None,
        owner_team=_owner_of(server),
        limits=server.limits,
        capture=capture_of(server.capture),
        answers=Answers(server.answers),
        definitions=MappingProxyType(definitions),
        resources=resources_of(definitions.values()),
        lists=_lists(server, card, observed),
        observed=MappingProxyType(observed),
        sighted=_sighted(server),
    )


def _read_definitions(server: Server) -> tuple[ServedRow | None, dict[Key, str], dict[Key, Definition]]:
    """The card's row, what the poller was shown, and what agents are served; texts pass by one after the other."""
    card: ServedRow | None = None
    observed: dict[Key, str] = {}
    definitions: dict[Key, Definition] = {}
    for row in DefinitionRow.objects.filter(server=server).served_rows():
        key = row.kind, row.name
        if row.present:
            observed[key] = row.observed_digest
        if key == (Kind.CARD.value, CARD_NAME):
            card = row
        else:
            definitions[key] = definition_of(row)
    return card, observed, definitions


def read_tools(
    definitions: DefinitionQuerySet, *, only: Callable[[ServedRow], bool] = lambda _row: True
) -> Iterator[Offered]:
    """Every tool among `definitions` as a call of it is decided, server by server, in six queries at most.

    Or those `only` whose row says that they are wanted, before its text is proved: proving it is what takes long.

    Texts pass by one after the other: whoever keeps them all keeps megabytes. A server's slug stands for its resource:
    who asks what is reachable has a token for whatever it calls.
    """
    seen = definitions.order_by().values("server_id")
    servers = Server.objects.select_related("owner_team").exclude(state=ServerState.RETIRED.value)
    known = {server.pk: server for server in servers.filter(pk__in=seen)}
    cards = {row.server_id: row for row in definitions.filter(kind=Kind.CARD.value, name=CARD_NAME).served_rows()}
    judged = trusts((server, cards.get(pk)) for pk, server in known.items())
    facts = {pk: _server_facts(server, judged[pk], server.slug, frozenset()) for pk, server in known.items()}
    for row in filter(only, definitions.filter(kind=Kind.TOOL.value, server__in=known).served_rows()):
        tool = tool_facts(row)
        text = row.text if tool.state is PinState.APPROVED else ""
        yield Offered(facts[row.server_id], _owner_of(known[row.server_id]), tool, text)


def read_tools_at(access: AccessPart) -> Iterator[Offered]:
    """The tools of the servers that anything in `access` is given on."""
    held = chain(chain.from_iterable(access.agents.values()), chain.from_iterable(access.people.values()))
    slugs = frozenset().union(*(grant.servers for grant in held))
    return read_tools(DefinitionRow.objects.filter(server__slug__in=slugs)) if slugs else iter(())


def _server_facts(server: Server, trust: Trust, resource: str, schemes: frozenset[str]) -> ServerFacts:
    return ServerFacts(
        slug=server.slug,
        resource=resource,
        environment=server.environment,
        active=server.state == ServerState.ACTIVE.value and bool(server.url),
        withheld=trust.withheld,
        trusted_until=trust.until,
        schemes=schemes,
        intention=server.intention,
    )


def _owner_of(server: Server) -> str:
    return server.owner_team.slug if server.owner_team else ""


def _lists(server: Server, card: ServedRow | None, observed: Iterable[Key]) -> frozenset[str]:
    """The kinds of which the server has lists: as its card was approved, as the poller sees it, and what it showed."""
    texts = [card.pin_text] if card is not None else []
    if card is not None and card.pin_digest != card.observed_digest:
        shown = DefinitionRow.objects.filter(server=server, kind=Kind.CARD.value, name=CARD_NAME)
        texts.extend(shown.values_list("observed__text", flat=True))
    said = (announced(json.loads(text).get("capabilities")) for text in texts if text)
    return frozenset(kind for kind, _ in observed if kind != Kind.CARD.value).union(*said)


def _sighted(server: Server) -> Mapping[str, Mapping[Key, str | None]]:
    found: dict[str, dict[Key, str | None]] = {}
    for vantage, kind, name, digest in Sighting.objects.of_server(server).shown_rows():
        found.setdefault(vantage, {})[kind, name] = digest
    return MappingProxyType({vantage: MappingProxyType(shown) for vantage, shown in found.items()})


def _wire(server: Server) -> Wire:
    if server.protocol_era == Era.MODERN.value:
        return Wire(modern=True, version=MODERN_VERSIONS[0])
    return Wire(modern=False, version=server.protocol_version or HANDSHAKE_VERSIONS[0])
