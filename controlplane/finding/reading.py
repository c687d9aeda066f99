"""What somebody may jump to by a few words: servers, definitions, reviews, agents, roles, people and pages.

Of each kind the ones whose name begins with what was typed come first. Every kind starts from what the actor may see.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any, Final

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.urls import reverse

from access.models import Agent, Person, Role
from core.actor import Actor
from core.permissions import Permission
from servers.models import Server
from servers.surface import Kind
from tools.models import Definition, Review

FOUND_MAX: Final = 20
OF_A_KIND: Final = 6
WORDS_MAX: Final = 5
ASKED_MAX: Final = 100  # characters


@dataclass(frozen=True, slots=True)
class Hit:
    """One place to go to. `name` is what somebody or a server wrote, `beside` tells it from its namesakes."""

    kind: str  # page, server, definition, review, agent, role, person
    name: str
    beside: str
    url: str


def found(actor: Actor, asked: str, pages: Iterable[tuple[str, str]] = ()) -> list[Hit]:
    """At most `FOUND_MAX` places that hold every word of `asked`; `pages` are titles and addresses to look in too."""
    words = asked.replace("\0", "").casefold().split()[:WORDS_MAX]
    if not words:
        return []
    kinds: tuple[Callable[[Actor, list[str]], Iterator[Hit]], ...] = (
        _servers, _definitions, _reviews, _agents, _roles, _people
    )  # fmt: skip
    hits = [Hit("page", title, "", url) for title, url in pages if all(word in title.casefold() for word in words)]
    for kind in kinds:
        hits += kind(actor, words)
    return hits[:FOUND_MAX]


def _servers(actor: Actor, words: list[str]) -> Iterator[Hit]:
    rows = _holding(Server.objects.visible_to(actor), words, "slug", "name").order_by("begins", "slug")
    for slug, name in rows.values_list("slug", "name")[:OF_A_KIND]:
        yield Hit("server", name, slug, reverse("tools:server_detail", args=[slug]))


def _definitions(actor: Actor, words: list[str]) -> Iterator[Hit]:
    shown = Definition.objects.visible_to(actor).filter(present=True).exclude(kind=Kind.CARD.value)
    rows = _holding(shown, words, "name", "server__slug", telling=("name",)).order_by("begins", "pk")
    for public_id, name, slug in rows.values_list("public_id", "name", "server__slug")[:OF_A_KIND]:
        yield Hit("definition", name, slug, reverse("tools:definition", args=[public_id]))


def _reviews(actor: Actor, words: list[str]) -> Iterator[Hit]:
    about = ("definition__name", "definition__server__slug")
    rows = _holding(Review.objects.visible_to(actor).waiting(), words, *about, telling=about[:1])
    for public_id, name, slug in rows.order_by("begins", "pk").values_list("public_id", *about)[:OF_A_KIND]:
        yield Hit("review", name, slug, reverse("tools:review", args=[public_id]))


def _agents(actor: Actor, words: list[str]) -> Iterator[Hit]:
    rows = _holding(Agent.objects.visible_to(actor), words, "name", "client_id").order_by("begins", "name", "pk")
    for public_id, name, client_id in rows.values_list("public_id", "name", "client_id")[:OF_A_KIND]:
        yield Hit("agent", name, client_id, reverse("access:agent", args=[public_id]))


def _roles(actor: Actor, words: list[str]) -> Iterator[Hit]:
    rows = _holding(Role.objects.visible_to(actor), words, "name").order_by("begins", "name")
    for name in rows.values_list("name", flat=True)[:OF_A_KIND]:
        yield Hit("role", name, "", reverse("access:roles"))


def _people(actor: Actor, words: list[str]) -> Iterator[Hit]:
    rows = _holding(Person.objects.visible_to(actor), words, "username").order_by("begins", "username")
    may_manage = actor.may(Permission.PERSON_MANAGE)
    for public_id, username in rows.values_list("public_id", "username")[:OF_A_KIND]:
        page = reverse("access:person_sign_in", args=[public_id]) if may_manage else reverse("access:people")
        yield Hit("person", username, "", page)


def _holding(rows: "QuerySet[Any]", words: list[str], *fields: str, telling: Sequence[str] = ()) -> "QuerySet[Any]":
    """Those that hold each word in one of `fields`, and one at least in `telling`; which `begins` so has 0, else 1."""
    every = reduce(and_, (_in_any(fields, "icontains", word) for word in words))
    some = reduce(or_, (_in_any(telling or fields, "icontains", word) for word in words))
    begins = When(_in_any(telling or fields, "istartswith", words[0]), then=Value(0))
    held: QuerySet[Any] = rows.filter(every & some).annotate(
        begins=Case(begins, default=Value(1), output_field=IntegerField())
    )
    return held


def _in_any(fields: Iterable[str], lookup: str, word: str) -> Q:
    return reduce(or_, (Q(**{f"{field}__{lookup}": word}) for field in fields))
