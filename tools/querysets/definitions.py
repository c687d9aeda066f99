"""Reads of definitions and their versions, and what agents are served of them."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self

from django.apps import apps
from django.contrib.postgres.aggregates import ArrayAgg
from django.db import models
from django.db.models import Case, Count, Exists, F, FilteredRelation, OuterRef, Prefetch, Q, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from core.actor import Actor
from core.errors import NotFound, Unprocessable
from core.permissions import Permission
from servers.rules import DriftMode, ServerState
from servers.surface import Kind
from servers.tags import plain_tag
from tools.effects import Effect
from tools.fingerprint import DIGEST_PATTERN
from tools.querysets.findings import findings_of
from tools.querysets.shared import VOICES, narrowed, rows_of, squashed_name, true_when
from tools.risk import ALARMING, ALARMING_FROM, INCOMPLETE, Together, together
from tools.rules import HARMLESS_WHILE_WAITING, DefinitionState

if TYPE_CHECKING:
    from uuid import UUID

    from tools.models import Definition, DefinitionVersion

# Annotations of `with_what_serves`.
_AS_APPROVED = Q(contradicted=False, by_pin=True, unexpired=True)
_BY_MODE = Q(contradicted=False, by_mode=True, unexpired=True)
# Not by the pin: another version than it, or the same after its approval ran out.
_ON_GLASS = Q(by_glass=True) & (Q(by_pin=False) | Q(unexpired=False))
# Of what agents get, else of what is pinned, else of what is shown. Of what is served the last is never asked.
_OF_SERVED = (Case(When(_ON_GLASS, then=F("glass__version__effect"))), F("live_pin__version__effect"))
_EFFECT, _EFFECT_SERVED = Coalesce(*_OF_SERVED, F("observed__effect"), Value("")), Coalesce(*_OF_SERVED, Value(""))
# What a list narrows by: one effect, or all that change something.
EFFECTS: Final[Mapping[str, frozenset[Effect]]] = {
    "may_write": frozenset({Effect.WRITES, Effect.DESTROYS}),
    **{effect.value: frozenset({effect}) for effect in Effect},
}
UNUSED: Final = timedelta(days=90)  # without a call
_TEXTS_AT_ONCE: Final = 100  # each may have a megabyte
_SERVED = Q(present=True) & (_AS_APPROVED | _BY_MODE | (Q(contradicted=False) & _ON_GLASS))
_SERVED_NOW = _SERVED & Q(server__state=ServerState.ACTIVE.value)


def _says(effects: Iterable[Effect]) -> Q:
    wanted = {effect.value for effect in effects}
    return Q(kind=Kind.TOOL.value, said__in=wanted | ({""} if Effect.DESTROYS in effects else set()))


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
    server_id: int = 0


class DefinitionQuerySet(models.QuerySet["Definition"]):
    """Definitions as an actor may see them."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, those of servers of the actor's teams, or none."""
        return narrowed(self, actor, Permission.TOOL_READ, "server__owner_team_id__in")

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
            by_pin=true_when(Q(live_pin__version=F("observed"))),
            by_glass=true_when(Q(glass__version=F("observed"))),
            by_mode=true_when(Q(server__drift_mode=DriftMode.SERVE_PINNED.value) & _harmless_waiting()),
            contradicted=_contradicted(),
            unexpired=true_when(Q(live_pin__expires_at__isnull=True) | Q(live_pin__expires_at__gt=now)),
        )

    def with_what_is_said(self, now: datetime) -> Self:
        """The same with `said`: what a tool says that it does, in what agents get, or would get next."""
        return self.with_what_serves(now).alias(said=_EFFECT)

    def in_state(self, state: DefinitionState, *, now: datetime | None = None) -> Self:
        """Those whose derived state is `state` at `now`. Held is also what is served by the server's drift mode."""
        if state is DefinitionState.GONE:
            return self.filter(present=False)
        judged = self.filter(present=True).with_what_serves(now or timezone.now())
        judged = judged.alias(as_approved=true_when(_AS_APPROVED))
        return judged.filter(as_approved=state is DefinitionState.APPROVED)

    def served_now(self) -> Self:
        """What agents get now from an active server."""
        return self.with_what_serves(timezone.now()).filter(_SERVED_NOW)

    def served_tools(self, named: Collection[tuple[str, str]] = ()) -> Iterator[tuple[str, bool, int, list[str]]]:
        """How many tools agents get now from active servers, by slug and whether they are sensitive.

        And which of them are among `named`, which are slugs and names.
        """
        slugs, names = {slug for slug, _ in named}, {name for _, name in named}
        near = ArrayAgg("name", filter=Q(server__slug__in=slugs, name__in=names), default=Value([]))
        rows = self.filter(kind=Kind.TOOL.value).served_now().order_by()
        counted = rows.values_list("server__slug", "sensitive").annotate(count=Count("pk"), near=near)
        for slug, sensitive, count, some in counted:
            yield slug, sensitive, count, [name for name in some if (slug, name) in named]

    def offered(self) -> dict[tuple[str, str], int]:
        """How many definitions a server has by slug and kind, present and not sensitive: what a broad scope reaches."""
        rows = self.filter(present=True, sensitive=False).exclude(kind=Kind.CARD.value).order_by()
        counted = rows.values_list("server__slug", "kind").annotate(count=Count("pk"))
        return {(slug, kind): count for slug, kind, count in counted}

    def that(self, effects: Iterable[Effect]) -> Self:
        """Tools that say one of these of what agents get, or would get next. One that says nothing says the worst."""
        return self.with_what_is_said(timezone.now()).filter(_says(effects))

    def tagged(self, tag: str) -> Self:
        """What servers show that are marked with this tag."""
        return self.filter(server__tags__contains=[plain_tag(tag)])

    def in_catalogue(self, wanted: Mapping[str, Any]) -> Self:
        """By slug or `tag` of the server, `kind`, `state`, `effect`, part of the name, what is `served` or `unused`."""
        found = self
        if wanted.get("state"):
            found = found.in_state(DefinitionState(wanted["state"]))
        if wanted.get("server"):
            found = found.filter(server__slug=wanted["server"])
        if wanted.get("tag"):
            found = found.tagged(wanted["tag"])
        if wanted.get("kind"):
            found = found.filter(kind=wanted["kind"])
        if wanted.get("q"):
            found = found.filter(name__icontains=wanted["q"])
        if wanted.get("unused"):
            found = found.unused_since(timezone.now() - UNUSED)
        effects = EFFECTS[wanted["effect"]] if wanted.get("effect") else None
        if effects is None and not wanted.get("served"):
            return found
        says, served = Q() if effects is None else _says(effects), _SERVED_NOW if wanted.get("served") else Q()
        said = _EFFECT_SERVED if served else _EFFECT
        return found.with_what_serves(timezone.now()).alias(said=said).filter(says, served)

    def unsettled(self, *, now: datetime | None = None) -> Self:
        """Present and held, yet nobody is asked and nobody has said no to what is shown.

        Asked at every look, of all definitions of a server: so it joins the pin only, and each answer by itself.
        """
        moment = now or timezone.now()
        unexpired = Q(live_pin__expires_at__isnull=True) | Q(live_pin__expires_at__gt=moment)
        exact = true_when(Q(live_pin__version=F("observed")) & unexpired)
        against = rows_of("Sighting").withholding()
        joined = self.filter(present=True).with_pin().alias(exact=exact)
        held = joined.filter(Q(exact=False) | Q(pk__in=against.values("definition")))
        reviews = rows_of("Review").filter(definition=OuterRef("pk"))
        shown = Q(version=OuterRef("observed")) | Q(version__in=against.values("version"))
        nobody_asked = held.exclude(Exists(reviews.waiting()))
        return nobody_asked.exclude(Exists(reviews.standing_rejections().filter(shown)))

    def with_served(self) -> Self:
        """With `served` and `effect`, as lists have them, and nothing else of what they show."""
        return self.with_what_serves(timezone.now()).annotate(served=true_when(_SERVED), effect=_EFFECT)

    def for_list(self) -> Self:
        """With what a list shows, in one query, and one for the findings.

        Server, observed version, live pin; `approved` unless held or gone; `served` if agents get it;
        `on_glass` if they get what waits because somebody broke the glass; `is_contradicted` as
        `with_what_serves` says.
        """
        joined = self.select_related("server", "observed").with_what_serves(timezone.now())
        return joined.prefetch_related(findings_of("observed__findings")).annotate(
            pin_digest=F("live_pin__version__digest"),
            pin_expires_at=F("live_pin__expires_at"),
            glass_expires_at=F("glass__expires_at"),
            approved=true_when(_AS_APPROVED),
            served=true_when(_SERVED),
            on_glass=true_when(Q(present=True, contradicted=False) & _ON_GLASS),
            is_contradicted=F("contradicted"),
            effect=_EFFECT,
        )

    def with_use(self, actor: Actor) -> Self:
        """With `last_used`: when a call of it was last carried; null where none was, or the actor may not read grants.

        Uses are counted by the name of the server: what an earlier server of the same name had is left out.
        """
        if not actor.may(Permission.GRANT_READ):
            return self.annotate(last_used=Value(None, output_field=models.DateTimeField()))
        latest = _uses().order_by("-last_used").values("last_used")
        return self.annotate(last_used=Subquery(latest[:1]))

    def unused_since(self, moment: datetime) -> Self:
        """What was there at `moment`, counted by then, and not called since."""
        counted = apps.get_model("access", "UseCursor").objects.filter(since__lt=moment)
        late = _uses().filter(last_used__gte=moment)
        return self.filter(Exists(counted), ~Exists(late), first_seen__lt=moment).exclude(kind=Kind.CARD.value)

    def with_namesakes(self, actor: Actor) -> Self:
        """With `has_namesakes`: whether another server that the actor sees shows one that is called the same."""
        others = rows_of("Definition").visible_to(actor).filter(present=True, kind=OuterRef("kind"))
        alike = others.alias(squashed=squashed_name()).filter(squashed=squashed_name(OuterRef("name")))
        return self.annotate(has_namesakes=Exists(alike.exclude(server=OuterRef("server"))))

    def risk(self, own: Iterable[Any] = ()) -> Together:
        """What those that are present come to, with the server's `own` findings; narrow to one server first."""
        present = self.order_by().filter(present=True, observed__isnull=False)
        shown = dict(present.values_list("observed_id", "observed__risk_score"))
        found: dict[int, list[Any]] = {pk: [] for pk in shown}
        for finding in rows_of("Finding").judged().filter(version__in=present.values("observed")):
            found[finding.version_id].append(finding)
        return together(((shown[pk], findings) for pk, findings in found.items()), own)

    def by_id(self, definition_id: "UUID | str") -> "Definition":
        """The definition with this public id. Raises `NotFound`."""
        found = self.filter(public_id=definition_id).first()
        if found is None:
            raise NotFound("There is no such definition.")
        return found

    def served_rows(self) -> Iterator[ServedRow]:
        """Rows for the gateway's facts, server by server, in one query that is not held in memory whole."""
        joined = self.with_what_serves(timezone.now()).annotate(
            pin_text=F("live_pin__version__text"),
            glass_text=Case(When(_ON_GLASS, then=F("glass__version__text"))),
            observed_digest=F("observed__digest"),
            pin_digest=F("live_pin__version__digest"),
            pin_expires_at=F("live_pin__expires_at"),
            glass_expires_at=F("glass__expires_at"),
            # An expired pin is left in: the gateway compares the time at each call and says why it refuses.
            served=true_when(Q(contradicted=False) & (Q(by_pin=True) | Q(by_glass=True) | Q(by_mode=True))),
        )
        fields = (
            "kind", "name", "sensitive", "present", "served", "observed_digest", "pin_digest", "pin_text",
            "pin_expires_at", "glass_text", "glass_expires_at", "server_id",
        )  # fmt: skip
        ordered = joined.order_by("server_id", "kind", "name").values_list(*fields, named=True)
        for row in ordered.iterator(chunk_size=_TEXTS_AT_ONCE):
            yield _served_row(row)


