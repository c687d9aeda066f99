"""Reads of reviews."""

from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery

from core.actor import Actor
from core.errors import NotFound
from core.permissions import Permission
from servers.tags import plain_tag
from tools.querysets.findings import accepted_of, findings_of
from tools.querysets.shared import VOICES, narrowed, rows_of, true_when
from tools.risk import LEVELS
from tools.rules import PinEnd, ReviewState
from tools.whys import CLASSES, RULES, Why

if TYPE_CHECKING:
    from uuid import UUID

    from servers.models import Server
    from tools.models import Review

_DECIDED = [state.value for state in (ReviewState.APPROVED, ReviewState.REJECTED, ReviewState.DISMISSED)]


class ReviewQuerySet(models.QuerySet["Review"]):
    """Reviews as an actor may see them."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, those of servers of the actor's teams, or none."""
        return narrowed(self, actor, Permission.REVIEW_READ, "definition__server__owner_team_id__in")

    def waiting(self) -> Self:
        """Those that nobody has decided yet."""
        return self.filter(state=ReviewState.WAITING.value)

    def tagged(self, tag: str) -> Self:
        """Those of servers that are marked with this tag."""
        return self.filter(definition__server__tags__contains=[plain_tag(tag)])

    def snoozed(self, now: datetime) -> Self:
        """Those that somebody put off, and no change has brought back since."""
        lasts = Q(triage__snoozed_until__isnull=True) | Q(triage__snoozed_until__gt=now)
        return self.filter(lasts, triage__snoozed_at__isnull=False)

    def awake(self, now: datetime) -> Self:
        """The others. What counts what holds a definition back never asks for these alone."""
        return self.filter(Q(triage__snoozed_at__isnull=True) | Q(triage__snoozed_until__lte=now))

    def overdue(self, now: datetime) -> Self:
        """Those that wait for longer than their risk allows."""
        due = settings.REVIEW_DUE_HOURS.items()
        late = (Q(risk=risk, opened_at__lte=now - timedelta(hours=hours)) for risk, hours in due)
        return self.waiting().filter(reduce(or_, late))

    def assigned_to(self, username: str) -> Self:
        """Those that this person looks at; with an empty name, those that nobody does."""
        if not username:
            return self.filter(triage__assignee__isnull=True)
        return self.filter(triage__assignee__username__iexact=username)

    def because_of(self, why: Why) -> Self:
        """Those where this draws the eye: a class of the change, or a finding."""
        if why in CLASSES:
            return self.filter(change__overlap=[cls.value for cls in CLASSES[why]])
        return self.filter(Exists(rows_of("Finding").filter(version=OuterRef("version"), rule__in=RULES[why])))

    def found_at_least(self, severity: str) -> Self:
        """Those with a finding of this severity or a worse one, suppressed or not."""
        worse = LEVELS[LEVELS.index(severity) :]
        return self.filter(Exists(rows_of("Finding").filter(version=OuterRef("version"), severity__in=worse)))

    def standing_rejections(self) -> Self:
        """Those that ended with no, that nobody opened again, since their server was registered (anew)."""
        rejected = self.filter(state=ReviewState.REJECTED.value, reopened_as__isnull=True)
        return rejected.filter(closed_at__gte=F("definition__server__registered_at"))

    def of_server(self, server: "Server") -> Self:
        """Those about one server's definitions."""
        return self.filter(definition__server=server)

    def precedents(self, review: "Review") -> Self:
        """Earlier decisions that bear on `review`, rejections first and then the newest, 20 at most.

        About the same digest on any server, the same definition, or the same kind and name at the same endpoint under
        another slug. `withdrawn_because` says why an approval was taken back. Not narrowed to what an actor may see,
        on purpose: one installation is one organisation, and what another team said no to must not pass by moving.
        """
        closed = self.order_by().filter(state__in=_DECIDED).exclude(pk=review.pk)
        if review.closed_at is not None:
            closed = closed.filter(closed_at__lte=review.closed_at)
        key, home = review.definition.server.endpoint_key, review.definition
        moved = rows_of("Definition").filter(kind=home.kind, name=home.name, server__endpoint_key=key)
        bearing = (
            closed.filter(version__digest=review.version.digest)
            .values("pk")
            .union(
                closed.filter(definition=home).values("pk"),
                closed.filter(definition__in=moved.exclude(server__endpoint_key="").order_by()).values("pk"),
            )
        )
        withdrawn = rows_of("Pin").filter(review=OuterRef("pk"), ended_reason=PinEnd.WITHDRAWN.value).order_by("-pk")
        found = self.filter(pk__in=bearing).annotate(withdrawn_because=Subquery(withdrawn.values("ended_why")[:1]))
        said_no_first = true_when(Q(state=ReviewState.REJECTED.value)).desc()
        return found.for_list().order_by(said_no_first, "-closed_at", "-pk")[:20]

    def with_earlier_no(self) -> Self:
        """With `rejected_before`: somebody said no to exactly this version, here or at another server."""
        rejected = rows_of("Review").filter(
            version__digest=OuterRef("version__digest"), state=ReviewState.REJECTED.value
        )
        return self.annotate(rejected_before=Exists(rejected.exclude(pk=OuterRef("pk"))))

    def for_list(self) -> Self:
        """With what a list shows, in a number of queries that does not grow with the rows.

        Texts stay in the database: a hostile list would be megabytes.
        """
        related = self.with_earlier_no().select_related(
            "definition__server", "version", "base", "reopens", "triage__assignee", "triage__snoozed_by"
        )
        related = related.defer("version__text", "base__text")
        return related.prefetch_related(findings_of("version__findings"), accepted_of("base"), *VOICES)

    def for_page(self) -> Self:
        """With what one review's page shows, texts included."""
        related = self.with_earlier_no()
        related = related.select_related(
            "definition__server", "definition__observed", "version", "base", "reopens", "triage__assignee",
            "triage__snoozed_by",
        )  # fmt: skip
        return related.prefetch_related(findings_of("version__findings"), accepted_of("base"), *VOICES)

    def by_id(self, review_id: "UUID | str") -> "Review":
        """The review with this public id. Raises `NotFound`."""
        found = self.filter(public_id=review_id).first()
        if found is None:
            raise NotFound("There is no such review.")
        return found
