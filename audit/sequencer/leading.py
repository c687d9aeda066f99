"""One leader: a lock that its session holds, and a row per leadership, so that one who stood still notices."""

import os
import socket
from typing import Final

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from audit.models import Epoch
from audit.placement import lead

_LOCK: Final = 0x486F6C6464_0003  # advisory lock: the session of the sequencer that leads
# A host that lost its power says no goodbye: its session, and the lock with it, would live on for hours.
_KEEPALIVE: Final = """
SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false),
    set_config('tcp_keepalives_count', '3', false)
"""


class LostLeadership(Exception):
    """Another sequencer leads by now; nothing of this was written."""


class Leadership:
    """Of this process; `epoch` is 0 while it does not lead."""

    def __init__(self) -> None:
        self.epoch = 0

    def take(self) -> bool:
        """Whether we lead now. The row is written under the lock that every writing leader holds."""
        if not _asked("pg_try_advisory_lock"):
            return False
        with connection.cursor() as cursor:
            cursor.execute(_KEEPALIVE)
        with transaction.atomic():
            if lead():
                epoch = Epoch(host=socket.gethostname(), process=f"pid {os.getpid()}", started_at=timezone.now())
                epoch.save(force_insert=True)
                self.epoch = epoch.pk
                return True
        _asked("pg_advisory_unlock")
        return False

    def confirm(self) -> None:
        """Inside a transaction that holds the lock: raises `LostLeadership` unless ours is the last row."""
        if not self.epoch or Epoch.objects.aggregate(last=Max("id"))["last"] != self.epoch:
            raise LostLeadership(f"epoch {self.epoch} is over")

    def give_up(self) -> None:
        """Let another lead."""
        if self.epoch:
            self.epoch = 0
            _asked("pg_advisory_unlock")

    def forget(self) -> None:
        """The session is gone, and the lock with it."""
        self.epoch = 0


def _asked(function: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])
