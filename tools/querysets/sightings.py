"""Reads of what classes of principals were shown."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery

from core.actor import Actor
from core.permissions import Permission
from tools.querysets.shared import narrowed, rows_of, true_when
from tools.rules import PinEnd, ReviewState

if TYPE_CHECKING:
    from servers.models import Server
    from tools.models import Sighting


class SightingQuerySet(models.QuerySet["Sighting"]):
    """What classes of principals were shown."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, those of servers of the actor's teams, or none."""
        return narrowed(self, actor, Permission.TOOL_READ, "definition__server__owner_team_id__in")

    def of_server(self, server: "Server") -> Self:
        """Those of one server's definitions."""
        return self.filter(definition__server=server)

    def for_list(self) -> Self:
        """With what a list shows, in one query.

        `differs` from what the poller was shown last; `withholds` the definition; `review` is the one that waits about
        exactly this, if any.
        """
        about = (
            rows_of("Review")
            .waiting()
            .filter(definition=OuterRef("definition"), vantage=OuterRef("vantage"), version=OuterRef("version"))
        )
        listed_by_both = Q(definition__present=True, version=F("definition__observed"))
        joined = self.select_related("definition__server", "definition__observed", "version")
        return joined.defer(
            "definition__observed__text", "version__text"
        ).annotate(
            differs=true_when(~(listed_by_both | Q(definition__present=False, version__isnull=True))),
            withholds=Exists(self.model._default_manager.withholding().filter(pk=OuterRef("pk"))),  # noqa: SLF001
            review=Subquery(about.values("public_id")[:1]),
        )

    def shown_rows(self) -> "models.QuerySet[Sighting, tuple[str, str, str, str | None]]":
        """Vantage, kind, name and digest (None: not listed) of what was shown."""
        return self.values_list("vantage", "definition__kind", "definition__name", "version__digest")

    def withholding(self) -> Self:
        """Those of what nobody approved or dismissed, and the poller was not shown.

        That an older approved version is shown somewhere is worth a look, but it was approved; what was withdrawn or
        rejected since is not. What was dismissed beside one pin is not explained beside another.
        """
        version = OuterRef("version")
        pins = rows_of("Pin").filter(version=version)
        taken_back = pins.filter(ended_reason=PinEnd.WITHDRAWN.value)
        rejected = rows_of("Review").filter(version=version, state=ReviewState.REJECTED.value)
        beside_this_pin = Q(base__pins__ended_at__isnull=True, base__pins__isnull=False)
        explained = rows_of("Review").filter(beside_this_pin, version=version, state=ReviewState.DISMISSED.value)
        shown = self.filter(version__isnull=False).exclude(Q(version=F("dismissed")) & Exists(explained))
        approved = Exists(pins) & ~Exists(taken_back) & ~Exists(rejected)
        return shown.exclude(version=F("definition__observed")).exclude(approved)
