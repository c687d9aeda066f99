"""Reading the audit log by its placement index and raising or resolving alerts for what it says.

The cursor's row is locked for the batch, and moves in the transaction that holds the batch's consequences: a second
follower skips, a crashed one is repeated whole.
"""

import time
from datetime import datetime
from typing import Final
from uuid import UUID

from django.apps import apps
from django.db import transaction
from django.db.models import Q

from alerts.models import Alert, Cursor
from alerts.rules import (
    COMES_AND_GOES,
    FOLLOWED,
    GATHERED,
    ITSELF,
    OF_A_SERVER,
    OPENED_AGAIN_WITHIN,
    SEVERITY,
    AlertKind,
    AlertState,
    Ending,
    Fact,
    alert_key,
    ended_kinds,
    may_open_again,
    raised_kind,
)
from alerts.services.messages import announce, take_back
from audit.events import Event
from audit.models import Leaf, Record
from tools.classify import ChangeClass
from tools.rules import POLLER

_NAME: Final = "alerts"
_BATCH: Final = 500


def follow_records(*, seconds: float = 5.0) -> int:
    """Follow the log for at most about `seconds`; answers how many places were read."""
    deadline = time.monotonic() + seconds
    Cursor.objects.get_or_create(name=_NAME)
    read = 0
    while time.monotonic() < deadline:
        count = _follow_batch()
        if not count:
            break
        read += count
    return read


def _follow_batch() -> int:
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update(skip_locked=True).filter(name=_NAME).first()
        if cursor is None:
            return 0
        leaves = list(Leaf.objects.after(cursor.index)[:_BATCH])
        if not leaves:
            return 0
        records = _followed(leaves)
        for leaf in leaves:
            record = records.get((leaf.shard, leaf.record_id))
            if record is not None:
                _apply(record)
        cursor.index = leaves[-1].index
        cursor.save(update_fields=["index"])
        return len(leaves)


def _followed(leaves: list[Leaf]) -> dict[tuple[int, UUID], Record]:
    found = Record.objects.filter(
        shard__in={leaf.shard for leaf in leaves},
        id__in=[leaf.record_id for leaf in leaves],
        event__in=[event.value for event in FOLLOWED],
    )
    return {(record.shard, record.id): record for record in found}


def _apply(record: Record) -> None:
    fact = _fact(record)
    kind = raised_kind(fact)
    if kind is not None:
        _raise_alert(kind, fact, record)
    for alert in _ended(fact):
        _resolve(alert, record)


def _fact(record: Record) -> Fact:
    after = record.after if isinstance(record.after, dict) else {}
    return Fact(
        event=Event(record.event),
        subject=record.subject,
        server=record.server,
        # A pin's record names what was pinned; what the server shows, which an alert is about, is something else.
        digest="" if record.event == Event.PIN_SET.value else record.tool_hash,
        actor=record.actor,
        is_closing=after.get("state") != "waiting",
        vantage=str(after.get("vantage", POLLER)),
        error_class=str(after.get("error_class", "")),
        is_approved=after.get("approved") is True,
    )


def _raise_alert(kind: AlertKind, fact: Fact, record: Record) -> None:
    key = alert_key(kind, fact)
    alert = Alert.objects.live().select_for_update().filter(key=key).first()
    if alert is not None:
        _count(alert, kind, fact, record)
        return
    ended = _to_open_again(kind, key, fact, record)
    if ended is not None:
        _open_again(ended, kind, fact, record)
        return
    alert = Alert.objects.create(
        kind=kind.value,
        severity=SEVERITY[kind],
        key=key,
        subject=f"server:{record.server}" if kind in GATHERED else record.subject,
        server=record.server,
        owner_team=record.owner_team,
        environment=record.environment,
        digest=fact.digest,
        reason=_why(record),
        caused_by=record.actor,
        time=record.time,
        last_time=record.time,
        record_id=record.id,
    )
    announce(alert, record)


