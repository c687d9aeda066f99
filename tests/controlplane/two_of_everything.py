"""An installation that holds one of everything for each of two teams, and a fitting request for every route."""

import re
from copy import copy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.test import Client
from django.utils import timezone

from access.keys import token_key
from access.models import AccessToken, Agent, ConsoleSession, Grant, Person, Role, Team
from access.second_factor_adapter import Adapter
from access.services import (
    Holder,
    actor_for,
    create_role,
    ensure_builtin_roles,
    give_grant,
    register_agent,
    separate_roles,
)
from access.services.api_tokens import insert_api_token
from access.services.second_factors import PASSKEYS_MAX
from access.sessions import ABOUT
from access.token_format import TokenKind, checksum, mint
from alerts.models import Alert, Channel
from alerts.services import create_channel, follow_records
from audit.drafts import shard_of
from audit.filters import Filters
from audit.models import Listed, Record, SavedSearch
from audit.services import create_sink, place_records, request_erasure, request_pruning, save_search
from audit.subjects import principal_of
from controlplane.routes import API, Route
from core.actor import Actor
from servers.models import Server
from servers.services import Registration, register_server
from tests.access.doors import SETUP, Api
from tests.audit.calls import kept_call
from tests.factories import ConsentFactory, MembershipFactory, PersonFactory, TeamFactory
from tests.tools.making import approve, poll, reject, tool
from tools.classify import ChangeClass
from tools.models import Definition, Review
from tools.policies import Rule
from tools.services import Target, break_glass, suppress, suspend, write_policy

MINE, THEIRS = "red", "blue"
PASSWORD = "correct horse battery"
_WHY = {"reason": "A test."}
_RULE = {"classes": ["wording"], "environments": ["development"], "text_max": 20}

_SINK = {"name": "more", "kind": "otlp", "format": "otlp", "endpoint": "http://127.0.0.1:9/v1/logs"}


@dataclass(frozen=True)
class Side:
    """What one team owns."""

    team: Team
    person: Person
    server: Server
    agent: Agent
    grant: Grant
    alert: Alert
    definition: Definition
    lit: Definition
    review: Review
    rejected: Review
    digests: tuple[str, str]
    call: UUID
    token: str  # the agent's, as somebody found it


def founder() -> Actor:
    """An administrator who built it all, so that whoever is tried wrote and registered nothing; and a second one."""
    ensure_builtin_roles()
    for name in ("deputy", "founder"):
        person = PersonFactory.create(username=name)
        give_grant(role="administrator", holder=Holder(person=name), actor=SETUP, reason="A test.")
    return actor_for(person)


def side(slug: str, actor: Actor) -> Side:
    """One team with one of everything, each thing named after it."""
    team = TeamFactory.create(slug=slug)
    person = PersonFactory.create(username=f"person-{slug}")
    MembershipFactory.create(team=team, person=person)
    server = _server(slug, actor)
    review, rejected = _reviews(server, actor)
    agent = register_agent(name=f"agent-{slug}", owner_team=slug, actor=actor).agent
    holder = Holder(agent=agent.client_id)
    grant = give_grant(role="robots", holder=holder, actor=actor, reason=f"For {slug}.")
    call = kept_call(owner_team=slug)
    request_erasure(call_id=call, actor=actor, reason="A test.")
    place_records()
    follow_records()
    older, newer = review.base, review.version
    assert older is not None
    return Side(
        team=team,
        person=person,
        server=server,
        agent=agent,
        grant=grant,
        alert=Alert.objects.filter(server=server.slug)[0],
        definition=review.definition,
        lit=Definition.objects.get(server=server, name="lit"),
        review=review,
        rejected=rejected,
        digests=(older.digest, newer.digest),
        call=call,
        token=_token_of(agent, server),
    )


