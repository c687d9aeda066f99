"""The store on a real database: parts, revisions, tokens, and a database that goes away."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from access.policy import PinState, Reason
from gateway.errors import Refused
from gateway.kept_tokens import Bearer
from gateway.protocol import Wire
from gateway.snapshot import Snapshot
from gateway.store import Store, _refreshed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.network]

BIG = '"maximum":18446744073709551615'


@pytest.fixture
async def store(valkey_url: str) -> AsyncIterator[Store]:
    made = Store(resource=lambda slug: f"https://gw.example/mcp/{slug}", redis_url=valkey_url)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def lonely(valkey_url: str) -> AsyncIterator[Store]:
    """A store that no message reaches."""
    made = Store(resource=lambda slug: f"https://gw.example/mcp/{slug}", redis_url="redis://127.0.0.1:1/0")
    await made.start()
    yield made
    await made.stop()


async def seen(store: Store, fits: Callable[[Snapshot], object], *, seconds: float = 60) -> Snapshot:
    """The first snapshot that fits."""
    deadline = time.monotonic() + seconds
    while not fits(store.current()):
        assert time.monotonic() < deadline, "the store did not notice"
        await asyncio.sleep(0.01)
    return store.current()


async def settled(store: Store) -> Snapshot:
    """The snapshot of the database's present revisions."""
    from access.models import Revision

    wanted = await sync_to_async(lambda: dict(Revision.objects.values_list("part", "n")))()
    return await seen(store, lambda known: dict(known.revisions) == wanted)


def setting(*items: Any, approve: tuple[str, ...] | None = None, slug: str = "files", **values: Any) -> Any:
    """A server that was polled once, with these tools approved (None: everything)."""
    from tests.tools.making import make_server, poll

    server = make_server(slug, state="registered", **values)
    poll(server, *items)
    decide(slug, approve)
    return server


def decide(slug: str, names: tuple[str, ...] | None = None) -> None:
    """Approve what waits, or of it what is named."""
    from access.models import Person
    from tests.tools.making import actor_of
    from tools.models import Review
    from tools.services import decide_review

    person, _ = Person.objects.get_or_create(username="decider")
    waiting = Review.objects.waiting().filter(definition__server__slug=slug)
    for review in waiting if names is None else waiting.filter(definition__name__in=names):
        decide_review(
            review_id=review.public_id,
            verdict="approve",
            digest=review.version.digest,
            reason="Fine.",
            actor=actor_of(person),
        )


def move(slug: str) -> None:
    """Another endpoint, as if the next observation had found the same behind it."""
    from django.db import transaction

    from access.models import Person
    from access.services import bump_revision, server_part
    from servers.models import Server

    mover = Person.objects.get(username="decider")
    with transaction.atomic():
        Server.objects.filter(slug=slug).update(url="http://127.0.0.1:9/other", endpoint_changed_by=mover)
        bump_revision(server_part(slug))


