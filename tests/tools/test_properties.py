"""For any sequence of observations and decisions, agents are served only what somebody approved."""

import random

import pytest

from access.models import Person
from core.actor import Actor
from core.errors import DomainError
from servers.models import Server
from servers.surface import Problem
from tests.tools.making import actor_of, approve, fail, make_server, poll, reject, served, tool
from tools.models import Pin, Review

pytestmark = pytest.mark.django_db


def observe(server: Server, source: random.Random) -> None:
    """A look at up to three tools in a few forms each, sometimes incomplete."""
    names = source.sample(["a", "b", "c"], source.randint(0, 3))
    items = [tool(name, source.choice(["Read.", "Read!", "Read all."])) for name in names]
    if source.random() < 0.2:
        fail(server, source.choice(list(Problem)), *items)
    else:
        poll(server, *items)


def decide(source: random.Random, people: list[Actor]) -> None:
    """Anybody decides any review there ever was, with any digest there ever was."""
    reviews = list(Review.objects.select_related("version"))
    if reviews:
        review, other = source.choice(reviews), source.choice(reviews)
        digest = source.choice([review.version.digest, review.version.digest, other.version.digest])
        action = source.choice([approve, approve, reject])
        try:
            action(review, source.choice(people), digest=digest)
        except DomainError:
            return


@pytest.mark.parametrize("seed", range(12))
def test_only_what_enough_people_approved_is_ever_served(seed: int) -> None:
    source = random.Random(seed)
    people = [actor_of(Person.objects.create(username=f"p{number}")) for number in range(3)]
    registrant = Person.objects.get(username="p0")
    needed = source.choice([1, 2])
    server = make_server("files", required_approvals=needed, registered_by=registrant)
    for _ in range(40):
        if source.random() < 0.5:
            before = served(server)
            pins = set(Pin.objects.live().values_list("definition__name", "version__digest"))
            observe(server, source)
            # An observation alone serves nothing that was not approved before it.
            assert set(served(server).items()) <= pins
            assert set(Pin.objects.live().values_list("definition__name", "version__digest")) == pins
            assert before.items() <= pins
        else:
            decide(source, people)
        for pin in Pin.objects.live().select_related("review", "version"):
            approvals = pin.review.decisions.filter(verdict="approve", digest=pin.version.digest)
            counted = approvals.exclude(person=registrant) if needed == 2 else approvals
            assert counted.count() >= needed