def _token_of(agent: Agent, server: Server) -> str:
    """An access token of an agent for a server's endpoint."""
    token = mint(TokenKind.ACCESS, token_key())
    AccessToken.objects.create(
        application=agent,
        token_checksum=checksum(token),
        resource=[f"http://127.0.0.1:8000/mcp/{server.slug}"],
        scope="mcp:connect",
        expires=timezone.now() + timedelta(days=1),
    )
    return token


def _server(slug: str, actor: Actor) -> Server:
    registration = Registration(
        slug=f"server-{slug}",
        name=f"Server {slug}",
        url=f"http://127.0.0.1:9/{slug}",
        environment="development",
        team=slug,
        tags=("payments", f"team:{slug}"),
    )
    return register_server(registration=registration, actor=actor)


def _reviews(server: Server, actor: Actor) -> tuple[Review, Review]:
    """A change that waits, and a rejection; `lit` is served in an emergency."""
    rest = (tool("lit"), tool("bad"))
    poll(server, tool("read"), *rest)
    waiting = Review.objects.waiting().filter(definition__server=server)
    approve(waiting.get(definition__name="read"), actor)
    rejected = reject(waiting.get(definition__name="bad"), actor)
    lit = waiting.get(definition__name="lit")
    until = timezone.now() + timedelta(hours=1)
    break_glass(review_id=lit.public_id, digest=lit.version.digest, reason="A test.", until=until, actor=actor)
    poll(server, tool("read", "Read another file."), *rest)
    return waiting.select_related("base", "version", "definition").get(definition__name="read"), rejected


class Installation:
    """Both teams, and what belongs to none."""

    def __init__(self) -> None:
        actor = founder()
        for name in ("robots", "spare", "left", "right"):
            create_role(name=name, scopes=["mcp:connect"], actor=actor)
        self.separation = separate_roles(roles=("left", "right"), actor=actor, reason="A test.")
        self.sides = {slug: side(slug, actor) for slug in (MINE, THEIRS)}
        # Agents, whose being suspended no page or operation asks for.
        self.suspensions = {
            slug: suspend(kind="agent", name=each.agent.client_id, actor=actor, reason="A test.")
            for slug, each in self.sides.items()
        }
        self.suppressions = {
            slug: suppress(
                server=each.server.slug,
                target=Target(rule="HF-101"),
                reason="A test.",
                until=timezone.now() + timedelta(days=1),
                actor=actor,
            )
            for slug, each in self.sides.items()
        }
        self.channel: Channel = create_channel(name="ops", url="http://127.0.0.1:9/", actor=actor).channel
        self.sink = create_sink(
            name="siem", kind="otlp", format="otlp", endpoint="http://127.0.0.1:9/v1/logs", actor=actor
        ).sink
        rule = Rule(frozenset({ChangeClass.WORDING}), frozenset({"development"}), frozenset(), frozenset(), 20)
        self.policy = write_policy(name="small", rule=rule, why="Typing mistakes.", actor=actor).policy
        self.role = Role.objects.get(name="robots")
        self.record = Record.objects.order_by("pk")[0]
        self.search = save_search(name="Denied", filters=Filters(decision="denied"), shared=True, actor=actor)
        # Of this month, which is not past the retention: whoever may agree is told so.
        self.shard = request_pruning(shard=shard_of(timezone.now()), actor=actor, reason="A test.").shard
        self.others_token = insert_api_token(self.sides[THEIRS].person, actor=SETUP, scopes=[], name="theirs")[0]


