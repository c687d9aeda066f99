"""Reads of the audit log. Every list starts from `visible_to(actor)`."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.apps import apps
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import models
from django.db.models import Exists, Max, Min, OuterRef, Q, Subquery
from django.utils import timezone

from audit.drafts import next_shard, search_text, shard_of
from audit.events import Event
from audit.filters import Filters
from audit.spans import SLACK, id_at, shard_of_id, widening
from core.actor import Actor, ActorKind
from core.errors import NotFound
from core.names import split_canonical
from core.permissions import Permission

if TYPE_CHECKING:
    from audit.models import Leaf, Record, Removal, SavedSearch, StoredPayload, Subject  # noqa: F401 -- type arguments


REMOVAL_DAYS: Final = 7  # in which another person can agree; the database knows them too (`audit.0006`)


class RecordQuerySet(models.QuerySet["Record"]):
    """Records, newest first unless told otherwise."""

    def visible_to(self, actor: Actor) -> "RecordQuerySet":
        """All records for who may read the log; those of own teams' things where the right reaches no further."""
        return self.within_reach_of(actor, Permission.AUDIT_READ)

    def exportable_by(self, actor: Actor) -> "RecordQuerySet":
        """Those visible to the actor that may also leave: what both rights reach."""
        return self.visible_to(actor).within_reach_of(actor, Permission.AUDIT_EXPORT)

    def within_reach_of(self, actor: Actor, permission: Permission) -> "RecordQuerySet":
        """All where the actor holds this everywhere, those of own teams' things where it reaches no further."""
        if actor.may(permission):
            return self.all()
        if actor.may_somewhere(permission):
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

    def in_trace(self, trace_id: str) -> "RecordQuerySet":
        """What was recorded under a W3C trace id."""
        # All that a call leaves carries its trace, so only half of it is in the index: see `audit_record_trace`.
        marked = apps.get_model("audit", "Record").objects.filter(trace_id=trace_id).exclude(event=Event.CALL_COMPLETED)
        return self.filter(trace_id=trace_id, call_id__in=marked.values("call_id"))

    def by_principal(self, name: str) -> "RecordQuerySet":
        """By user name, pseudonym, agent client id, or `system:<name>`."""
        text = search_text(name)
        people = apps.get_model("audit", "Subject").objects.named(text)
        meant = (text, f"agent:{text}", f"system:{text}", *people)
        # Nearly always it is one of them, and the records of one are in the order of the list already.
        records = apps.get_model("audit", "Record").objects
        looks = [records.filter(principal=each).values("principal")[:1] for each in meant]
        found = [str(row["principal"]) for row in looks[0].union(*looks[1:], all=True)]
        return self.filter(principal=found[0]) if len(found) == 1 else self.filter(principal__in=found)

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

    def of_type(self, record_type: str) -> "RecordQuerySet":
        """Of one of the kinds of record."""
        return self.filter(type=record_type)

    def of_event(self, event: str) -> "RecordQuerySet":
        """About one sort of event."""
        return self.filter(event=event)

    def decided(self, decision: str) -> "RecordQuerySet":
        """Allowed or denied."""
        return self.filter(decision=decision)

    def for_reason(self, reason: str) -> "RecordQuerySet":
        """With this reason, whole: a denial's name, or a person's words."""
        return self.exclude(reason="").filter(reason=search_text(reason, long=True))

    def saying(self, words: str) -> "RecordQuerySet":
        """Whose intention holds these words, asked as in a search engine: `"a phrase"`, `or`, `-without`."""
        wanted = SearchQuery(words, config="simple", search_type="websearch")
        said = SearchVector("intention", config="simple")
        return self.exclude(intention="").alias(words=said).filter(words=wanted)

    def between(self, since: datetime | None, until: datetime | None) -> "RecordQuerySet":
        """`since <= time < until`."""
        records = self
        if since is not None:
            records = records.filter(time__gte=since, shard__gte=shard_of(since), id__gte=id_at(since, -SLACK))
        if until is not None:
            records = records.filter(time__lt=until, id__lt=id_at(until, SLACK))
        return records

    def end_of(self, until: datetime) -> tuple[int, UUID]:
        """Where in the order of the list nothing begins that happened before `until`: what follows is read from there.

        A process goes on in the shard that it began, so after its clock was ahead its records stand in a later one.
        """
        shard, behind = shard_of(until), id_at(until, SLACK)
        laters = [later for later in self._shards() if later > shard]
        looks = [self.filter(shard=later, id__lt=behind).values("shard")[:1] for later in laters]
        found = looks[0].union(*looks[1:], all=True) if looks else ()
        return max([shard, *(row["shard"] for row in found)]), behind

    def matching(self, wanted: Filters) -> "RecordQuerySet":
        """What fits every filter, newest first."""
        records = self.between(wanted.since, wanted.until)
        for name, method in _BY.items():
            if value := getattr(wanted, name):
                records = method(records, value)
        return records.newest_first()

    def page(self, wanted: Filters, size: int, *, after: tuple[int, UUID] | None = None) -> "list[Record]":
        """The first `size` of what fits every filter, newest first, from behind the row at `after` on: shard and id.

        Shard by shard, and id by id in the first one: of a comparison of both at once PostgreSQL expects that it leaves
        no row of a shard, and then reads all of them one by one to find the few that fit.
        """
        if after is None and wanted.until is not None:
            after = apps.get_model("audit", "Record").objects.end_of(wanted.until)
        oldest, newest = shard_of(wanted.since) if wanted.since else 0, after[0] if after else 999999
        found, rows = self.matching(wanted), list["Record"]()
        for first, last in widening([shard for shard in self._shards() if oldest <= shard <= newest]):
            # An equal shard, not one within bounds: then an index is entered at the id behind it.
            part = found.filter(shard=last) if first == last else found.filter(shard__range=(first, last))
            if after is not None and last == after[0]:
                part = part.filter(id__lt=after[1])
            rows += part[: size - len(rows)]
            if len(rows) == size:
                break
        return rows

    def unplaced(self) -> "RecordQuerySet":
        """Records without a leaf."""
        leaves = apps.get_model("audit", "Leaf").objects
        return self.filter(~Exists(leaves.filter(shard=OuterRef("shard"), record_id=OuterRef("id"))))


