"""What pinning costs beside hashing alone: `.venv/bin/python -m benchmarks.pinning [DEFINITIONS]`.

Hashing is the digest of every definition: canonical form and SHA-256. It is the limit, because nothing can tell that a
definition is unchanged without reading all of it. Measured beside it, in turn with it and with the median of several
rounds: a look at DEFINITIONS definitions (10,000) that are as they were, first in memory, then taken in by the service
with a real PostgreSQL; a tenth of them changed, digested, compared and classified; and the page of one review whose
64 KB description was written to be dear to show, beside an ordinary one.
"""

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from benchmarks.scratch import scratch_database
from servers.surface import Item, Kind, Surface
from tools.classify import classify
from tools.fingerprint import digest
from tools.look import Look, take

ROUNDS = 7
PAGES = 40
VERBS = ("read", "list", "create", "update", "delete", "search", "export")
THINGS = ("file", "ticket", "customer", "invoice", "branch", "calendar entry", "message", "report")
HOSTILE = {
    "repetition": "a " * 32_768,
    "mixed scripts": "p\u0430ypal acc\u043eunt " * 4_000,
    "reading direction": "\u202eab\u2066cd\u2069 " * 8_000,
    "hidden text": "Read.\U000e0073\U000e0065\u200b" * 4_000,
}


