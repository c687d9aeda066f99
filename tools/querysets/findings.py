"""Reads of findings and of what suppresses them."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import DateTimeField, Exists, OuterRef, Prefetch, Q, Subquery
from django.utils import timezone

from core.actor import Actor
from core.errors import NotFound
from core.permissions import Permission
from tools.querysets.shared import narrowed, rows_of
from tools.risk import INCOMPLETE
from tools.rules import ReviewState

if TYPE_CHECKING:
    from uuid import UUID

    from tools.models import Suppression


class FindingQuerySet(models.QuerySet[Any]):
    """Findings of the scanner. Reach them through a definition or review that the actor may see."""

    def judged(self) -> Self:
        """With `suppressed_until`: when the last suppression of it that is in force ends, or None."""
        both = rows_of("Suppression").in_force(timezone.now()).order_by("-ends_at")
        rule = Q(server=OuterRef("version__definition__server"), rule=OuterRef("rule"))
        suppressing = both.filter(rule | Q(version=OuterRef("version")))
        until = Subquery(suppressing.values("ends_at")[:1], output_field=DateTimeField())
        incomplete = models.When(rule=INCOMPLETE, then=None)
        return self.annotate(suppressed_until=models.Case(incomplete, default=until, output_field=DateTimeField()))

    def accepted(self) -> Self:
        """Those that people could see when they approved the version: they were found before."""
        approvals = rows_of("Review").filter(version=OuterRef("version"), state=ReviewState.APPROVED.value)
        return self.filter(Exists(approvals.filter(closed_at__gte=OuterRef("found_at"))))


class ServerFindingQuerySet(models.QuerySet[Any]):
    """Findings of servers themselves. They name tools, so who may not read those sees none."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, those of servers of the actor's teams, or none."""
        return narrowed(self, actor, Permission.TOOL_READ, "server__owner_team_id__in")

    def judged(self) -> Self:
        """With `suppressed_until`, as of other findings; of a server only its rules can be suppressed."""
        both = rows_of("Suppression").in_force(timezone.now()).order_by("-ends_at")
        until = both.filter(server=OuterRef("server"), rule=OuterRef("rule")).values("ends_at")[:1]
        return self.annotate(suppressed_until=Subquery(until, output_field=DateTimeField()))


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    """Suppressions as an actor may see them."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, those of servers of the actor's teams, or none."""
        return narrowed(self, actor, Permission.REVIEW_READ, "server__owner_team_id__in")

    def in_force(self, now: datetime) -> Self:
        """Those that count at `now`."""
        return self.filter(revoked_at__isnull=True, ends_at__gt=now)

    def for_list(self) -> Self:
        """With what a list shows, in one query."""
        related = self.select_related("server", "version__definition", "made_by", "revoked_by")
        return related.defer("version__text")

    def by_id(self, suppression_id: "UUID | str") -> "Suppression":
        """The suppression with this public id. Raises `NotFound`."""
        found = self.filter(public_id=suppression_id).first()
        if found is None:
            raise NotFound("There is no such suppression.")
        return found


def accepted_of(lookup: str) -> "Prefetch[str]":
    """Prefetches what people accepted with the version at `lookup`, as its `accepted`."""
    return Prefetch(f"{lookup}__findings", rows_of("Finding").accepted(), to_attr="accepted")


def findings_of(lookup: str) -> "Prefetch[str]":
    """Prefetches the findings at `lookup`, judged."""
    return Prefetch(lookup, rows_of("Finding").judged())
