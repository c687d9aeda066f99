"""What is read of a server by the way of an agent's calls: whole or with the problem, in bounds, digested once."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from gateway import reading
from gateway.jsonrpc import Response, exact_float
from gateway.protocol import Wire
from gateway.reading import Reader
from gateway.transport import UpstreamFailed
from servers.limits import Limits
from servers.surface import Kind, Problem
from tests.gateway.lists import NO, WAY, WIRE, Upstream, read
from tools.fingerprint import Unfit, digest
from tools.look import take


def deep(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(levels):
        found = {"a": found}
    return found


def named(count: int) -> list[dict[str, Any]]:
    return [{"name": f"t{n}"} for n in range(count)]


BAD: dict[str, tuple[Any, Problem]] = {
    "an error": (Response(1, error={"code": -32603, "message": "no"}), Problem.PROTOCOL_ERROR),
    "no list of tools": (NO, Problem.PROTOCOL_ERROR),
    "a question": ({"resultType": "input_required", "tools": []}, Problem.PROTOCOL_ERROR),
    "no object": ([], Problem.PROTOCOL_ERROR),
    "no list": ({"tools": {}}, Problem.MALFORMED),
    "no tool": ({"tools": ["echo"]}, Problem.MALFORMED),
    "a nameless tool": ({"tools": [{"name": ""}]}, Problem.MALFORMED),
    "a strange cursor": ({"tools": [], "nextCursor": 7}, Problem.MALFORMED),
    "a name twice": ({"tools": [{"name": "a"}, {"name": "a"}]}, Problem.DUPLICATE_NAME),
    "the same page for ever": ({"tools": [], "nextCursor": "1"}, Problem.ENDLESS_LIST),
    "a deep one": ({"tools": [{"name": "a", "x": deep(62)}]}, Problem.MALFORMED),
    "a large one": ({"tools": [{"name": "a", "x": "y" * 2_000}]}, Problem.TOO_LARGE),
    "too many": ({"tools": named(101)}, Problem.TOO_MANY),
    "too many values": ({"tools": [{"name": "a", "x": [1] * 5_000}]}, Problem.TOO_MANY),
    "a long name": ({"tools": [{"name": "a" * 3_000}]}, Problem.TOO_LARGE),
}
LIMITS = Limits(items=100, item_bytes=1_000, surface_values=4_000, total_seconds=5, answer_seconds=1)


@pytest.mark.parametrize("name", BAD)
async def test_what_a_server_does_wrong_makes_the_look_incomplete(name: str) -> None:
    result, problem = BAD[name]
    upstream = Upstream(result)
    surface = await read(upstream, WAY, LIMITS)
    assert (surface.complete, surface.problem.cls if surface.problem else None) == (False, problem)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (UpstreamFailed("timeout", "x"), Problem.TIMEOUT),
        (UpstreamFailed("needs_credentials", "x"), Problem.NEEDS_CREDENTIALS),
        (UpstreamFailed("session_lost", "x"), Problem.PROTOCOL_ERROR),
        (TimeoutError(), Problem.TIMEOUT),
    ],
    ids=["timeout", "credentials", "session", "too late"],
)
async def test_a_server_that_fails_makes_the_look_incomplete(error: Exception, problem: Problem) -> None:
    surface = await read(Upstream(error=error), WAY, LIMITS)
    assert surface.problem is not None
    assert surface.problem.cls is problem


async def test_every_page_is_read_by_the_way_of_the_calls() -> None:
    pages = [{"tools": [{"name": name}], "nextCursor": name} for name in "abc"]
    upstream = Upstream(*pages, {"tools": [{"name": "d"}]})
    surface = await read(upstream, WAY)
    assert [item.name for item in surface.items] == list("abcd")
    assert [outgoing.params for outgoing in upstream.sent] == [{}, {"cursor": "a"}, {"cursor": "b"}, {"cursor": "c"}]
    assert {(each.owner, each.wire, each.url, each.looking) for each in upstream.sent} == {("a", WIRE, WAY.url, True)}


async def test_a_server_that_has_no_tools_for_anybody_shows_none() -> None:
    surface = await read(Upstream(NO), replace(WAY, polled={}))
    assert (surface.complete, surface.items) == (True, ())


async def test_numbers_have_the_digest_that_the_poller_gives_them() -> None:
    def result(parse_float: Any) -> Any:
        text = '{"tools":[{"name":"a","x":[1.0,1e0,1.10,2e-7,18446744073709551615]}]}'
        return json.loads(text, parse_float=parse_float)

    exact = await read(Upstream(result(exact_float)), WAY)
    plain = await read(Upstream(result(float)), WAY)
    assert take(exact).surface_digest == take(plain).surface_digest
    assert take(exact).seen["tool", "a"].text == take(plain).seen["tool", "a"].text


EVERY = {
    "tools/list": {"tools": [{"name": "same"}]},
    "resources/list": {"resources": [{"uri": "memo://1", "name": "same"}]},
    "resources/templates/list": {"resourceTemplates": [{"uriTemplate": "memo://{n}", "name": "same"}]},
    "prompts/list": {"prompts": [{"name": "same"}]},
}
ALL = frozenset({"tool", "resource", "template", "prompt"})


class Whole(Upstream):
    """Has every list, but those that are `refused`."""

    def __init__(self, *refused: str, card: Any = NO) -> None:
        super().__init__(card=card)
        self.refused = refused

    async def send(self, outgoing: Any) -> Response:
        answer = await super().send(outgoing)
        if outgoing.method not in EVERY:
            return answer
        return NO if outgoing.method in self.refused else Response(1, result=EVERY[outgoing.method])


async def test_every_list_that_the_server_has_is_read_and_no_other() -> None:
    upstream = Whole()
    surface = await read(upstream, replace(WAY, lists=ALL))
    assert {(item.kind.value, item.name) for item in surface.items} == {
        ("tool", "same"),
        ("resource", "memo://1"),
        ("template", "memo://{n}"),
        ("prompt", "same"),
    }
    assert (surface.complete, surface.covers) == (True, frozenset(Kind) - {Kind.CARD})
    upstream = Whole()
    surface = await read(upstream, replace(WAY, lists=frozenset({"tool", "prompt"})))
    assert [each.method for each in upstream.sent] == ["tools/list", "prompts/list"]
    assert surface.covers == {Kind.TOOL, Kind.PROMPT}


@pytest.mark.parametrize(
    ("polled", "complete"), [({}, True), ({("template", "memo://{n}"): "x"}, False)], ids=["had none", "had some"]
)
async def test_a_list_that_is_not_there_is_empty_where_the_poller_was_shown_nothing_of_it(
    polled: Any, complete: Any
) -> None:
    surface = await read(Whole("resources/templates/list"), replace(WAY, lists=ALL, polled=polled))
    assert surface.complete is complete


CARD = {
    "capabilities": {"prompts": {}},
    "instructions": "Be kind.",
    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "files", "version": "1"}},
}


async def test_in_the_modern_era_the_server_is_asked_what_it_is_and_which_lists_it_has() -> None:
    upstream = Whole(card=CARD)
    surface = await read(upstream, replace(WAY, lists=frozenset({"tool"})))
    assert [each.method for each in upstream.sent] == ["prompts/list"]
    assert surface.covers == frozenset(Kind), "what it does not announce to agents is not there for them"
    (card,) = [item.body for item in surface.items if item.kind is Kind.CARD]
    assert card == {
        "instructions": "Be kind.",
        "serverInfo": {"name": "files", "version": "1"},
        "capabilities": {"prompts": {}},
        "endpoint": WAY.url,
        "authorization": None,
    }


async def test_a_session_says_what_the_server_is_once_it_is_open() -> None:
    way = replace(WAY, wire=Wire(modern=False, version="2025-11-25"), lists=frozenset({"tool"}))
    answer = {**CARD, "serverInfo": {"name": "old", "version": "2"}}
    heard: list[Any] = [None, answer]
    with ThreadPoolExecutor(1) as threads:
        found = await Reader(Whole().send, threads).read(way, lambda: heard.pop(0))
    assert found.answer is answer
    assert {item.name for item in found.surface.items} == {"same", "card"}
    assert found.surface.items[-1].body["serverInfo"] == {"name": "old", "version": "2"}


@pytest.mark.parametrize("card", [NO, {"capabilities": 7}, [], {"resultType": "input_required"}])
async def test_a_server_that_says_nothing_of_itself_is_read_all_the_same(card: Any) -> None:
    surface = await read(Whole(card=card), WAY)
    assert surface.complete
    assert surface.covers == {Kind.TOOL}


@pytest.mark.parametrize(
    ("card", "problem"),
    [
        ({**CARD, "instructions": 7}, Problem.MALFORMED),
        ({**CARD, "instructions": "x" * 2_000}, Problem.TOO_LARGE),
        ({**CARD, "more": deep(70)}, Problem.MALFORMED),
    ],
    ids=["malformed", "large", "deep"],
)
async def test_a_card_is_held_to_the_pollers_bounds(card: Any, problem: Problem) -> None:
    surface = await read(Whole(card=card), WAY, LIMITS)
    assert surface.problem is not None
    assert surface.problem.cls is problem


async def test_pages_whose_bytes_are_known_are_not_digested_again(monkeypatch: pytest.MonkeyPatch) -> None:
    digested: list[str] = []
    real = digest

    def counted(kind: Kind, body: Any) -> str:
        digested.append(body["name"])
        return real(kind, body)

    monkeypatch.setattr(reading, "digest", counted)
    pages = [{"tools": named(50), "nextCursor": "1"}, {"tools": [{"name": "last"}]}]
    with ThreadPoolExecutor(1) as threads:
        upstream = Upstream()
        reader = Reader(upstream.send, threads)
        found = []
        for way in (WAY, replace(WAY, vantage="agent:other", slug="more", url="https://else.example")):
            upstream.sent, upstream.results = [], pages
            found.append((await reader.read(way)).surface)
        assert len(digested) == 51
        assert [item.digest for item in found[0].items] == [item.digest for item in found[1].items]
        upstream.sent, upstream.results = [], [pages[0], {"tools": [{"name": "last", "title": "x"}]}]
        changed = (await reader.read(WAY)).surface
    assert digested[51:] == ["last"], "only the page that changed"
    assert [item.digest for item in changed.items] == [real(item.kind, item.body) for item in changed.items]


async def test_the_same_page_is_another_thing_in_another_list() -> None:
    both = {"tools": [{"name": "a"}], "prompts": [{"name": "a"}]}
    surface = await read(Upstream(both), replace(WAY, lists=frozenset({"tool", "prompt"})))
    found = {item.kind: item.digest for item in surface.items}
    assert found[Kind.TOOL] != found[Kind.PROMPT]
    assert {key[0]: seen.digest for key, seen in take(replace(surface, vantage="poller")).seen.items()} == found


async def test_what_is_remembered_of_pages_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "DIGESTS_KEPT", 100)
    with ThreadPoolExecutor(1) as threads:
        upstream = Upstream()
        reader = Reader(upstream.send, threads)
        for size in range(40):
            upstream.sent, upstream.results = [], [{"tools": named(size)}]
            assert len((await reader.read(WAY)).surface.items) == size
    kept = reader._known
    assert sum(len(page.digests) + 1 for page in kept._pages.values()) == kept._held <= 100


async def test_an_item_that_has_no_digest_is_left_to_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    def unfit(_kind: Kind, _body: Any) -> str:
        raise Unfit("on purpose")

    monkeypatch.setattr(reading, "digest", unfit)
    surface = await read(Upstream({"tools": [{"name": "a"}]}), WAY)
    assert (surface.complete, [item.digest for item in surface.items]) == (True, [""])


async def test_known_pages_count_towards_the_bounds_like_any_other() -> None:
    page = {"tools": named(30)}
    limits = replace(LIMITS, surface_values=100)
    with ThreadPoolExecutor(1) as threads:
        upstream = Upstream(page)
        reader = Reader(upstream.send, threads, limits)
        way = replace(WAY, lists=frozenset({"tool", "prompt"}))
        upstream.results = [page, {"prompts": []}]
        assert (await reader.read(way)).surface.complete
        upstream.sent, upstream.results = (
            [],
            [{**page, "nextCursor": "1"}, {"tools": [{"name": "more", "x": [1] * 60}]}],
        )
        problem = (await reader.read(way)).surface.problem
    assert problem is not None
    assert problem.cls is Problem.TOO_MANY


def test_only_equal_pages_have_one_mark() -> None:
    pages: list[Any] = [
        {"tools": json.loads(text, parse_float=exact_float)}
        for text in ("[1]", "[1.0]", "[1.00]", "[true]", '["1"]', "[[1]]", '{"a":1,"b":2}', '{"b":2,"a":1}', "[null]")
    ]
    marks = [reading._mark(Kind.TOOL, page) for page in pages]
    assert len(set(marks)) == len(pages)
    assert reading._mark(Kind.TOOL, {"tools": json.loads('{"a": 1, "b": 2}')}) == marks[6]
    assert reading._mark(Kind.PROMPT, pages[0]) != marks[0]
