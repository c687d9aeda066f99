"""Reads of definitions, reviews and pins. Every list that a person sees starts from `visible_to`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.apps import apps
from django.db import models
from django.db.models import Case, Count, Exists, F, FilteredRelation, OuterRef, Prefetch, Q, Subquery, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.utils import timezone

from core.actor import Actor
from core.errors import NotFound, Unprocessable
from core.permissions import Permission
from servers.rules import DriftMode
from tools.fingerprint import DIGEST_PATTERN
from tools.rules import HARMLESS_WHILE_WAITING, DefinitionState, PinEnd, ReviewState

if TYPE_CHECKING:
    from uuid import UUID

    from servers.models import Server
    from tools.models import BreakGlass, ChangePolicy, Definition, DefinitionVersion, Pin, Review, Sighting  # noqa: F401 -- type arguments

Q_ = TypeVar("Q_", bound="models.QuerySet[Any]")
# Annotations of `with_what_serves`. Approved is what exactly was approved, or let through in an emergency.
_AS_APPROVED = Q(contradicted=False) & (Q(by_pin=True, unexpired=True) | Q(by_glass=True))
_BY_MODE = Q(contradicted=False, by_mode=True, unexpired=True)
# Not by the pin: another version than it, or the same after its approval ran out.
_ON_GLASS = Q(by_glass=True) & (Q(by_pin=False) | Q(unexpired=False))
_DECIDED = [state.value for state in (ReviewState.APPROVED, ReviewState.REJECTED, ReviewState.DISMISSED)]
_VOICES = ("decisions__person", "decisions__policy__policy", "decisions__policy__written_by")


@dataclass(frozen=True, slots=True)
class ServedRow:
    """What the gateway needs of one definition.

    `text`, `digest` and `expires_at` are of what agents may be served: the pin's, or (`on_glass`) an emergency's. It is
    held unless `present` and `served`, and once `expires_at` has passed. `pin_digest` and `pin_text` are the live pin's
    in any case.
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
    served: bool
    on_glass: bool
    pin_text: str