class Doors:
    """Both doors as one person opens them, to what is `MINE` and to what is `THEIRS`."""

    def __init__(self, world: Installation, person: Person, scopes: list[str] | None = None):
        self._world, self._person = world, person
        self._api = Api(person, scopes)
        self._token = insert_api_token(person, actor=SETUP, scopes=[], name="own")[0]
        self._consent, self._others_consent = (
            ConsentFactory.create(person=who, agent=world.sides[which].agent)
            for who, which in ((person, MINE), (world.sides[THEIRS].person, THEIRS))
        )
        # One's own in every case: nobody sees another's.
        self._view = SavedSearch.objects.create(
            owner=principal_of(actor_for(person)), listed=Listed.REVIEWS.value, name="own", query={"kind": "tool"}
        )
        self._browser = Client(raise_request_exception=False)
        self._browser.force_login(person)
        self._passkey = self._with_second_factors(person)
        self._others_session = ConsoleSession.objects.create(
            session_key="0" * 64,
            public_id=UUID(int=0),
            expire_date=timezone.now() + timedelta(hours=1),
            person=world.sides[THEIRS].person,
        )
        self._cookies = copy(self._browser.cookies)

    def _with_second_factors(self, person: Person) -> Authenticator:
        """All that one can have, so that no more can be added; the session was begun by one of them."""
        session = self._browser.session
        session[ABOUT] = {"second_factor": "totp", "authenticated_at": timezone.now().isoformat()}
        session.save()
        Authenticator.objects.create(user=person, type="totp", data={"secret": Adapter().encrypt("A" * 32)})
        for number in range(PASSKEYS_MAX):
            data = {"name": f"key {number}", "credential": {}}
            passkey = Authenticator.objects.create(user=person, type="webauthn", data=data)
        return passkey

    def knock(self, route: Route, which: str) -> Any:
        """The answer to a real request about what team `which` owns, or about what is the person's own and another's.

        What it changed is taken back.
        """
        mark = transaction.savepoint()
        try:
            return self.enter(route, which)
        finally:
            transaction.savepoint_rollback(mark)

    def enter(self, route: Route, which: str, *, address: str = "", body: Any = None) -> Any:
        """The same, and what it changed stays. `address` and `body` stand for those that fit."""
        chosen = self._world.sides[which]
        path = address or self._address(route, chosen)
        sent = self._body(route, chosen) if body is None else body
        try:
            if route.door == API:
                path = path.removeprefix("/api/v1/")
                return self._api.get(path) if route.method == "GET" else self._api.send(route.method, path, sent)
            return self._browser.get(path) if route.method == "GET" else self._browser.post(path, sent)
        finally:
            self._browser.cookies = copy(self._cookies)

    def fitting(self, route: Route, which: str) -> tuple[str, Any]:
        """Address and body of a request that fits."""
        chosen = self._world.sides[which]
        return self._address(route, chosen), self._body(route, chosen)

    def are_told_apart(self, route: Route) -> bool:
        """Whether what is asked about one team is another request than what is asked about the other."""
        (mine, sent), (theirs, others) = self.fitting(route, MINE), self.fitting(route, THEIRS)
        return mine != theirs or (route.method != "GET" and sent != others)

    def _address(self, route: Route, chosen: Side) -> str:
        found = self._found(route, chosen)
        path = route.path.replace("{username}", found["username"], 1)
        kind = found[_thing_in(path)] if route.door == API and "{" in path else ""
        path = re.sub(r"\{(\w+)\}", lambda match: kind if route.door == API else found[match[1]], path)
        server = f"?server={chosen.server.slug}"
        asked = {
            "compare": "?from={}&to={}".format(*chosen.digests),
            "export": "?format=csv",
            "find": "?q=red",
            "access": server,
            "access-matrix": server,
        }
        if route.name == "matrix:export":
            return path + server
        return path + asked.get(path.split("/")[-2], "")

    def _found(self, route: Route, chosen: Side) -> dict[str, str]:
        """What stands for a parameter: by its name in the console, by the first part of the path in the API."""
        world, is_mine = self._world, chosen.team.slug == MINE
        definition = chosen.lit if route.name.replace("-", "_").endswith("end_glass") else chosen.definition
        review = chosen.rejected if route.name.endswith("reopen") else chosen.review
        themselves = route.needs is not None and route.needs.or_own and is_mine
        rows: dict[str, Any] = {
            "consent": self._consent if is_mine else self._others_consent,
            "agent": chosen.agent, "alert": chosen.alert, "channel": world.channel, "definition": definition,
            "grant": chosen.grant, "person": chosen.person, "policy": world.policy, "review": review,
            "session": ConsoleSession.objects.get(person=self._person) if is_mine else self._others_session,
            "role": world.role, "search": world.search, "separation": world.separation, "sink": world.sink, "suppression": world.suppressions[chosen.team.slug], "suspension": world.suspensions[chosen.team.slug], "token": self._token if is_mine else world.others_token, "view": self._view,
        }  # fmt: skip
        ids = {name: str(row.public_id) for name, row in rows.items()} | {"record": str(world.record.id)}
        plural = {f"{name}s": value for name, value in ids.items()} | {
            "policies": ids["policy"],
            "searches": ids["search"],
            "audit": ids["record"],
            "payloads": str(chosen.call),
            "shards": str(world.shard),
        }
        named = {
            "agents": chosen.agent.client_id, "servers": chosen.server.slug, "slug": chosen.server.slug,
            "shard": str(world.shard), "team": chosen.team.slug, "teams": chosen.team.slug, "n": "1", "passkey_id": str(self._passkey.pk),
            "username": self._person.username if themselves else chosen.person.username,
        }  # fmt: skip
        return {f"{name}_id": value for name, value in ids.items()} | {"call_id": str(chosen.call)} | plural | named

    def _body(self, route: Route, chosen: Side) -> dict[str, Any]:
        world, (older, newer) = self._world, chosen.digests
        decided = {"digest": newer, "verdict": "approve", "decision": "approve", **_WHY}
        other, until = chosen.person.username, (timezone.now() + timedelta(hours=2)).isoformat()
        rule = {"name": "more", "why": "Typing mistakes.", **_RULE}
        server = {"name": "S", "url": "http://127.0.0.1:9/", "environment": "development", "team": chosen.team.slug}
        owner = self._person.username if chosen.team.slug == MINE else other
        own: dict[str, dict[str, Any]] = {
            "access:create_role": {"name": "r", "scopes": "mcp:connect", "reach": "installation"},
            "access:give_grant": {"role": "robots", "holder": f"agent:{chosen.agent.client_id}", **_WHY},
            "access:separate_roles": {"role": "robots", "other": "spare", **_WHY},
            "access:preferences": {"theme": "", "shortcuts": "on"},
            "api:agent-list": {"name": "robot"},
            "api:channel-detail": {"kinds": []},
            "api:definition-sensitive": {"sensitive": True, **_WHY},
            "api:grant-list": {"role": "robots", "agent": chosen.agent.client_id},
            "api:person-password": {"password": PASSWORD},
            "api:review-decide": {"reviews": [{"id": str(chosen.review.public_id), "digest": newer}], **decided},
            "api:role-detail": {"scopes": ["mcp:connect"]},
            "api:role-preview": {"scopes": ["mcp:connect"]},
            "api:role-list": {"name": "r", "scopes": ["mcp:connect"]},
            "api:separation-list": {"roles": ["robots", "spare"], **_WHY},
            "api:search-list": {"name": "mine", "query": {"decision": "denied"}},
            "api:server-detail": {"name": "Renamed"},
            "api:server-introspector": {"agent": chosen.agent.client_id, **_WHY},
            "api:server-list": {"slug": "fresh", **server},
            "api:suspension-list": {"kind": "server", "name": chosen.server.slug, **_WHY},
            "api:suppression-list": {"server": chosen.server.slug, "rule": "HF-102", "until": until, **_WHY},
            "api:sink-detail": {"enabled": True},
            "api:team-list": {"slug": "green"},
            "api:team-members": {"username": "founder"},
            "access:inspect_token": {"token": chosen.token},
            "api:token-inspect": {"token": chosen.token},
            "api:token-list": {"username": owner, "scopes": ["server:read"]},
            "audit:save_search": {"name": "mine", "decision": "denied"},
            "onboarding:access": {"role": "", "holder": f"agent:{chosen.agent.client_id}", **_WHY},
            "onboarding:address": {"url": "http://127.0.0.1:9/elsewhere"},
            "onboarding:approve": {"review": [f"{chosen.review.public_id} {newer}"], **_WHY},
            "onboarding:start": {"slug": "fresh", **server, "required_approvals": 1, "poll_interval": 300},
            "access:add_member": {"username": "founder"},
            "access:create_team": {"slug": "green"},
            "access:create_token": {"name": "mine", "scopes": ["server:read"]},
            "matrix:change": {
                "do": "save",
                "seen": world.role.updated_at.isoformat(),
                "shown": [str(chosen.definition.public_id)],
                "own": [str(chosen.definition.public_id)],
            },
            "servers:edit": {**server, "required_approvals": 1, "poll_interval": 300},
            "servers:register": {"slug": "fresh", **server, "required_approvals": 1, "poll_interval": 300},
            "api:right-sizing-narrow": {"role": str(world.role.public_id), "name": "narrower"},
            "tools:mark_sensitive": {"sensitive": "on", **_WHY},
            "tools:narrow": {"role": str(world.role.public_id), "name": "narrower", "days": 90},
            "api:review-assign": {"assignee": "founder"},
            "api:review-comments": {"text": "Ask the vendor."},
            "api:review-snooze": {"until": until},
            "api:review-undo": {"reviews": [{"id": str(chosen.rejected.public_id), "digest": newer}], **_WHY},
            "api:view-list": {"name": "mine", "query": {"kind": "tool"}},
            "tools:assign": {"review": [f"{chosen.review.public_id} {newer}"], "to": "founder"},
            "tools:decide_many": {"review": [f"{chosen.review.public_id} {newer}"], "confirmed": "on", **decided},
            "tools:save_view": {"name": "mine", "kind": "tool"},
            "tools:snooze": {"review": [f"{chosen.review.public_id} {newer}"], "until": "3"},
            "tools:undo_many": {"review": [f"{chosen.rejected.public_id} {newer}"], **_WHY},
            "tools:wake": {"review": [f"{chosen.review.public_id} {newer}"]},
            "tools:review": decided,
            "tools:suppressions": {"server": chosen.server.slug, "rule": "HF-102", "until": until, **_WHY},
            "tools:suspensions": {"kind": "server", "name": chosen.server.slug, **_WHY},
        }
        return own.get(route.name) or self._shared(
            route.name.partition(":")[2].replace("_", "-"), rule, older, newer, until
        )

    @staticmethod
    def _shared(name: str, rule: dict[str, Any], older: str, newer: str, until: str) -> dict[str, Any]:
        """What both doors take alike."""
        shared: dict[str, dict[str, Any]] = {
            "add-channel": {"name": "more", "url": "http://127.0.0.1:9/"},
            "add-sink": _SINK,
            "break-glass": {"digest": newer, "until": until, "hours": 4, **_WHY},
            "channel-list": {"name": "more", "url": "http://127.0.0.1:9/"},
            "create-person": {"username": "fresh", "password": PASSWORD},
            "person-list": {"username": "fresh", "password": PASSWORD},
            "policy-confirm": {"revision": 1, **_WHY},
            "policy-enable": {"revision": 1, **_WHY},
            "policy-list": rule,
            "policy-revise": rule,
            "policy-try": _RULE,
            "comment": {"text": "Ask the vendor."},
            "register-agent": {"name": "robot", "kind": "own", "name_style": "slash"},
            "return": {"digest": older, "expected_pin": older, **_WHY},
            "revise-policy": rule,
            "sink-list": _SINK,
            "write-policy": rule,
        }
        given = shared.get(name.replace("return-to", "return").removeprefix("definition-").removeprefix("review-"))
        if name.removeprefix("definition-") == "withdraw":
            return {"digest": older, **_WHY}
        return given or {"digest": newer, **_WHY}


def _thing_in(path: str) -> str:
    """What an operation's path is about; below `audit/` there are several things, and below `reviews/` two."""
    parts = path.split("/")
    return parts[4] if parts[3] == "audit" or parts[3:5] == ["reviews", "views"] else parts[3]
