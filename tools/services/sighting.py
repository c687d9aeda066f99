"""Taking in what a class of principals was shown at the gateway, where it is not what the poller was shown.

A sighting only ever speaks against what is served: what nobody ever approved withholds the definition from everybody,
until that class is shown what the poller is shown, or people explain it. It never approves and never removes. What is
listed to a class only becomes a definition that is not present: people see it, nobody is served it. What is merely not
listed to a class is in its observation, and changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from access.services import bump_revision, server_part
from audit.events import Event
from core.actor import Actor
from core.errors import Conflict
from servers.models import Observation, Server
from servers.rules import ServerState
from servers.surface import Kind, Surface
from tools.look import Key, Look, Seen, take
from tools.models import Definition, DefinitionVersion, Pin, Sighting
from tools.rules import NAMES_KEPT, POLLER, is_quiet
from tools.services.absorbing import keep_observation
from tools.services.comparing import count_move, is_new_form, note_move
from tools.services.keeping import let_texts_go
from tools.services.settling import Known, Settlement, settle
from tools.services.versioning import Versions, full_today, versions_of

OBSERVATIONS_KEPT: Final = 20  # of one server from one class of principals
OBSERVATIONS_OF_AGENTS: Final = 100  # of one server from all classes together
EXTRAS_KEPT: Final = 200  # definitions of one server that only agents were ever shown
SIGHTINGS_KEPT: Final = 5_000  # of one server; beyond it, one for each definition that none withholds yet
POLL_PAUSE: Final = timedelta(seconds=30)  # between looks of the poller that sightings ask for
_BATCH: Final = 500


@dataclass(slots=True)
class _Following:
    """One look of a class beside what the poller was shown and what the class was shown before."""

    server: Server
    vantage: str
    look: Look
    actor: Actor
    now: datetime
    began: datetime  # the look, at the gateway
    definitions: dict[Key, Definition]  # of the kinds that were looked for
    sightings: dict[int, Sighting]  # by definition
    versions: Versions = field(default_factory=lambda: Versions({}, {}))

    def seen(self, row: Definition) -> Seen | None:
        """What the class was shown of a definition now."""
        return self.look.seen.get((row.kind, row.name))

    def differs(self, row: Definition) -> bool:
        """Whether that is something else than the poller was shown last."""
        seen = self.seen(row)
        if seen is None or not row.present:
            return row.present or seen is not None
        return row.observed is None or row.observed.digest != seen.digest


def sight(*, server: Server, surface: Surface, actor: Actor) -> bool:
    """Follow what a class of principals is shown of a server; answers whether anything of it is new.

    `server` is as it was when the look began. An incomplete look is kept for people to see and changes nothing.

    Raises `Conflict` when the server is out of use or at another endpoint by now, and `ValueError` for the poller's
    vantage, which `absorb` takes in.
    """
    if surface.vantage == POLLER:
        raise ValueError("the poller is no class of principals")
    look = take(surface)
    with transaction.atomic():
        locked = Server.objects.select_for_update(of=("self",)).select_related("owner_team").get(pk=server.pk)
        if locked.state != ServerState.ACTIVE.value or locked.url != server.url:
            raise Conflict("The server is not in use at this endpoint any more; what was seen there is dropped.")
        now = timezone.now()
        began = min(surface.began or now, now)  # a clock that is ahead must not shut out the looks of the others
        _keep(locked, surface, look, began)
        return look.problem is None and _followed(_beginning(locked, surface, look, actor, now, began))


def _keep(server: Server, surface: Surface, look: Look, began: datetime) -> None:
    """Keep the observation, unless it is what this class saw last time. Raises `Conflict` where that began later."""
    of_agents = Observation.objects.filter(server=server).exclude(vantage=POLLER)
    of_class = of_agents.filter(vantage=surface.vantage)
    last = of_class.order_by("-time", "-id").defer("items").first()
    if last is not None and began < last.time:
        raise Conflict("What this class was shown later is on record already; the older look is dropped.")
    problem = look.problem.cls.value if look.problem else ""
    if last is not None and (last.surface_digest, last.error_class) == (look.surface_digest, problem):
        return
    keep_observation(server, surface, look, began, kept=OBSERVATIONS_KEPT)
    if not problem:
        # Lists are long: of each class the last one stays, which says what is not listed to it.
        listed = of_class.filter(complete=True)
        listed.exclude(surface_digest=look.surface_digest).exclude(items=[]).update(items=[])
        listed.filter(surface_digest=look.surface_digest, items=[]).update(items=look.listed)
    beyond = of_agents.order_by("-time", "-id").values_list("pk", flat=True)[OBSERVATIONS_OF_AGENTS:]
    Observation.objects.filter(pk__in=list(beyond)).delete()


def _beginning(
    server: Server, surface: Surface, look: Look, actor: Actor, now: datetime, began: datetime
) -> _Following:
    # What was not looked for was not seen either, which says nothing.
    looked_for = surface.covers | {item.kind for item in surface.items}
    rows = Definition.objects.filter(server=server, kind__in=[kind.value for kind in looked_for])
    sightings = Sighting.objects.filter(definition__in=rows, vantage=surface.vantage)
    return _Following(
        server,
        surface.vantage,
        look,
        actor,
        now,
        began,
        {(row.kind, row.name): row for row in rows.select_related("observed").defer("observed__text")},
        {each.definition_id: each for each in sightings.select_related("version").defer("version__text")},
    )


def _followed(f: _Following) -> bool:
    """Bring the sightings in line with the look, and everything that follows from them."""
    _create_extras(f)
    rows = _with_room(f, [row for row in f.definitions.values() if _is_new(f, row)])
    if not rows:
        return False
    _refuse_without_body(f, rows)
    f.versions = _versions(f, rows)
    moved = _upserted(f, rows)
    if not moved:
        return False
    _settled(f, moved)
    _poll_soon(f)
    bump_revision(server_part(f.server.slug))
    return True


def _poll_soon(f: _Following) -> None:
    """Where the server changed for everybody, the poller is to say so; not in a row, where it changes in a row."""
    polled = f.server.last_polled_at
    soon = f.now if polled is None else max(f.now, polled + POLL_PAUSE)
    Server.objects.filter(pk=f.server.pk).update(next_poll_at=min(f.server.next_poll_at, soon))


def _create_extras(f: _Following) -> None:
    """Rows for what only this class is shown: not present, so never served and never put to review."""
    new = [key for key in f.look.seen if key not in f.definitions and key[0] != Kind.CARD.value]
    if not new:
        return
    every = Definition.objects.filter(server=f.server)
    known = every.filter(observed=None, present=False).count()
    # However they came to be known: what the poller is shown needs names as well.
    names = every.count()
    times = {"first_seen": f.now, "last_seen": f.now, "vanished_at": f.now}
    missing = [
        Definition(server=f.server, kind=kind, name=name, present=False, **times)
        for kind, name in new[: max(0, min(EXTRAS_KEPT - known, NAMES_KEPT - names))]
    ]
    for row in Definition.objects.bulk_create(missing, batch_size=_BATCH):
        f.definitions[row.kind, row.name] = row


def _is_new(f: _Following, row: Definition) -> bool:
    """Whether the look says something of a definition that its sighting does not say yet."""
    sighting, seen = f.sightings.get(row.pk), f.seen(row)
    if sighting is None:
        return seen is not None and f.differs(row)
    return (sighting.version.digest if sighting.version else None) != (seen.digest if seen else None)


def _with_room(f: _Following, rows: list[Definition]) -> list[Definition]:
    """Those of `rows` that may have a sighting of this class.

    Beyond `SIGHTINGS_KEPT` no further class gets one of a definition that another's withholds already. The gateway
    goes on telling what it has no row for, so there will be one once the definition would be served.
    """
    new = [row.pk for row in rows if row.pk not in f.sightings]
    if not new or Sighting.objects.of_server(f.server).count() + len(new) <= SIGHTINGS_KEPT:
        return rows
    withheld = Sighting.objects.withholding().filter(definition__in=new).values_list("definition_id", flat=True)
    beyond = set(withheld) - f.sightings.keys()
    return [row for row in rows if row.pk not in beyond]


def _refuse_without_body(f: _Following, rows: Iterable[Definition]) -> None:
    """Raise `Conflict` where the gateway left out a text because it knew it, and that is not what is known here."""
    if any(seen is not None and not seen.item.body for seen in map(f.seen, rows)):
        raise Conflict("The poller was shown something else meanwhile; look again.")


def _versions(f: _Following, rows: Iterable[Definition]) -> Versions:
    """The version rows of what was shown; a definition that has had many new forms today gets no more of them."""
    shown = {(row.pk, seen.digest): seen for row in rows if (seen := f.seen(row)) is not None}
    full = full_today({pk for pk, _ in shown}, f.now)
    return versions_of(shown, refused={key for key in shown if key[0] in full})


def _upserted(f: _Following, rows: Iterable[Definition]) -> list[Definition]:
    """Write what the class is shown now; answers the definitions of which that is something new."""
    made, changed, moved = [], [], []
    for row in rows:
        version, sighting = _shown_version(f, row), f.sightings.get(row.pk)
        if sighting is None:
            times = {"first_seen": f.began, "seen_at": f.began, "moves_since": f.now}
            sighting = f.sightings[row.pk] = Sighting(definition=row, vantage=f.vantage, version=version, **times)
            made.append(sighting)
        elif sighting.version_id != (version.pk if version else None):
            sighting.version, sighting.seen_at = version, f.began
            changed.append(sighting)
        else:
            continue
        count_move(sighting, f.now)
        moved.append(row)
    Sighting.objects.bulk_create(made, batch_size=_BATCH)
    Sighting.objects.bulk_update(changed, ["version", "seen_at", "moves", "moves_since"], _BATCH)
    return moved


def _shown_version(f: _Following, row: Definition) -> DefinitionVersion | None:
    seen = f.seen(row)
    if seen is None:
        return None
    return f.versions.rows.get((row.pk, seen.digest)) or _stand_in(f, row, seen)


def _stand_in(f: _Following, row: Definition, seen: Seen) -> DefinitionVersion:
    """What stands for a form that is not kept, because there were too many today: another that nobody approved.

    Otherwise the last of many forms would be the one that withholds nothing.
    """
    sighting = f.sightings.get(row.pk)
    if sighting is not None and sighting.version and Sighting.objects.withholding().filter(pk=sighting.pk).exists():
        return sighting.version
    pins = Pin.objects.filter(version=OuterRef("pk"))
    others = DefinitionVersion.objects.filter(definition=row, let_go_at__isnull=True).exclude(Exists(pins))
    spoken_for = [row.observed_id, sighting.dismissed_id if sighting else None]
    found = others.exclude(pk__in=[pk for pk in spoken_for if pk is not None]).order_by("-pk").defer("text").first()
    return found or versions_of({(row.pk, seen.digest): seen}).rows[row.pk, seen.digest]


def _settled(f: _Following, moved: list[Definition]) -> None:
    """Record, and give every definition the review that it needs by now.

    What a class is shown never counts as a change of the definition: many agents that see one change are no flapping.
    """
    known = Known.of([row.pk for row in moved])
    quiet = frozenset(row.pk for row in moved if is_quiet(f.sightings[row.pk].moves))
    versions = f.versions
    settlement = Settlement(f.server, f.actor, f.now, known, versions.bodies, versions.shared, quiet=quiet)
    withheld = set(
        Sighting.objects.withholding()
        .filter(definition__in=[row.pk for row in moved], vantage=f.vantage)
        .values_list("definition_id", flat=True)
    )
    for row in moved:
        _note(f, settlement, row, withheld=row.pk in withheld)
    settle(settlement, moved)
    let_texts_go([row.pk for row in moved], now=f.now)


def _note(f: _Following, settlement: Settlement, row: Definition, *, withheld: bool) -> None:
    seen = f.seen(row)
    digest = seen.digest if seen else ""
    after: Mapping[str, object] = {"vantage": f.vantage, "listed": seen is not None, "withheld": withheld}
    event = Event.TOOL_SHOWN_DIFFERENTLY if f.differs(row) else Event.TOOL_SHOWN_ALIKE
    polled = row.observed.digest if row.present and row.observed else ""
    sighting = f.sightings[row.pk]
    loud = event is Event.TOOL_SHOWN_DIFFERENTLY and is_new_form(sighting.version, f.now)
    note_move(settlement, event, row, digest, counted=sighting, loud=loud, before={"digest": polled}, after=after)