def _count(alert: Alert, kind: AlertKind, fact: Fact, record: Record) -> None:
    """Count what happened once more while an alert is live."""
    # Another text than the one that was acknowledged is news; the same one again is only counted.
    is_news = _is_another_text(alert, kind, fact)
    alert.count += 1
    alert.last_time = max(alert.last_time, record.time)
    alert.digest, alert.reason = fact.digest or alert.digest, _why(record)
    if is_news:
        alert.state = AlertState.OPEN.value
    alert.save(update_fields=["count", "last_time", "digest", "reason", "state"])
    if is_news:
        announce(alert, record)


def _is_another_text(alert: Alert, kind: AlertKind, fact: Fact) -> bool:
    return kind is AlertKind.DRIFT and fact.digest not in ("", alert.digest)


def _to_open_again(kind: AlertKind, key: str, fact: Fact, record: Record) -> Alert | None:
    """The last alert of `key`, where it ended by itself just before, and whoever may see it may see this too."""
    of_key = Alert.objects.select_for_update().filter(server=record.server, kind=kind.value, key=key)
    last = of_key.order_by("-pk").first()
    if last is None or last.handled_at is None:
        return None
    if (last.owner_team, last.environment) != (record.owner_team, record.environment):
        return None
    ending = Ending(digest=last.digest, by=last.handled_by, reason=last.handled_reason, time=last.handled_at)
    return last if may_open_again(kind, ending, digest=fact.digest, time=record.time) else None


def _open_again(alert: Alert, kind: AlertKind, fact: Fact, record: Record) -> None:
    """Open a resolved alert again. A channel that was not told yet that it had ended is not told that it goes on."""
    is_news = _is_another_text(alert, kind, fact)
    alert.state, alert.count = AlertState.OPEN.value, alert.count + 1
    alert.handled_by, alert.handled_at, alert.handled_reason = "", None, ""
    alert.last_time = max(alert.last_time, record.time)
    alert.digest, alert.reason = fact.digest, _why(record)
    if _quiet_until(alert, record) is None:
        alert.reopened_at = record.time
    alert.save()
    unaware = take_back(alert)
    announce(alert, record, except_to=() if is_news else unaware)


def _quiet_until(alert: Alert, record: Record) -> datetime | None:
    """Until when channels hear nothing more of an alert that comes and goes."""
    until = None if alert.reopened_at is None else alert.reopened_at + OPENED_AGAIN_WITHIN
    return until if until is not None and record.time < until else None


def _why(record: Record) -> str:
    error = record.after.get("error") if isinstance(record.after, dict) else None
    return record.reason or (error if isinstance(error, str) else "")


def _ended(fact: Fact) -> list[Alert]:
    """The live alerts that `fact` puts an end to."""
    live = Alert.objects.live().select_for_update()
    ended: list[Alert] = []
    for kind in ended_kinds(fact):
        found = live.filter(kind=kind.value)
        if kind is AlertKind.REVIEW_WAITING and fact.event is not Event.SERVER_RETIRED and _waits(fact.server):
            continue
        by_server = kind in OF_A_SERVER or fact.event is Event.SERVER_RETIRED
        ended += found.filter(server=fact.server) if by_server else found.filter(subject=fact.subject)
    return ended


def _waits(server: str) -> bool:
    """Whether a definition of `server` waits for its first decision, or for one after its approval ran out.

    The tables know, the log only hints.
    """
    reviews = apps.get_model("tools", "Review").objects
    gathered = Q(base__isnull=True) | Q(change__contains=[ChangeClass.EXPIRED.value])
    here = reviews.filter(state="waiting", definition__present=True, definition__server__slug=server)
    waiting: bool = here.filter(gathered).exists()
    return waiting


def _resolve(alert: Alert, record: Record) -> None:
    alert.state = AlertState.RESOLVED.value
    alert.handled_by = ITSELF
    alert.handled_at = record.time
    alert.handled_reason = record.event
    alert.save(update_fields=["state", "handled_by", "handled_at", "handled_reason"])
    # Who hears last that it ended must not be wrong: what may be opened again has ended once it stays so.
    returns = record.event in COMES_AND_GOES
    announce(alert, record, not_before=_quiet_until(alert, record) if returns else None)