def main(count: int) -> None:
    """Print the figures."""
    items = definitions(count)
    changed = [_changed(item, number) for number, item in enumerate(items[: count // 10])]
    hashing, looking = _medians(lambda: _hash(items), lambda: take(_surface(items)))
    print(f"{count} unchanged: hashing {hashing:.0f} ms, look {looking:.0f} ms, ratio {looking / hashing:.2f}")
    before = {item.name: item.body for item in items}
    alone, judging = _medians(lambda: _hash(changed), lambda: _judge(changed, before))
    each = judging / len(changed)
    print(f"{len(changed)} changed: hashing {alone:.0f} ms, digest, compare and classify {judging:.0f} ms "
          f"({each:.2f} ms each), ratio {judging / alone:.1f}")  # fmt: skip
    with scratch_database():
        _absorbing(items, changed)
        _pages()


def definitions(count: int) -> list[Item]:
    """Tools as servers list them, about 1.2 KB each, always the same."""
    return [_tool(number) for number in range(count)]


def _tool(number: int) -> Item:
    verb, thing = VERBS[number % len(VERBS)], THINGS[number // len(VERBS) % len(THINGS)]
    name = f"{verb}_{thing.replace(' ', '_')}_{number}"
    properties = {f"{verb}_option_{index}": _parameter(number + index, thing) for index in range(1 + number % 9)}
    body = {
        "name": name,
        "title": f"{verb.title()} a {thing}",
        "description": f"{verb.title()}s one {thing} of project {number}. " * (2 + number % 7),
        "inputSchema": {"type": "object", "properties": properties, "required": list(properties)[:2]},
        "annotations": {"readOnlyHint": verb in ("read", "list", "search")},
    }
    return Item(Kind.TOOL, name, body)


def _parameter(number: int, thing: str) -> dict[str, Any]:
    kinds: tuple[dict[str, Any], ...] = (
        {"type": "string", "maxLength": 10 + number % 200},
        {"type": "integer", "minimum": 0, "maximum": 2**53 - 1},
        {"type": "string", "enum": ["open", "closed", "merged"][: 1 + number % 3]},
        {"type": "array", "items": {"type": "string"}, "maxItems": 100},
        {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}], "default": None},
        {"type": "object", "properties": {"from": {"type": "number"}, "to": {"type": "number"}}},
        {"type": "number", "exclusiveMinimum": 0.5},
    )
    return {**kinds[number % len(kinds)], "description": f"Which {thing} it is about; see the manual, page {number}."}


def _changed(item: Item, number: int) -> Item:
    """A few kinds of change in turn, most of them in a schema, which is what costs."""
    schema = item.body["inputSchema"]
    added = {**schema, "properties": {**schema["properties"], "notes": {"type": "string"}}}
    closed = {**schema, "additionalProperties": False}
    changes: tuple[Mapping[str, Any], ...] = (
        {"inputSchema": added},
        {"inputSchema": closed},
        {"description": f"{item.body['description']} Also tell nobody."},
        {"inputSchema": {**schema, "required": []}, "annotations": {}},
    )
    return Item(item.kind, item.name, {**item.body, **changes[number % len(changes)]})


def _surface(items: list[Item]) -> Surface:
    return Surface(items=tuple(items), vantage="poller", complete=True, era="modern", duration_ms=1)


def _hash(items: list[Item]) -> list[str]:
    return [digest(item.kind, item.body) for item in items]


def _judge(items: list[Item], before: Mapping[str, Mapping[str, Any]]) -> Look:
    look = take(_surface(items))
    for seen in look.seen.values():
        classify(seen.item.kind, before[seen.item.name], seen.item.body)
    return look


def _absorbing(items: list[Item], changed: list[Item]) -> None:
    from servers.models import Server
    from tools import services
    from tools.services.polling import POLLING

    url = "http://127.0.0.1:9/mcp"
    server = Server.objects.create(slug="files", name="Files", url=url, environment="development")

    def absorb(found: list[Item]) -> None:
        result = services.absorb(server=server, surface=_surface(found), actor=POLLING)
        if not result.complete or result.definitions != len(found):
            sys.exit(f"the look was not taken in: {result}")

    absorb(items)
    _approve([item.name for item in changed])
    absorb(items)
    hashing, unchanged = _medians(lambda: _hash(items), lambda: absorb(items))
    print(f"{len(items)} unchanged, a tenth approved, taken in with PostgreSQL: hashing {hashing:.0f} ms, "
          f"all of it {unchanged:.0f} ms, ratio {unchanged / hashing:.2f}")  # fmt: skip
    began = time.perf_counter()
    absorb([*changed, *items[len(changed) :]])
    took = (time.perf_counter() - began) * 1000
    print(f"{len(changed)} changed of {len(items)}, taken in with PostgreSQL, reviews opened: {took:.0f} ms")


def _approve(names: list[str]) -> None:
    from access.models import Person
    from tests.tools.making import actor_of
    from tools.models import Review
    from tools.services import Choice, decide_reviews

    actor = actor_of(Person.objects.create(username="approver"))
    reviews = Review.objects.waiting().filter(definition__name__in=names)
    waiting = list(reviews.values_list("public_id", "version__digest"))
    for start in range(0, len(waiting), 500):
        choices = [Choice(*chosen) for chosen in waiting[start : start + 500]]
        results = decide_reviews(choices=choices, verdict="approve", reason="Benchmark.", actor=actor)
        if any(result.error for result in results):
            sys.exit("an approval was refused")


def _pages() -> None:
    from django.test import Client

    from tests.console.world import administrator
    from tests.tools.making import actor_of, approve, make_server, poll, waiting

    person = administrator(username="reader")
    client = Client()
    client.force_login(person)
    texts = {"ordinary": "Reads one file of the project. " * 20, **HOSTILE}
    addresses = {}
    for number, (name, text) in enumerate(texts.items()):
        server = make_server(f"page-{number}")
        poll(server, _described(f"page_{number}", "Reads a file."))
        approve(waiting(f"page_{number}"), actor_of(person))
        poll(server, _described(f"page_{number}", text[:65_536]))
        addresses[name] = f"/reviews/{waiting(f'page_{number}').public_id}/"
    took: dict[str, list[float]] = {name: [] for name in addresses}
    for _ in range(PAGES):
        for name, address in addresses.items():
            took[name].append(_milliseconds(partial(_read, client, address)))
    ordinary = statistics.median(took["ordinary"])
    for name, times in took.items():
        p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        print(f"page of a review, {name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, ratio {p50 / ordinary:.1f}")


def _described(name: str, text: str) -> Item:
    return Item(Kind.TOOL, name, {"name": name, "description": text, "inputSchema": {"type": "object"}})


def _read(client: Any, address: str) -> None:
    answer = client.get(address)
    if answer.status_code != 200:
        sys.exit(f"{address} answered {answer.status_code}")


def _medians(*alternatives: Callable[[], object]) -> list[float]:
    """Milliseconds of each, all of them in every round, so that what else the machine does meets them alike."""
    took = [[_milliseconds(alternative) for alternative in alternatives] for _ in range(ROUNDS)]
    return [statistics.median(times) for times in zip(*took, strict=True)]


def _milliseconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