async def test_the_policy_is_read_in_one_thread_whatever_the_others_do(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a thread lets go no other uses again: read in four, a thousand tools would be in memory four times."""
    threads: set[int] = set()

    def noted(*given: Any) -> Snapshot:
        threads.add(threading.get_ident())
        return _refreshed(*given)

    monkeypatch.setattr("gateway.store._refreshed", noted)
    for _ in range(8):
        work = (store.run(time.sleep, 0.01) for _ in range(8))
        await asyncio.gather(store._look(), *work, store._look())
    assert len(threads) == 1


async def test_a_servers_limits_are_those_that_were_last_set(store: Store) -> None:
    from access.models import Person
    from servers.limits import CallLimits
    from servers.services import edit_server
    from tests.tools.making import actor_of, tool

    await sync_to_async(setting)(tool("read"))
    assert (await settled(store)).servers["files"].limits == CallLimits()
    decider = actor_of(await Person.objects.aget(username="decider"))
    await sync_to_async(edit_server)(slug="files", changes={"total_seconds": 90}, actor=decider)
    await seen(store, lambda known: known.servers["files"].limits == CallLimits(total_seconds=90))


async def test_a_server_is_built_from_its_rows(store: Store) -> None:
    from tests.tools.making import tool

    big = tool("big", inputSchema={"type": "object", "properties": {"n": {"type": "integer", "maximum": 2**64 - 1}}})
    headed = tool(
        "headed", inputSchema={"type": "object", "properties": {"r": {"type": "string", "x-mcp-header": "Region"}}}
    )
    await sync_to_async(setting)(big, headed, tool("held"), approve=("big", "headed"))
    part = (await settled(store)).servers["files"]
    assert part.facts.active
    assert part.facts.resource == "https://gw.example/mcp/files"
    assert part.upstream == Wire(modern=True, version="2026-07-28")
    states = {name: part.definition("tool", name).facts.state for name in ("big", "held", "absent")}
    assert states == {"big": PinState.APPROVED, "held": PinState.QUARANTINED, "absent": PinState.UNKNOWN}
    assert BIG in part.definition("tool", "big").body.decode().replace(" ", "")
    assert part.definition("tool", "held").body == b""
    assert part.definition("tool", "headed").headers == {("r",): "mcp-param-region"}


async def test_what_the_server_no_longer_shows_is_unknown(store: Store) -> None:
    from tests.tools.making import poll, tool

    server = await sync_to_async(setting)(tool("read"), tool("write"))
    assert (await settled(store)).servers["files"].definition("tool", "write").body
    await sync_to_async(poll)(server, tool("read"))
    part = (await settled(store)).servers["files"]
    assert part.definition("tool", "write").facts.state is PinState.UNKNOWN
    assert part.definition("tool", "read").facts.state is PinState.APPROVED


@pytest.mark.parametrize(
    ("change", "withheld"),
    [
        ({"instructions": "Be evil."}, False),
        ({"capabilities": {"tools": {}, "prompts": {}}}, False),
        ({"serverInfo": {"name": "files", "version": "2"}}, False),
        ({"serverInfo": {"name": "other", "version": "1"}}, True),
        ({"endpoint": "http://127.0.0.1:9/other"}, True),
        ({"authorization": {"authorization_servers": ["https://as.example"]}}, True),
    ],
)
async def test_a_changed_card_serves_the_approved_one_or_withholds_the_server(
    *, store: Store, change: dict[str, Any], withheld: bool
) -> None:
    from tests.tools.making import card, poll, tool

    server = await sync_to_async(setting)(tool("read"), card())
    await sync_to_async(poll)(server, tool("read"), card(**change))
    part = (await settled(store)).servers["files"]
    assert part.facts.withheld is withheld
    assert part.card is not None
    assert (part.card.identity["name"], part.card.instructions) == ("files", "Be kind.")
    await sync_to_async(decide)("files")
    assert not (await settled(store)).servers["files"].facts.withheld


async def test_an_unapproved_card_says_nothing_and_withholds_nothing(store: Store) -> None:
    from tests.tools.making import card, tool

    await sync_to_async(setting)(tool("read"), card(), approve=("read",))
    part = (await settled(store)).servers["files"]
    assert part.card is None
    assert not part.facts.withheld


async def test_an_endpoint_that_moved_before_any_card_was_approved_waits_for_that_approval(store: Store) -> None:
    from tests.tools.making import card, tool

    await sync_to_async(setting)(tool("read"), card(), approve=("read",))
    await sync_to_async(move)("files")
    assert (await settled(store)).servers["files"].facts.withheld
    await sync_to_async(decide)("files")
    assert not (await settled(store)).servers["files"].facts.withheld


def emergency(slug: str, kind: str = "card", *, hours: float = 1) -> Any:
    """Somebody breaks the glass for what waits, and somebody else could be told."""
    from datetime import timedelta

    from django.utils import timezone

    from access.services import actor_for
    from core.permissions import Permission
    from tests.factories import person_with
    from tools.models import Review
    from tools.services import break_glass

    actor, _ = (actor_for(person_with(*Permission)) for _ in range(2))
    review = Review.objects.waiting().get(definition__server__slug=slug, definition__kind=kind)
    until = timezone.now() + timedelta(hours=hours)
    return break_glass(
        review_id=review.public_id, digest=review.version.digest, reason="Night.", until=until, actor=actor
    )


async def test_in_an_emergency_what_waits_is_served_until_its_time(store: Store) -> None:
    from tests.tools.making import poll, tool

    server = await sync_to_async(setting)(tool("read"))
    await sync_to_async(poll)(server, tool("read", "Hotfixed."))
    assert (await settled(store)).servers["files"].definition("tool", "read").facts.state is PinState.QUARANTINED
    glass = await sync_to_async(emergency)("files", "tool")
    served = (await settled(store)).servers["files"].definition("tool", "read")
    assert (served.facts.state, served.facts.digest) == (PinState.APPROVED, glass.version.digest)
    assert served.facts.expires_at == glass.expires_at
    assert b"Hotfixed." in served.body


async def test_an_emergency_lets_a_server_through_that_moved_but_only_for_its_time(store: Store) -> None:
    from tests.tools.making import card, poll, tool

    server = await sync_to_async(setting)(tool("read"), card())
    await sync_to_async(poll)(server, tool("read"), card(endpoint="http://127.0.0.1:9/other"))
    assert (await settled(store)).servers["files"].facts.withheld
    glass = await sync_to_async(emergency)("files")
    facts = (await settled(store)).servers["files"].facts
    assert (facts.withheld, facts.trusted_until) == (False, glass.expires_at)
    await sync_to_async(poll)(server, tool("read"), card(endpoint="http://127.0.0.1:9/third"))
    assert (await settled(store)).servers["files"].facts.withheld


@pytest.mark.parametrize("approved", [None, ("read",)])
async def test_an_emergency_about_words_of_the_card_leaves_nothing_hanging_on_it(
    store: Store, approved: tuple[str, ...] | None
) -> None:
    from tests.tools.making import card, poll, tool

    server = await sync_to_async(setting)(tool("read"), card(), approve=approved)
    await sync_to_async(poll)(server, tool("read"), card(instructions="Hurry."))
    glass = await sync_to_async(emergency)("files")
    part = (await settled(store)).servers["files"]
    assert (part.facts.withheld, part.facts.trusted_until) == (False, None)
    assert part.card is not None
    assert (part.card.instructions, part.card.expires_at) == ("Hurry.", glass.expires_at)


RESOURCE = {"uri": "memo://1", "name": "memo", "mimeType": "text/plain", "annotations": {"audience": ["assistant"]}}
PROMPT = {"name": "greet", "description": "Greets.", "arguments": [{"name": "who"}]}


@pytest.mark.parametrize(
    ("kind", "body", "change", "served"),
    [
        ("resource", RESOURCE, {"description": "New."}, True),
        ("resource", RESOURCE, {"title": "New"}, True),
        ("resource", RESOURCE, {"annotations": {"audience": ["user"]}}, False),
        ("resource", RESOURCE, {"mimeType": "text/html"}, False),
        ("resource", RESOURCE, {"_meta": {"a": 1}}, False),
        ("prompt", PROMPT, {"description": "New."}, True),
        ("prompt", PROMPT, {"arguments": [{"name": "who", "required": True}]}, False),
    ],
)
async def test_while_a_change_waits_the_approved_text_is_served_on_where_the_server_says_so_and_it_cannot_hurt(
    *, store: Store, kind: str, body: dict[str, Any], change: dict[str, Any], served: bool
) -> None:
    from servers.surface import Item, Kind
    from tests.tools.making import poll

    name = body["uri" if kind == "resource" else "name"]
    server = await sync_to_async(setting)(Item(Kind(kind), name, body), drift_mode="serve_pinned")
    await sync_to_async(poll)(server, Item(Kind(kind), name, body | change))
    found = (await settled(store)).servers["files"].definition(kind, name)
    assert (found.facts.state is PinState.APPROVED) is served
    assert json.loads(found.body) == body if served else found.body == b""


async def test_only_the_part_that_changed_is_read_again(store: Store) -> None:
    from tests.tools.making import poll, tool

    first = await sync_to_async(setting)(tool("read"))
    await sync_to_async(setting)(tool("read"), slug="other")
    before = await settled(store)
    await sync_to_async(poll)(first, tool("read", "Changed."))
    after = await settled(store)
    assert after.servers["files"] is not before.servers["files"]
    assert after.servers["other"] is before.servers["other"]
    assert after.access is before.access


async def test_a_change_is_noticed_without_any_message(lonely: Store) -> None:
    from tests.tools.making import tool

    await sync_to_async(setting)(tool("read"))
    await seen(lonely, lambda known: "files" in known.servers, seconds=4)


async def test_a_retired_server_is_forgotten(store: Store) -> None:
    from tests.tools.making import actor_of, tool
    from tools.services import retire

    def end() -> None:
        from access.models import Person

        retire(slug="files", actor=actor_of(Person.objects.create(username="owner")), reason="Old.")

    await sync_to_async(setting)(tool("read"))
    assert "files" in (await settled(store)).servers
    await sync_to_async(end)()
    assert "files" not in (await settled(store)).servers


async def test_grants_of_a_team_reach_its_people_and_not_its_agents(store: Store) -> None:
    def give() -> tuple[int, int]:
        from access import services
        from access.models import Person
        from core.actor import system_actor
        from core.permissions import Permission

        admin = system_actor("test", *Permission)
        person = Person.objects.create(username="ada")
        services.create_team(slug="crew", name="Crew", actor=admin)
        services.add_member(team="crew", username="ada", actor=admin)
        agent = services.register_agent(name="robot", actor=admin, owner_team="crew").agent
        services.create_role(name="caller", scopes=["mcp:files:call"], actor=admin)
        services.give_grant(role="caller", holder=services.Holder(team="crew"), actor=admin, reason="A test.")
        return person.pk, agent.pk

    person, agent = await sync_to_async(give)()
    access = (await settled(store)).access
    assert access.people[person][0].scopes == {"mcp:files:call"}
    assert access.agents.get(agent, ()) == ()


async def test_an_agent_whose_grants_were_all_revoked_is_known_as_one_that_had_some(store: Store) -> None:
    def give() -> tuple[int, int]:
        from access import services
        from core.actor import system_actor
        from core.permissions import Permission

        admin = system_actor("test", *Permission)
        services.create_role(name="caller", scopes=["mcp:files:call"], actor=admin)
        robot, other = (services.register_agent(name=name, actor=admin).agent for name in ("robot", "other"))
        holder = services.Holder(agent=robot.client_id)
        grant = services.give_grant(role="caller", holder=holder, actor=admin, reason="A test.")
        services.revoke_grant(grant_id=grant.public_id, actor=admin, reason="No more.")
        return robot.pk, other.pk

    robot, other = await sync_to_async(give)()
    access = (await settled(store)).access
    assert (access.agents.get(robot), access.agents.get(other)) == ((), None)


async def test_broken_connections_are_replaced(store: Store, owner_connection: Any) -> None:
    from tests.tools.making import tool

    owner_connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await sync_to_async(_forget_connection)()
    await sync_to_async(setting)(tool("read"))
    assert "files" in (await settled(store)).servers


def _forget_connection() -> None:
    from django.db import connection

    connection.close()


async def test_a_store_that_never_read_anything_refuses(valkey_url: str) -> None:
    unread = Store(resource=str, redis_url=valkey_url)
    with pytest.raises(Refused) as refused:
        unread.current()
    assert refused.value.reason == Reason.POLICY_STALE


async def test_rubbish_is_no_token_and_not_ours(store: Store) -> None:
    assert await store.token(Bearer("rubbish")) is None
    assert not store.is_ours(Bearer("rubbish"))


async def test_what_a_class_is_shown_withholds_before_the_gateway_goes_on(lonely: Store) -> None:
    from tests.tools.making import surface, tool

    server = await sync_to_async(setting)(tool("read"), tool("write"))
    assert (await settled(lonely)).servers["files"].definition("tool", "read").body
    shown = surface(tool("read", "Else."), tool("more"), vantage="agent:robot")
    assert await lonely.sight("files", server.url, shown)
    part = lonely.current().servers["files"]
    assert part.definition("tool", "read").facts.state is PinState.QUARANTINED
    assert part.definition("tool", "more").facts.state is PinState.UNKNOWN
    assert set(part.observed) == {("tool", "read"), ("tool", "write")}
    assert set(part.sighted["agent:robot"]) == {("tool", "read"), ("tool", "more")}
    assert set(part.known_shown("agent:robot")) == {("tool", "read"), ("tool", "write"), ("tool", "more")}


async def test_a_server_has_the_lists_that_its_card_says_and_those_it_showed(store: Store) -> None:
    from servers.surface import Item, Kind
    from tests.tools.making import card, poll, tool

    prompt = Item(Kind.PROMPT, "greet", {"name": "greet"})

    async def lists(*items: Item) -> set[str]:
        await sync_to_async(poll)(server, *items)
        return set((await settled(store)).servers["files"].lists)

    server = await sync_to_async(setting)(card(capabilities={}), tool("read"))
    assert await lists(card(capabilities={}), tool("read")) == {"tool"}
    assert await lists(card(capabilities={}), tool("read"), prompt) == {"tool", "prompt"}
    assert await lists(card(capabilities={"resources": {}, "logging": {}}), tool("read")) == {
        "tool",
        "resource",
        "template",
    }
    assert await lists(card(capabilities={}), tool("read")) == {"tool"}


async def test_what_was_shown_of_a_server_that_moved_is_not_taken_in(store: Store) -> None:
    from tests.tools.making import surface, tool

    await sync_to_async(setting)(tool("read"))
    await settled(store)
    shown = surface(tool("read", "Else."), vantage="agent:robot")
    assert not await store.sight("files", "http://127.0.0.1:9/elsewhere", shown)
    assert not await store.sight("none", "http://127.0.0.1:9/files", shown)
    assert store.current().servers["files"].definition("tool", "read").body
