"""What a few letters may mean: servers, definitions, reviews, agents, roles and people that the reader may see."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any, Final, TypeVar

from django.db.models import Case, Model, Q, QuerySet, Value, When
from django.urls import reverse

from access.models import Agent, Person, Role
from core.actor import Actor
from core.permissions import Permission
from servers.models import Server
from tools.models import Definition, Review

MOST: Final = 20  # found things that are shown
LONGEST: Final = 100  # characters of a question that count
WORDS: Final = 5  # and words
M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Found:
    """One thing. `kind` is a word of `KINDS`; `about` tells it from others of its name."""

    kind: str
    name: str
    url: str
    about: str = ""


def find(actor: Actor, question: str) -> list[Found]:
    """The things that every word of the question is part of; first those that begin with it, then by kind."""
    words = question[:LONGEST].split()[:WORDS]
    if not words or "\0" in question:
        return []
    found = [each for search in _SEARCHES for each in search(actor, words)]
    start = " ".join(words).casefold()
    return sorted(found, key=lambda each: not _begins(each, start))[:MOST]


def _begins(found: Found, start: str) -> bool:
    return found.name.casefold().startswith(start) or found.about.casefold().startswith(start)


def _named(rows: "QuerySet[M]", words: list[str], *fields: str) -> "QuerySet[M]":
    """Those with every word in one of the fields, those that begin with the question first; no more than are shown."""
    start = " ".join(words)
    every = (reduce(lambda left, right: left | right, (Q(**{f"{field}__icontains": word}) for field in fields))
             for word in words)  # fmt: skip
    begins = reduce(lambda left, right: left | right, (Q(**{f"{field}__istartswith": start}) for field in fields))
    rank = Case(When(begins, then=Value(0)), default=Value(1))
    return rows.filter(reduce(and_, every)).order_by(rank, fields[0], "pk")[:MOST]


def _servers(actor: Actor, words: list[str]) -> Iterator[Found]:
    for server in _named(Server.objects.visible_to(actor).current(), words, "slug", "name"):
        yield Found("server", server.name, reverse("tools:server_detail", args=[server.slug]), server.slug)


def _reviews(actor: Actor, words: list[str]) -> Iterator[Found]:
    waiting = Review.objects.visible_to(actor).waiting().select_related("definition__server")
    for review in _named(waiting, words, "definition__name", "definition__server__slug"):
        definition = review.definition
        yield Found("review", definition.name, reverse("tools:review", args=[review.public_id]), definition.server.slug)


def _definitions(actor: Actor, words: list[str]) -> Iterator[Found]:
    present = Definition.objects.visible_to(actor).filter(present=True).select_related("server")
    words = [part for word in words for part in word.split("/") if part]  # the canonical name finds it too
    for definition in _named(present, words, "name", "server__slug"):
        url = reverse("tools:definition", args=[definition.public_id])
        yield Found("definition", definition.name, url, definition.server.slug)


def _agents(actor: Actor, words: list[str]) -> Iterator[Found]:
    if actor.may_somewhere(Permission.AGENT_READ):
        for agent in _named(Agent.objects.visible_to(actor), words, "name", "client_id"):
            yield Found("agent", agent.name, reverse("access:agent", args=[agent.public_id]), agent.client_id)


def _roles(actor: Actor, words: list[str]) -> Iterator[Found]:
    if actor.may_somewhere(Permission.ROLE_READ):
        for role in _named(Role.objects.visible_to(actor), words, "name"):
            yield Found("role", role.name, reverse("access:roles"))


def _people(actor: Actor, words: list[str]) -> Iterator[Found]:
    if actor.may_somewhere(Permission.PERSON_READ):
        for person in _named(Person.objects.visible_to(actor), words, "username"):
            yield Found("person", person.username, reverse("access:people"))


_SEARCHES: Final[tuple[Callable[[Actor, list[str]], Any], ...]] = (
    _servers, _reviews, _definitions, _agents, _roles, _people,
)  # fmt: skip
