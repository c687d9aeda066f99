"""Calls that ended with their gateway process: an intent without an end becomes `call.unknown`.

A process is taken for dead when nobody held its boot's lock for `GRACE`; one that lives on opens a lost connection
again within a second or two, and one that stands still keeps it. Whoever takes it for dead holds that lock exclusively
in the transaction that says so: from then on nothing more can be written in the boot's name.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from audit.drafts import RecordDraft
from audit.events import Event, RecordType
from audit.models import Boot, Record, Writer
from audit.services.recording import record_drafts

GRACE: Final = timedelta(seconds=15)  # with a look every ten seconds, dead is found within 35
LOST: Final = "the gateway process ended before the outcome was on record"
_LEADER: Final = 0x486F6C6464_0002  # advisory lock: the one who reconciles
_ITSELF: Final = "system:reconciler"
_PAGE: Final = 1000  # records of one look back
_MOST: Final = 2000  # calls of one transaction
_LOOK: Final = """
    WITH looked AS MATERIALIZED (
        SELECT id, pg_try_advisory_xact_lock(audit_boot_key(id)) AS is_free FROM audit_boot WHERE ended_at IS NULL)
    UPDATE audit_boot AS boot SET
        missed_at = CASE WHEN is_free THEN coalesce(missed_at, now()) END,
        ended_at = CASE WHEN is_free AND missed_at < now() - make_interval(secs => %s) THEN now() END
    FROM looked WHERE looked.id = boot.id AND (is_free OR missed_at IS NOT NULL)
"""
_SAID: Final = (
    "call_id", "parent_call_id", "principal", "agent", "token_id", "server", "method", "kind", "tool", "tool_hash",
    "subject", "owner_team", "environment", "policy_digest", "client_ip", "trace_id",
)  # fmt: skip


def reconcile_unfinished() -> int:
    """Look who is dead, and record how the calls of the dead ended; answers how many. 0 while another one does it."""
    with transaction.atomic():
        if not _lead():
            return 0
        with connection.cursor() as cursor:
            cursor.execute(_LOOK, [GRACE.total_seconds()])
    dead = Boot.objects.filter(ended_at__isnull=False, reconciled_at__isnull=True).order_by("started_at")
    return sum(_reconcile(boot) for boot in dead)


def _reconcile(boot: Boot) -> int:
    count = 0
    while (found := _reconcile_some(boot)) is not None:
        count += found
    return count


def _reconcile_some(boot: Boot) -> int | None:
    """One transaction; None when nothing of the boot is left, or another process leads."""
    with transaction.atomic():
        if not _lead():
            return None
        ids = _unended(boot)[:_MOST]
        if not ids:
            Boot.objects.filter(pk=boot.pk).update(reconciled_at=timezone.now())
            return None
        intents = Record.objects.filter(shard__in={shard for shard, _ in ids}, id__in=[id_ for _, id_ in ids])
        now = timezone.now()
        record_drafts([_unknown(intent, now) for intent in intents.order_by("shard", "id")])
        return len(ids)


def _lead() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LEADER])
        return bool(cursor.fetchone()[0])


def _unended(boot: Boot) -> list[tuple[int, UUID]]:
    """Shard and id of each intent of the boot's calls that has no end."""
    intents = dict(_of_open_calls(boot.open_calls))
    for shard, writer in Writer.objects.filter(boot=boot.pk).values_list("shard", "id"):
        intents.update(_after_the_mark(shard, writer, boot.mark))
    open_: dict[UUID, tuple[int, UUID]] = dict(intents)
    ends = Record.objects.filter(call_id__in=list(open_), type=RecordType.OUTCOME.value)
    over = set(ends.values_list("call_id", flat=True)) | _running_elsewhere()
    return sorted(place for call, place in open_.items() if call not in over)


def _running_elsewhere() -> set[UUID]:
    """Calls that a boot which is not dead has open: a process that gave up a boot, or came back, goes on with them.

    Should that boot end as well, they are found among its own open calls.
    """
    return set(chain.from_iterable(Boot.objects.filter(ended_at=None).values_list("open_calls", flat=True)))


def _of_open_calls(calls: Iterable[UUID]) -> Iterator[tuple[UUID, tuple[int, UUID]]]:
    found = Record.objects.filter(call_id__in=list(calls), event=Event.CALL_INTENDED.value)
    for call, shard, id_ in found.values_list("call_id", "shard", "id"):
        if call is not None:
            yield call, (shard, id_)


def _after_the_mark(shard: int, writer: UUID, mark: UUID | None) -> Iterator[tuple[UUID, tuple[int, UUID]]]:
    """Intents of the end of a writer's sequence, backwards until everything is older than the mark."""
    of_writer = Record.objects.filter(shard=shard, writer=writer).order_by("-seq")
    below: int | None = None
    while True:
        older = of_writer if below is None else of_writer.filter(seq__lt=below)
        page = list(older.values_list("seq", "id", "event", "call_id")[:_PAGE])
        for _, id_, event, call in page:
            if event == Event.CALL_INTENDED.value and call is not None:
                yield call, (shard, id_)
        if len(page) < _PAGE or (mark is not None and page[-1][1] < mark):
            return
        below = page[-1][0]


def _unknown(intent: Record, now: datetime) -> RecordDraft:
    said = {name: getattr(intent, name) for name in _SAID}
    return RecordDraft(
        **said,
        type=RecordType.OUTCOME,
        event=Event.CALL_UNKNOWN,
        time=now,
        actor=_ITSELF,
        rule_ids=tuple(intent.rule_ids),
        scopes_used=tuple(intent.scopes_used),
        decision="allowed",
        status="unknown",
        reason=LOST,
    )