class DefinitionQuerySet(models.QuerySet["Definition"]):
    """Definitions as an actor may see them."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, those of servers of the actor's teams, or none."""
        return _narrowed(self, actor, Permission.TOOL_READ, "server__owner_team_id__in")

    def with_pin(self) -> Self:
        """With the live pin joined as `live_pin` (expired or not). There is at most one."""
        return self.alias(live_pin=FilteredRelation("pins", condition=Q(pins__ended_at__isnull=True)))

    def with_what_serves(self, now: datetime) -> Self:
        """With everything that being served is derived from (ADR 0006, 0008), as it is at `now`.

        `by_pin`: the poller was shown exactly the pin's version. `by_glass`: exactly what an emergency serves.
        `by_mode`: what waits cannot hurt, and the server's people chose to serve the pin's text meanwhile.
        `contradicted`: some principals were shown what nobody ever approved.
        """
        glass = Q(broken_glass__ended_at__isnull=True, broken_glass__expires_at__gt=now)
        joined = self.with_pin().alias(glass=FilteredRelation("broken_glass", condition=glass))
        return joined.alias(
            by_pin=_true_when(Q(live_pin__version=F("observed"))),
            by_glass=_true_when(Q(glass__version=F("observed"))),
            by_mode=_true_when(Q(server__drift_mode=DriftMode.SERVE_PINNED.value) & Exists(_harmless_waiting())),
            contradicted=Exists(_rows("Sighting").withholding().filter(definition=OuterRef("pk"))),
            unexpired=_true_when(Q(live_pin__expires_at__isnull=True) | Q(live_pin__expires_at__gt=now)),
        )

    def in_state(self, state: DefinitionState, *, now: datetime | None = None) -> Self:
        """Those whose derived state is `state` at `now`. Held is also what is served by the server's drift mode."""
        if state is DefinitionState.GONE:
            return self.filter(present=False)
        judged = self.filter(present=True).with_what_serves(now or timezone.now())
        judged = judged.alias(as_approved=_true_when(_AS_APPROVED))
        return judged.filter(as_approved=state is DefinitionState.APPROVED)

    def unsettled(self, *, now: datetime | None = None) -> Self:
        """Present and held, yet nobody is asked and nobody has said no to what is shown."""
        reviews = _rows("Review").filter(definition=OuterRef("pk"))
        shown = Q(version=OuterRef("observed")) | Q(version__in=_rows("Sighting").withholding().values("version"))
        answered = reviews.waiting() | reviews.standing_rejections().filter(shown)
        return self.in_state(DefinitionState.HELD, now=now).exclude(Exists(answered))

    def for_list(self) -> Self:
        """With what a list shows, in one query.

        Server, observed version, live pin; `approved` unless held or gone; `served` if agents get the approved text;
        `on_glass` if they get what waits because somebody broke the glass; `is_contradicted` as
        `with_what_serves` says.
        """
        joined = self.select_related("server", "observed").with_what_serves(timezone.now())
        return joined.annotate(
            pin_digest=F("live_pin__version__digest"),
            pin_expires_at=F("live_pin__expires_at"),
            glass_expires_at=F("glass__expires_at"),
            approved=_true_when(_AS_APPROVED),
            served=_true_when(Q(present=True) & (_AS_APPROVED | _BY_MODE)),
            on_glass=_true_when(Q(present=True, contradicted=False) & _ON_GLASS),
            is_contradicted=F("contradicted"),
        )

    def by_id(self, definition_id: "UUID | str") -> "Definition":
        """The definition with this public id. Raises `NotFound`."""
        found = self.filter(public_id=definition_id).first()
        if found is None:
            raise NotFound("There is no such definition.")
        return found

    def served_rows(self) -> Iterator[ServedRow]:
        """Rows for the gateway's store, in one query; narrow to one server first."""
        joined = self.with_what_serves(timezone.now()).annotate(
            pin_text=F("live_pin__version__text"),
            glass_text=Case(When(_ON_GLASS, then=F("glass__version__text"))),
            observed_digest=F("observed__digest"),
            pin_digest=F("live_pin__version__digest"),
            pin_expires_at=F("live_pin__expires_at"),
            glass_expires_at=F("glass__expires_at"),
            # An expired pin is left in: the gateway compares the time at each call and says why it refuses.
            served=_true_when(Q(contradicted=False) & (Q(by_pin=True) | Q(by_glass=True) | Q(by_mode=True))),
        )
        fields = (
            "kind", "name", "sensitive", "present", "served", "observed_digest", "pin_digest", "pin_text",
            "pin_expires_at", "glass_text", "glass_expires_at",
        )  # fmt: skip
        for row in joined.order_by("kind", "name").values_list(*fields, named=True).iterator(chunk_size=2000):
            yield _served_row(row)


def _served_row(row: Any) -> ServedRow:
    on_glass = row.glass_text is not None
    return ServedRow(
        kind=row.kind,
        name=row.name,
        digest=(row.observed_digest if on_glass else row.pin_digest) or "",
        text=(row.glass_text if on_glass else row.pin_text) or "",
        observed_digest=row.observed_digest or "",
        pin_digest=row.pin_digest or "",
        expires_at=row.glass_expires_at if on_glass else row.pin_expires_at,
        sensitive=row.sensitive,
        present=row.present,
        served=row.served,
        on_glass=on_glass,
        pin_text=row.pin_text or "",
    )


class ReviewQuerySet(models.QuerySet["Review"]):
    """Reviews as an actor may see them."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, those of servers of the actor's teams, or none."""
        return _narrowed(self, actor, Permission.REVIEW_READ, "definition__server__owner_team_id__in")

    def waiting(self) -> Self:
        """Those that nobody has decided yet."""
        return self.filter(state=ReviewState.WAITING.value)

    def standing_rejections(self) -> Self:
        """Those that ended with no, and that nobody opened again."""
        return self.filter(state=ReviewState.REJECTED.value, reopened_as__isnull=True)

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
        moved = _rows("Definition").filter(kind=home.kind, name=home.name, server__endpoint_key=key)
        bearing = (
            closed.filter(version__digest=review.version.digest)
            .values("pk")
            .union(
                closed.filter(definition=home).values("pk"),
                closed.filter(definition__in=moved.exclude(server__endpoint_key="").order_by()).values("pk"),
            )
        )
        withdrawn = _rows("Pin").filter(review=OuterRef("pk"), ended_reason=PinEnd.WITHDRAWN.value).order_by("-pk")
        found = self.filter(pk__in=bearing).annotate(withdrawn_because=Subquery(withdrawn.values("ended_why")[:1]))
        said_no_first = _true_when(Q(state=ReviewState.REJECTED.value)).desc()
        return found.for_list().order_by(said_no_first, "-closed_at", "-pk")[:20]

    def for_list(self) -> Self:
        """With what a list shows, in a number of queries that does not grow with the rows.

        Texts stay in the database: a hostile list would be megabytes.
        """
        related = self.select_related("definition__server", "version", "reopens").defer("version__text")
        return related.prefetch_related("version__findings", *_VOICES)

    def for_page(self) -> Self:
        """With what one review's page shows, texts included."""
        related = self.select_related("definition__server", "definition__observed", "version", "base", "reopens")
        return related.prefetch_related("version__findings", *_VOICES)

    def by_id(self, review_id: "UUID | str") -> "Review":
        """The review with this public id. Raises `NotFound`."""
        found = self.filter(public_id=review_id).first()
        if found is None:
            raise NotFound("There is no such review.")
        return found


