"""Rows of the inbox: one review, or what waits for the same change at several servers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.core.paginator import Page

from core.actor import Actor
from core.paging import KeyPaginator, Pages
from tools.inbox import UNDECIDED, WAITING, folded, identical, is_folded, listed, of_look, servers_of
from tools.models import Review


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the oldest `review` of the `n` that it stands for, `named` some of their servers, `more` the others.

    `elsewhere`: how many wait for the same change beside those. `look`: how many the same look at its server brought.
    """

    review: Review
    n: int = 1
    named: tuple[str, ...] = ()
    elsewhere: int = 0
    look: int = 0

    @property
    def more(self) -> int:
        """How many servers are not named."""
        return self.n - len(self.named)

    @property
    def chosen(self) -> str:
        """What its box sends; the end says that it stands for all that are like it."""
        one = f"{self.review.public_id} {self.review.version.digest}"
        return f"{one} {self.n}" if self.n > 1 else one


def pages(actor: Actor, wanted: Mapping[str, Any], size: int) -> Pages:
    """Pages of `size` rows: of keys and how many there are of each where the list is folded, else of reviews."""
    if is_folded(wanted):
        return Pages(folded(actor, wanted), size)
    return KeyPaginator(listed(actor, wanted), Review.objects.visible_to(actor).for_list(), size)


def matching(paginator: Pages) -> int:
    """How many reviews all its pages stand for."""
    return paginator.count if isinstance(paginator, KeyPaginator) else sum(n for _first, n in paginator.object_list)


def rows_of(page: Page[Any], actor: Actor, wanted: Mapping[str, Any]) -> list[Row]:
    """The rows of one page, in a number of queries that does not grow with them."""
    if not is_folded(wanted):
        looks = _looks(list(page), actor, wanted) if (wanted.get("state") or WAITING) in UNDECIDED else {}
        return [Row(review, look=looks.get(review.pk, 0)) for review in page]
    counts = dict(page)
    found = Review.objects.visible_to(actor).for_list().in_bulk(counts)
    reviews = [found[key] for key in counts if key in found]
    alike, looks = identical(reviews, actor), _looks(reviews, actor, wanted)
    several = [review for review in reviews if counts[review.pk] > 1]
    named = servers_of(several, actor, wanted) if several else {}
    return [
        Row(
            review,
            counts[review.pk],
            tuple(named.get(review.pk, ())),
            elsewhere=max(0, alike[review.pk] - counts[review.pk]),
            look=looks.get(review.pk, 0) if counts[review.pk] == 1 else 0,
        )
        for review in reviews
    ]


def _looks(reviews: Sequence[Review], actor: Actor, wanted: Mapping[str, Any]) -> Mapping[int, int]:
    """How many came with the first of each look on the page; a list of one look need not lead to itself."""
    if wanted.get("look"):
        return {}
    counts, first = of_look(reviews, actor), dict[tuple[int, datetime], int]()
    for review in reviews:
        first.setdefault((review.definition.server_id, review.opened_at), review.pk)
    return {key: counts[key] for key in first.values() if key in counts}


def by_risk(rows: Sequence[Row]) -> list[tuple[str, int, list[Row]]]:
    """Each risk with how many reviews its rows stand for, and the rows."""
    groups = [(risk, list(group)) for risk, group in groupby(rows, key=lambda row: row.review.risk)]
    return [(risk, sum(row.n for row in group), group) for risk, group in groups]