class VersionQuerySet(models.QuerySet["DefinitionVersion"]):
    """Versions, newest first. Reach them through a definition that the actor may see."""

    def alarming(self) -> Self:
        """Those at which a person has to look: of medium risk and above, or not scanned whole. Suppressed or not."""
        bad = Q(severity__in=ALARMING) | Q(rule=INCOMPLETE)
        found = rows_of("Finding").filter(bad, version=OuterRef("pk"))
        return self.filter(Q(risk_score__gte=ALARMING_FROM) | Exists(found))

    def for_history(self, actor: Actor) -> Self:
        """With findings and what was decided, as far as the actor may see it, and without texts."""
        reviews = rows_of("Review").visible_to(actor).prefetch_related(*VOICES).order_by("-pk")
        return self.defer("text").prefetch_related(findings_of("findings"), Prefetch("reviews", reviews))

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
        server_id=row.server_id,
    )


def _uses() -> Any:
    """What grants carried to a definition of an outer query, since that is there."""
    uses: Any = apps.get_model("access", "GrantUse").objects
    named = {"server": OuterRef("server__slug"), "kind": OuterRef("kind"), "name": OuterRef("name")}
    return uses.filter(**named, last_used__gte=OuterRef("first_seen"))


@cache  # what every list asks, and dear to put together
def _contradicted() -> Exists:
    """Whether anybody was shown what nobody ever approved."""
    return Exists(rows_of("Sighting").withholding().filter(definition=OuterRef("pk")))


@cache
def _harmless_waiting() -> Exists:
    """The review about what is observed, compared with the live pin, if all of it is harmless and alarms nobody."""
    waiting = rows_of("Review").waiting().filter(definition=OuterRef("pk"), version=OuterRef("observed"))
    compared = waiting.filter(base=OuterRef("live_pin__version"), change__len__gt=0)
    harmless = compared.filter(change__contained_by=[cls.value for cls in HARMLESS_WHILE_WAITING])
    alarming = rows_of("DefinitionVersion").alarming().filter(pk=OuterRef("version"))
    return Exists(harmless.exclude(Exists(alarming.order_by())))
