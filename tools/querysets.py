"""Reads of definitions, reviews and pins. Every list that a person sees starts from `visible_to`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.apps import apps
from django.db import models
from django.db.models import Exists, F, FilteredRelation, OuterRef, Q
from django.utils import timezone

from core.actor import Actor
from core.errors import NotFound
from core.permissions import Permission
from tools.rules import DefinitionState, ReviewState

if TYPE_CHECKING:
    from uuid import UUID

    from servers.models import Server
    from tools.models import Definition, Pin, Review  # noqa: F401 -- type arguments below

Q_ = TypeVar("Q_", bound="models.QuerySet[Any]")


@dataclass(frozen=True, slots=True)
class ServedRow:
    """What the gateway needs of one definition. `text` and `digest` are the approved version's, or empty.

    It is held unless `present` and `observed_digest == pin_digest` and the pin has not expired.
    """

    kind: str
    name: str
    digest: str
    text: str
    observed_digest: str
    pin_digest: str
    expires_at: datetime | None
    sensitive: bool
    present: bool


class DefinitionQuerySet(models.QuerySet["Definition"]):
    """Definitions as an actor may see them."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, those of servers of the actor's teams, or none."""
        return _narrowed(self, actor, Permission.TOOL_READ, "server__owner_team_id__in")

    def with_pin(self) -> Self:
        """With the live pin joined as `live_pin` (expired or not). There is at most one."""
        return self.alias(live_pin=FilteredRelation("pins", condition=Q(pins__ended_at__isnull=True)))

    def in_state(self, state: DefinitionState, *, now: datetime | None = None) -> Self:
        """Those whose derived state is `state` at `now`."""
        if state is DefinitionState.GONE:
            return self.filter(present=False)
        judged = self.filter(present=True).with_pin().alias(as_pinned=_as_pinned(now or timezone.now()))
        return judged.filter(as_pinned=state is DefinitionState.APPROVED)

    def unsettled(self, *, now: datetime | None = None) -> Self:
        """Present and held, yet with neither a waiting review nor a rejection of what is observed."""
        model = apps.get_model("tools", "Review")  # not imported: models import this module
        answered = model._default_manager.filter(  # noqa: SLF001 -- a public name in Django
            definition=OuterRef("pk"),
            version=OuterRef("observed"),
            state__in=[ReviewState.WAITING.value, ReviewState.REJECTED.value],
        )
        return self.in_state(DefinitionState.HELD, now=now).exclude(Exists(answered))

    def for_list(self) -> Self:
        """With what a list shows, in one query: server, observed version, live pin; `approved` unless held or gone."""
        joined = self.select_related("server", "observed").with_pin()
        return joined.annotate(
            pin_digest=F("live_pin__version__digest"),
            pin_expires_at=F("live_pin__expires_at"),
            approved=_as_pinned(timezone.now()),
        )

    def served_rows(self) -> Iterator[ServedRow]:
        """Rows for the gateway's store, in one query; narrow to one server first."""
        joined = self.with_pin().annotate(
            text=F("live_pin__version__text"),
            observed_digest=F("observed__digest"),
            pin_digest=F("live_pin__version__digest"),
            expires_at=F("live_pin__expires_at"),
        )
        fields = ("kind", "name", "text", "observed_digest", "pin_digest", "expires_at", "sensitive", "present")
        rows = joined.order_by("kind", "name").values_list(*fields)
        for kind, name, text, observed, pin, expires_at, sensitive, present in rows.iterator(chunk_size=2000):
            digest = pin or ""
            yield ServedRow(kind, name, digest, text or "", observed or "", digest, expires_at, sensitive, present)


class ReviewQuerySet(models.QuerySet["Review"]):
    """Reviews as an actor may see them."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, those of servers of the actor's teams, or none."""
        return _narrowed(self, actor, Permission.REVIEW_READ, "definition__server__owner_team_id__in")

    def waiting(self) -> Self:
        """Those that nobody has decided yet."""
        return self.filter(state=ReviewState.WAITING.value)

    def of_server(self, server: "Server") -> Self:
        """Those about one server's definitions."""
        return self.filter(definition__server=server)

    def for_list(self) -> Self:
        """With what a list shows, in a number of queries that does not grow with the rows.

        Texts stay in the database: a hostile list would be megabytes.
        """
        related = self.select_related("definition__server", "version").defer("version__text")
        return related.prefetch_related("version__findings", "decisions__person")

    def for_page(self) -> Self:
        """With what one review's page shows, texts included."""
        related = self.select_related("definition__server", "definition__observed", "version", "base")
        return related.prefetch_related("version__findings", "decisions__person")

    def by_id(self, review_id: "UUID | str") -> "Review":
        """The review with this public id. Raises `NotFound`."""
        found = self.filter(public_id=review_id).first()
        if found is None:
            raise NotFound("There is no such review.")
        return found


class PinQuerySet(models.QuerySet["Pin"]):
    """Pins, newest first."""

    def live(self) -> Self:
        """Those that have not ended; they may have expired."""
        return self.filter(ended_at__isnull=True)

    def in_force(self, now: datetime) -> Self:
        """Live and not expired at `now`."""
        return self.live().filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))


def _as_pinned(now: datetime) -> models.Case:
    """Whether the observed version is the unexpired live pin's; needs `DefinitionQuerySet.with_pin`."""
    unexpired = Q(live_pin__expires_at__isnull=True) | Q(live_pin__expires_at__gt=now)
    exact = Q(live_pin__version=F("observed"))
    return models.Case(
        models.When(exact & unexpired, then=models.Value(True)),
        default=models.Value(False),
        output_field=models.BooleanField(),
    )


def _narrowed(queryset: Q_, actor: Actor, permission: Permission, team_lookup: str) -> Q_:
    if actor.may(permission):
        return queryset.all()
    if actor.may_somewhere(permission):
        return queryset.filter(**{team_lookup: actor.team_ids})
    return queryset.none()
