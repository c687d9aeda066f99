"""Reads of change policies."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Count, OuterRef, Prefetch, Subquery, Value
from django.db.models.functions import Coalesce

from core.actor import Actor
from core.errors import NotFound
from core.permissions import Permission
from tools.querysets.shared import rows_of

if TYPE_CHECKING:
    from uuid import UUID

    from tools.models import ChangePolicy


class PolicyQuerySet(models.QuerySet["ChangePolicy"]):
    """Change policies as an actor may see them."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, or none: a policy reaches across teams."""
        return self.all() if actor.may(Permission.POLICY_READ) else self.none()

    def in_force(self) -> Self:
        """Those that decide, with the revision that does, in the order in which they are asked."""
        return self.select_related("in_force").filter(in_force__isnull=False).order_by("name")

    def for_list(self) -> Self:
        """With what a list shows, in a number of queries that does not grow with the rows.

        `newest`: the number of the newest revision; `decided`: how many changes any revision approved.
        """
        revisions = rows_of("PolicyRevision").filter(policy=OuterRef("pk")).order_by("-n")
        decided = rows_of("ReviewDecision").filter(policy__policy=OuterRef("pk")).order_by().values("policy__policy")
        related = self.select_related("in_force__written_by", "in_force__confirmed_by")
        return related.annotate(
            newest=Subquery(revisions.values("n")[:1]),
            decided=Coalesce(Subquery(decided.annotate(count=Count("pk")).values("count")), Value(0)),
        )

    def with_revisions(self) -> Self:
        """With every revision, newest first, and who signed it."""
        revisions = rows_of("PolicyRevision").select_related("written_by", "confirmed_by").order_by("-n")
        return self.prefetch_related(Prefetch("revisions", revisions))

    def by_id(self, policy_id: "UUID | str") -> "ChangePolicy":
        """The policy with this public id. Raises `NotFound`."""
        found = self.filter(public_id=policy_id).first()
        if found is None:
            raise NotFound("There is no such policy.")
        return found