class VersionQuerySet(models.QuerySet["DefinitionVersion"]):
    """Versions, newest first. Reach them through a definition that the actor may see."""

    def for_history(self, actor: Actor) -> Self:
        """With findings and what was decided, as far as the actor may see it, and without texts."""
        reviews = _rows("Review").visible_to(actor).prefetch_related(*_VOICES).order_by("-pk")
        return self.defer("text").prefetch_related("findings", Prefetch("reviews", reviews))

    def pair(self, first: str, second: str) -> "tuple[DefinitionVersion, DefinitionVersion]":
        """The versions with these digests, texts included; narrow to one definition first.

        Raises `NotFound` (no such version), `Unprocessable` (nothing to compare).
        """
        known = [digest for digest in (first, second) if re.fullmatch(DIGEST_PATTERN, digest)]
        found = {version.digest: version for version in self.filter(digest__in=known)}
        for digest, which in ((first, "first"), (second, "second")):
            if digest not in found:
                raise NotFound(f"This definition never had the {which} of the two versions.")
            if not found[digest].text:
                raise Unprocessable(f"Of the {which} version only the digest was kept; its text was let go.")
        if first == second:
            raise Unprocessable("Choose two different versions; this is one and the same.")
        return found[first], found[second]


class PinQuerySet(models.QuerySet["Pin"]):
    """Pins, newest first. Reach them through a definition that the actor may see."""

    def for_history(self, actor: Actor) -> Self:
        """With their versions, who went back to them or ended them, and the decisions if the actor may see those."""
        reviews = _rows("Review").visible_to(actor).prefetch_related(*_VOICES)
        related = self.select_related("version", "returned_by", "ended_by").defer("version__text")
        return related.prefetch_related(Prefetch("review", reviews))

    def live(self) -> Self:
        """Those that have not ended; they may have expired."""
        return self.filter(ended_at__isnull=True)

    def in_force(self, now: datetime) -> Self:
        """Live and not expired at `now`."""
        return self.live().filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))


class BreakGlassQuerySet(models.QuerySet["BreakGlass"]):
    """Versions served in an emergency, newest first."""

    def live(self) -> Self:
        """Those that have not ended; they may have expired."""
        return self.filter(ended_at__isnull=True)

    def visible_to(self, actor: Actor) -> Self:
        """Those of definitions whose reviews the actor may read."""
        return _narrowed(self, actor, Permission.REVIEW_READ, "definition__server__owner_team_id__in")

    def in_force(self, now: datetime) -> Self:
        """Live and not expired at `now`."""
        return self.live().filter(expires_at__gt=now)

    def run_out(self, now: datetime) -> Self:
        """Live, though their time has passed at `now`."""
        return self.live().filter(expires_at__lte=now)

    def for_list(self) -> Self:
        """With what a notice shows, without the text of what is served."""
        return self.select_related("definition__server", "review", "version", "person").defer("version__text")