_BY: Final[dict[str, Callable[[RecordQuerySet, Any], RecordQuerySet]]] = {
    "principal": RecordQuerySet.by_principal,
    "agent": RecordQuerySet.by_agent,
    "server": RecordQuerySet.on_server,
    "tool": RecordQuerySet.on_tool,
    "type": RecordQuerySet.of_type,
    "event": RecordQuerySet.of_event,
    "decision": RecordQuerySet.decided,
    "reason": RecordQuerySet.for_reason,
    "intention": RecordQuerySet.saying,
    "call_id": RecordQuerySet.in_call,
    "trace_id": RecordQuerySet.in_trace,
}


class LeafQuerySet(models.QuerySet["Leaf"]):
    """Places in the log."""

    def after(self, index: int) -> "LeafQuerySet":
        """Leaves beyond `index`, in order."""
        return self.filter(index__gt=index).order_by("index")

    def head(self) -> int:
        """The highest index, -1 for an empty log."""
        last = self.order_by("-index").values_list("index", flat=True).first()
        return -1 if last is None else last


class RemovalQuerySet(models.QuerySet["Removal"]):
    """What somebody asked to remove."""

    def waiting(self) -> "RemovalQuerySet":
        """Those that another person can still agree to, the latest first."""
        since = timezone.now() - timedelta(days=REMOVAL_DAYS)
        return self.filter(confirmation__isnull=True, requested_at__gt=since).order_by("-requested_at")


class PayloadQuerySet(models.QuerySet["StoredPayload"]):
    """Payloads of calls."""

    def of_call(self, call_id: UUID) -> "PayloadQuerySet":
        """The rows of one call, that of its arguments first."""
        return self.filter(call_id=call_id).order_by("part", "record_id")


class SubjectQuerySet(models.QuerySet["Subject"]):
    """Pseudonyms and who they stand for."""

    def named(self, name: str) -> list[str]:
        """The pseudonyms of whoever has, or had, this user name."""
        return [str(found) for found in self.filter(name=name).values_list("pseudonym", flat=True)]

    def standing_for(self, actor: Actor) -> list[str]:
        """How `actor` stands in records; nothing for a person of whom there is none yet."""
        if actor.kind is not ActorKind.PERSON:
            return [f"{actor.kind}:{actor.id}"]
        return [str(found) for found in self.filter(public_id=actor.id).values_list("pseudonym", flat=True)]

    def shown_names(self, principals: Iterable[str]) -> dict[str, str]:
        """Stored principal to the name people know: user name, client id, `system:<name>`."""
        wanted = set(principals)
        pseudonyms = {text: found for text in wanted if (found := _uuid(text)) is not None}
        names: dict[Any, str] = dict(self.filter(pseudonym__in=pseudonyms.values()).values_list("pseudonym", "name"))
        shown = {text: text.removeprefix("agent:") for text in wanted}
        shown.update({text: names[found] for text, found in pseudonyms.items() if found in names})
        return shown


class SavedSearchQuerySet(models.QuerySet["SavedSearch"]):
    """Searches that somebody keeps."""

    def visible_to(self, actor: Actor) -> "SavedSearchQuerySet":
        """Own ones and shared ones of the log, for who may read it."""
        if not actor.may_somewhere(Permission.AUDIT_READ):
            return self.none()
        return self.of_list(actor, "log")

    def of_list(self, actor: Actor, listed: str) -> "SavedSearchQuerySet":
        """The actor's own and shared ones of one list; whether they may read that list is the caller's to ask."""
        mine = apps.get_model("audit", "Subject").objects.standing_for(actor)
        return self.filter(Q(shared=True) | Q(owner__in=mine), listed=listed)

    def by_name(self) -> "SavedSearchQuerySet":
        """In the order of their names."""
        return self.order_by("name", "id")

    def one(self, search_id: UUID) -> "SavedSearch":
        """The search with this public id. Raises `NotFound`."""
        search = self.filter(public_id=search_id).first()
        if search is None:
            raise NotFound("There is no such search.")
        return search

    def locked(self, search_id: UUID) -> "SavedSearch":
        """The same, its row locked for this transaction. Raises `NotFound`."""
        return self.select_for_update().one(search_id)


def _uuid(text: str) -> UUID | None:
    if ":" in text:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None
