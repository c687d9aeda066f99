"""Reads of what people say about reviews, and the end of what they put off."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from django.db import models

if TYPE_CHECKING:
    from tools.models import Review


class TriageQuerySet(models.QuerySet[Any]):
    """Who looks at which review, and what is put off."""

    def assigned(self, reviews: "Iterable[Review]") -> dict[int, int]:
        """To whom each of `reviews` is assigned, by their definitions' primary keys."""
        given = self.filter(review__in=[review.pk for review in reviews], assignee__isnull=False)
        return dict(given.values_list("review__definition_id", "assignee_id"))

    def wake(self, reviews: "Iterable[Review]") -> int:
        """End what is put off of `reviews`: something about them is new. Answers how many were."""
        snoozed = self.filter(review__in=[review.pk for review in reviews], snoozed_at__isnull=False)
        return snoozed.update(snoozed_at=None, snoozed_until=None, snoozed_by=None)


class CommentQuerySet(models.QuerySet[Any]):
    """Comments. Reach them through a review that the actor may see."""

    def thread(self, review: "Review") -> Self:
        """Those on one review, oldest first, with who wrote them."""
        return self.filter(review=review).select_related("person").order_by("id")
