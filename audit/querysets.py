"""Reads of the audit log. Every list starts from `visible_to(actor)`."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.apps import apps
from django.db import models
from django.db.models import Exists, Max, Min, OuterRef, Q, Subquery

from audit.drafts import next_shard, search_text, shard_of
from core.actor import Actor
from core.errors import NotFound
from core.names import split_canonical
from core.permissions import Permission

if TYPE_CHECKING:
    from audit.models import ExportCursor, Leaf, Record, Sink, Subject  # noqa: F401 -- type arguments below


class RecordQuerySet(models.QuerySet["Record"]):
    """Records, newest first unless told otherwise."""

    def visible_to(self, actor: Actor) -> "RecordQuerySet":
        """All records for who may read the log; those of own teams' things where the right reaches no further."""
        if actor.may(Permission.AUDIT_READ):
            return self.all()
        if actor.may_somewhere(Permission.AUDIT_READ):
            return self.filter(owner_team__in=actor.team_slugs)
        return self.none()

    def newest_first(self) -> "RecordQuerySet":
        """By shard and id: ids are UUIDv7, and this is the primary key's own order."""
        return self.order_by("-shard", "-id")

    def with_index(self) -> "RecordQuerySet":
        """Adds `index`, the record's place in the log; None while it waits for one."""
        leaves = apps.get_model("audit", "Leaf").objects
        place = leaves.filter(shard=OuterRef("shard"), record_id=OuterRef("id")).values("index")
        return self.annotate(index=Subquery(place[:1]))

    def one(self, record_id: UUID) -> "Record":
        """The record with this public id. Raises `NotFound`."""
        # A UUIDv7 tells its time, and so the shard it must be in or, written as the month turned, the next one.
        shard = shard_of_id(record_id)
        found = self.filter(shard__in=(shard, next_shard(shard)), id=record_id).first()
        # Ids only ever go up, so after a clock was set back they are ahead of it: then it is in an earlier shard.
        found = found or self.filter(shard__in=self._shards(), id=record_id).first()
        if found is None:
            raise NotFound("There is no such audit record.")
        return found

    def _shards(self) -> list[int]:
        """Every month from the first record's to the last one's."""
        ends = apps.get_model("audit", "Record").objects.aggregate(first=Min("shard"), last=Max("shard"))
        shards = [ends["first"]] if ends["first"] is not None else []
        while shards and shards[-1] < ends["last"]:
            shards.append(next_shard(shards[-1]))
        return shards

    def in_call(self, call_id: UUID) -> "RecordQuerySet":
        """Intent, outcome or denial of one call."""
        return self.filter(call_id=call_id)

    def by_principal(self, name: str) -> "RecordQuerySet":
        """By user name, pseudonym, agent client id, or `system:<name>`."""
        text = search_text(name)
        people = apps.get_model("audit", "Subject").objects.named(text)
        return self.filter(Q(principal__in=[text, f"agent:{text}", f"system:{text}", *people]))

    def by_agent(self, client_id: str) -> "RecordQuerySet":
        """What an agent did, for itself or for a person."""
        return self.filter(agent=search_text(client_id))

    def on_server(self, slug: str) -> "RecordQuerySet":
        """About one server."""
        return self.filter(server=search_text(slug))

    def on_tool(self, name: str) -> "RecordQuerySet":
        """About one definition, by canonical name (`files/read`) or by bare name on any server."""
        bare = Q(tool=search_text(name))
        parts = split_canonical(name)
        if parts is None:
            return self.filter(bare)
        return self.filter(bare | Q(server=parts[0], tool=search_text(parts[1])))

    def between(self, since: datetime | None, until: datetime | None) -> "RecordQuerySet":
        """`since <= time < until`; also narrows to the shards that can hold such times."""
        records = self
        if since is not None:
            records = records.filter(time__gte=since, shard__gte=shard_of(since))
        if until is not None:
            # A gateway's record may stand in the shard of the month after its time, never further on.
            records = records.filter(time__lt=until, shard__lte=next_shard(shard_of(until)))
        return records

    def matching(  # noqa: PLR0913 -- one parameter per filter
        self,
        *,
        call_id: UUID | None = None,
        principal: str = "",
        agent: str = "",
        server: str = "",
        tool: str = "",
        type: str = "",  # noqa: A002 -- the filter's public name
        event: str = "",
        decision: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> "RecordQuerySet":
        """Every filter that was given, together; shared by API and console."""
        records = self.between(since, until)
        if call_id is not None:
            records = records.in_call(call_id)
        if principal:
            records = records.by_principal(principal)
        if agent:
            records = records.by_agent(agent)
        if server:
            records = records.on_server(server)
        if tool:
            records = records.on_tool(tool)
        exact = {"type": type, "event": event, "decision": decision}
        return records.filter(**{name: value for name, value in exact.items() if value})

    def after_position(self, shard: int, record_id: UUID) -> "RecordQuerySet":
        """What follows a row in `newest_first` order."""
        return self.filter(pk__lt=(shard, record_id))

    def unplaced(self) -> "RecordQuerySet":
        """Records without a leaf."""
        leaves = apps.get_model("audit", "Leaf").objects
        return self.filter(~Exists(leaves.filter(shard=OuterRef("shard"), record_id=OuterRef("id"))))


class LeafQuerySet(models.QuerySet["Leaf"]):
    """Places in the log."""

    def after(self, index: int) -> "LeafQuerySet":
        """Leaves beyond `index`, in order."""
        return self.filter(index__gt=index).order_by("index")

    def head(self) -> int:
        """The highest index, -1 for an empty log."""
        last = self.order_by("-index").values_list("index", flat=True).first()
        return -1 if last is None else last


class SinkQuerySet(models.QuerySet["Sink"]):
    """Receivers of records."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them to who manages sinks; a sink belongs to the installation, not to a team."""
        return self.all() if actor.may(Permission.SINK_MANAGE) else self.none()

    def locked(self, sink_id: UUID) -> "Sink":
        """The sink, its row locked for this transaction. Raises `NotFound`."""
        sink = self.select_for_update().filter(public_id=sink_id).first()
        if sink is None:
            raise NotFound("There is no such sink.")
        return sink


class ExportCursorQuerySet(models.QuerySet["ExportCursor"]):
    """How far sinks are."""

    def due(self, now: datetime) -> Self:
        """Of active sinks whose time has come and on whom nobody holds a lease."""
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
        return self.filter(free, sink__state="active", next_attempt_at__lte=now)

    def held(self, token: UUID, now: datetime) -> Self:
        """The one whose lease this is, while it lasts."""
        return self.filter(lease_token=token, lease_until__gte=now, sink__state="active")


class SubjectQuerySet(models.QuerySet["Subject"]):
    """Pseudonyms and who they stand for."""

    def named(self, name: str) -> list[str]:
        """The pseudonyms of whoever has, or had, this user name."""
        return [str(found) for found in self.filter(name=name).values_list("pseudonym", flat=True)]

    def shown_names(self, principals: Iterable[str]) -> dict[str, str]:
        """Stored principal to the name people know: user name, client id, `system:<name>`."""
        wanted = set(principals)
        pseudonyms = {text: found for text in wanted if (found := _uuid(text)) is not None}
        names: dict[Any, str] = dict(self.filter(pseudonym__in=pseudonyms.values()).values_list("pseudonym", "name"))
        shown = {text: text.removeprefix("agent:") for text in wanted}
        shown.update({text: names[found] for text, found in pseudonyms.items() if found in names})
        return shown


def shard_of_id(record_id: UUID) -> int:
    """The shard that a UUIDv7's own time belongs to; a UUID of another version gives a shard without rows."""
    milliseconds = record_id.int >> 80
    if record_id.version != 7 or milliseconds >= 10**14:
        return 0
    return shard_of(datetime.fromtimestamp(milliseconds / 1000, tz=UTC))


def _uuid(text: str) -> UUID | None:
    if ":" in text:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None