class SightingQuerySet(models.QuerySet["Sighting"]):
    """What classes of principals were shown."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, those of servers of the actor's teams, or none."""
        return _narrowed(self, actor, Permission.TOOL_READ, "definition__server__owner_team_id__in")

    def of_server(self, server: "Server") -> Self:
        """Those of one server's definitions."""
        return self.filter(definition__server=server)

    def for_list(self) -> Self:
        """With what a list shows, in one query.

        `differs` from what the poller was shown last; `withholds` the definition; `review` is the one that waits about
        exactly this, if any.
        """
        about = (
            _rows("Review")
            .waiting()
            .filter(definition=OuterRef("definition"), vantage=OuterRef("vantage"), version=OuterRef("version"))
        )
        listed_by_both = Q(definition__present=True, version=F("definition__observed"))
        joined = self.select_related("definition__server", "definition__observed", "version")
        return joined.defer(
            "definition__observed__text", "version__text"
        ).annotate(
            differs=_true_when(~(listed_by_both | Q(definition__present=False, version__isnull=True))),
            withholds=Exists(self.model._default_manager.withholding().filter(pk=OuterRef("pk"))),  # noqa: SLF001
            review=Subquery(about.values("public_id")[:1]),
        )

    def shown_rows(self, kind: str) -> "models.QuerySet[Sighting, tuple[str, str, str | None]]":
        """Vantage, name and digest (None: not listed) of what was shown of one kind."""
        return self.filter(definition__kind=kind).values_list("vantage", "definition__name", "version__digest")

    def withholding(self) -> Self:
        """Those of what nobody ever approved or dismissed, and the poller was not shown.

        That an older approved version is shown somewhere is worth a look, but it was approved.
        """
        pins = _rows("Pin").filter(version=OuterRef("version"))
        shown = self.filter(version__isnull=False).exclude(version=F("dismissed"))
        return shown.exclude(version=F("definition__observed")).exclude(Exists(pins))


class PolicyQuerySet(models.QuerySet["ChangePolicy"]):
    """Change policies as an actor may see them."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, or none: a policy reaches across teams."""
        return self.all() if actor.may(Permission.POLICY_READ) else self.none()

    def in_force(self) -> Self:
        """Those that decide, with the revision that does, in the order in which they are asked."""
        signed = self.select_related("in_force__written_by", "in_force__confirmed_by")
        return signed.filter(in_force__isnull=False).order_by("name")

    def for_list(self) -> Self:
        """With what a list shows, in a number of queries that does not grow with the rows.

        `newest`: the number of the newest revision; `decided`: how many changes any revision approved.
        """
        revisions = _rows("PolicyRevision").filter(policy=OuterRef("pk")).order_by("-n")
        decided = _rows("ReviewDecision").filter(policy__policy=OuterRef("pk")).order_by().values("policy__policy")
        related = self.select_related("in_force__written_by", "in_force__confirmed_by")
        return related.annotate(
            newest=Subquery(revisions.values("n")[:1]),
            decided=Coalesce(Subquery(decided.annotate(count=Count("pk")).values("count")), Value(0)),
        )

    def with_revisions(self) -> Self:
        """With every revision, newest first, and who signed it."""
        revisions = _rows("PolicyRevision").select_related("written_by", "confirmed_by").order_by("-n")
        return self.prefetch_related(Prefetch("revisions", revisions))

    def by_id(self, policy_id: "UUID | str") -> "ChangePolicy":
        """The policy with this public id. Raises `NotFound`."""
        found = self.filter(public_id=policy_id).first()
        if found is None:
            raise NotFound("There is no such policy.")
        return found


def _rows(model: str) -> Any:
    """The manager of a model that is not imported, because models import this module."""
    return apps.get_model("tools", model)._default_manager  # noqa: SLF001 -- a public name in Django


def _harmless_waiting() -> Any:
    """The review about what is observed, compared with the live pin, if all of it is harmless and nothing was found."""
    waiting = _rows("Review").waiting().filter(definition=OuterRef("pk"), version=OuterRef("observed"))
    compared = waiting.filter(base=OuterRef("live_pin__version"), change__len__gt=0)
    harmless = compared.filter(change__contained_by=[cls.value for cls in HARMLESS_WHILE_WAITING])
    found = _rows("Finding").filter(version=OuterRef("version"), severity__in=["high", "critical"])
    return harmless.exclude(Exists(found))


def _true_when(condition: Q | Combinable) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=models.BooleanField())


def _narrowed(queryset: Q_, actor: Actor, permission: Permission, team_lookup: str) -> Q_:
    if actor.may(permission):
        return queryset.all()
    if actor.may_somewhere(permission):
        return queryset.filter(**{team_lookup: actor.team_ids})
    return queryset.none()
