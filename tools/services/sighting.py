"""Taking in what a class of principals was shown at the gateway, where it is not what the poller was shown.

A sighting only ever speaks against what is served: what nobody ever approved withholds the definition from everybody,
until that class is shown what the poller is shown, or people explain it. It never approves and never removes. What is
listed to a class only becomes a definition that is not present: people see it, nobody is served it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Count, Exists, OuterRef
from django.utils import timezone

from access.services import bump_revision, server_part
from audit.events import Event
from core.actor import Actor
from core.errors import Conflict
from servers.models import Observation, Server
from servers.rules import ServerState
from servers.surface import Kind, Surface
from tools.look import Look, Seen, take
from tools.models import Definition, DefinitionVersion, Pin, Sighting
from tools.rules import POLLER, VERSIONS_A_DAY
from tools.services.absorbing import keep_observation
from tools.services.comparing import count_move, note_move
from tools.services.keeping import let_texts_go
from tools.services.settling import Known, Settlement, settle
from tools.services.versioning import Versions, versions_of

OBSERVATIONS_KEPT: Final = 20  # of one server from one class of principals
EXTRAS_KEPT: Final = 200  # definitions of one server that only agents were ever shown
_BATCH: Final = 500
_DAY: Final = timedelta(days=1)


@dataclass(slots=True)
class _Following:
    """One look of a class beside what the poller was shown and what the class was shown before, by tool."""

    server: Server
    vantage: str
    look: Look
    actor: Actor
    now: datetime
    definitions: dict[str, Definition]
    sightings: dict[int, Sighting]  # by definition
    fresh: set[int] = field(default_factory=set)
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
    """Follow what a class of principals is shown of a server's tools; answers whether anything of it is new.

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
        _keep(locked, surface, look, now)
        return look.problem is None and _followed(_beginning(locked, surface.vantage, look, actor, now))


def _keep(server: Server, surface: Surface, look: Look, now: datetime) -> None:
    """Keep the observation, unless it is what this class saw last time."""
    newest = Observation.objects.filter(server=server, vantage=surface.vantage).order_by("-time", "-id")
    last = newest.values_list("surface_digest", "error_class").first()
    if last != (look.surface_digest, look.problem.cls.value if look.problem else ""):
        keep_observation(server, surface, look, now, kept=OBSERVATIONS_KEPT)


def _beginning(server: Server, vantage: str, look: Look, actor: Actor, now: datetime) -> _Following:
    tools = Definition.objects.filter(server=server, kind=Kind.TOOL.value)
    sightings = Sighting.objects.filter(definition__in=tools, vantage=vantage)
    return _Following(
        server,
        vantage,
        look,
        actor,
        now,
        {row.name: row for row in tools.select_related("observed").defer("observed__text")},
        {each.definition_id: each for each in sightings.select_related("version").defer("version__text")},
    )


def _followed(f: _Following) -> bool:
    """Bring the sightings in line with the look, and everything that follows from them."""
    _create_extras(f)
    rows = [row for row in f.definitions.values() if _is_new(f, row)]
    if not rows:
        return False
    f.versions = _versions(f, rows)
    moved = _upserted(f, rows)
    if not moved:
        return False
    _settled(f, moved)
    # Where the server changed for everybody, the poller is to say so at once.
    Server.objects.filter(pk=f.server.pk).update(next_poll_at=f.now)
    bump_revision(server_part(f.server.slug))
    return True


def _create_extras(f: _Following) -> None:
    """Rows for what only this class is shown: not present, so never served and never put to review."""
    known = sum(row.observed_id is None and not row.present for row in f.definitions.values())
    new = [name for kind, name in f.look.seen if kind == Kind.TOOL.value and name not in f.definitions]
    times = {"first_seen": f.now, "last_seen": f.now, "vanished_at": f.now}
    missing = [
        Definition(server=f.server, kind=Kind.TOOL.value, name=name, present=False, **times)
        for name in new[: max(0, EXTRAS_KEPT - known)]
    ]
    for row in Definition.objects.bulk_create(missing, batch_size=_BATCH):
        f.definitions[row.name] = row
        f.fresh.add(row.pk)


def _is_new(f: _Following, row: Definition) -> bool:
    """Whether the look says something of a definition that its sighting does not say yet."""
    sighting, seen = f.sightings.get(row.pk), f.seen(row)
    if sighting is None:
        return f.differs(row)
    return (sighting.version.digest if sighting.version else None) != (seen.digest if seen else None)


def _versions(f: _Following, rows: Iterable[Definition]) -> Versions:
    """The version rows of what was shown; a definition that has had many new forms today gets no more of them."""
    shown = {(row.pk, seen.digest): seen for row in rows if (seen := f.seen(row)) is not None}
    today = DefinitionVersion.objects.filter(definition_id__in={pk for pk, _ in shown}, first_seen__gt=f.now - _DAY)
    counted = today.values_list("definition_id").annotate(n=Count("pk")).order_by()
    full = {pk for pk, n in counted if n >= VERSIONS_A_DAY}
    return versions_of(shown, refused={key for key in shown if key[0] in full})


def _upserted(f: _Following, rows: Iterable[Definition]) -> list[Definition]:
    """Write what the class is shown now; answers the definitions of which that is something new."""
    made, changed, moved = [], [], []
    for row in rows:
        version, sighting = _shown_version(f, row), f.sightings.get(row.pk)
        if sighting is None:
            times = {"first_seen": f.now, "seen_at": f.now}
            made.append(Sighting(definition=row, vantage=f.vantage, version=version, **times))
        elif sighting.version_id != (version.pk if version else None):
            sighting.version, sighting.seen_at = version, f.now
            changed.append(sighting)
        else:
            continue
        moved.append(row)
    Sighting.objects.bulk_create(made, batch_size=_BATCH)
    Sighting.objects.bulk_update(changed, ["version", "seen_at"], _BATCH)
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
    """Count, record, and give every definition the review that it needs by now."""
    for row in moved:
        if row.pk not in f.fresh:
            count_move(row, f.now)
    Definition.objects.bulk_update(moved, ["moves", "moves_since"], _BATCH)
    known = Known.of([row.pk for row in moved])
    settlement = Settlement(f.server, f.actor, f.now, known, bodies=f.versions.bodies)
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
    note_move(settlement, event, row, digest, before={"digest": polled}, after=after)
