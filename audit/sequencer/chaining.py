"""The end of the time in which records without a MAC are placed: the record `log.chained`, written once."""

import time
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from audit import services
from audit.events import Event, RecordType
from audit.models import Checkpoint, Record
from audit.placement import Judge, Placer, is_chained
from audit.sequencer.refusing import SYSTEM

QUIET: Final = 3600.0  # seconds without such a record, after which nobody of the release before writes any more
AT_LATEST: Final = timedelta(days=7)  # after the first checkpoint: nobody keeps the door open by writing through it


class Boundary:
    """Watches for records without a MAC."""

    def __init__(self, placer: Placer) -> None:
        self._placer = placer
        self._bare = 0
        self._quiet_since: float | None = None

    def look(self) -> bool:
        """Write the record if the time has come. Whether it is written."""
        if self._placer.is_chained:
            return True
        now = time.monotonic()
        if self._quiet_since is None:
            # Where no record is without a MAC nobody has to wait.
            self._quiet_since = now if Record.objects.filter(mac=None).exists() else now - QUIET
        if self._placer.bare > self._bare:
            self._bare, self._quiet_since = self._placer.bare, now
        if now - self._quiet_since >= QUIET or _is_late():
            self._placer.is_chained = draw_boundary(self._placer.judge)
        return self._placer.is_chained


def draw_boundary(judge: Judge) -> bool:
    """Record that every record has a MAC from now on; only where our own have one."""
    with transaction.atomic():
        services.record(type=RecordType.CHECKPOINT, event=Event.LOG_CHAINED, actor=SYSTEM)
        if is_chained(judge):
            return True
        transaction.set_rollback(True)
        return False


def _is_late() -> bool:
    first = Checkpoint.objects.order_by("id").values_list("signed_at", flat=True).first()
    return first is not None and timezone.now() - first >= AT_LATEST
