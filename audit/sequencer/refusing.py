"""When nothing is signed, and how people hear of it: log, webhooks, figures, and a record where one can be."""

import logging
import queue
import threading
import time
from datetime import timedelta
from enum import StrEnum
from typing import Final

from django.db import DatabaseError, transaction
from django.utils import timezone

from audit import services
from audit.events import Event, RecordType
from audit.models import Record
from audit.sinks.base import Message
from core.actor import system_actor

logger = logging.getLogger(__name__)
SYSTEM: Final = system_actor("sequencer")
_AGAIN: Final = 3600.0  # seconds after which the same alarm is told again


class RefusalCode(StrEnum):
    """Why."""

    ALTERED = "altered"
    FORGED = "forged"
    GAP = "gap"
    NO_STATE = "no_state"
    OTHER_KEY = "other_key"
    OTHER_ORIGIN = "other_origin"
    SHORTER = "shorter"
    STATE_UNWRITABLE = "state_unwritable"
    UNREADABLE = "unreadable"


class Refused(Exception):
    """The log contradicts what was signed last, or nobody can tell: nothing is placed or signed."""

    def __init__(self, code: RefusalCode, sentence: str) -> None:
        self.code = code
        super().__init__(sentence)


class Alarms:
    """What is wrong, told once an hour each. `waiting` is what goes to the webhooks."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._told: dict[str, float] = {}
        self._telling = threading.Lock()  # the publisher's thread sounds alarms too
        self.waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def sound(self, kind: str, about: str, sentence: str) -> bool:
        """Whether it is news."""
        now = time.monotonic()
        with self._telling:
            if self._told.get(f"{kind} {about}", -_AGAIN) + _AGAIN > now:
                return False
            self._told[f"{kind} {about}"] = now
        logger.error("%s: %s", kind, sentence)
        self.waiting.put(Message(kind=kind, data={"origin": self._origin, "about": about, "sentence": sentence}))
        return True

    def held(self, about: str, sentence: str) -> None:
        """A record that must not be placed."""
        self.sound("audit.held", about, sentence)

    def over(self, kind: str) -> None:
        """What was wrong is right again; the next time is news."""
        with self._telling:
            self._told = {key: at for key, at in self._told.items() if not key.startswith(f"{kind} ")}

    def refused(self, refusal: Refused) -> None:
        """Nothing is signed."""
        if self.sound(Event.CHECKPOINT_REFUSED.value, refusal.code.value, str(refusal)):
            _record(self._origin, refusal)


def _record(origin: str, refusal: Refused) -> None:
    """On record as well, unless the last hour has it: a process that starts again and again writes one."""
    said = Record.objects.filter(type=RecordType.CHECKPOINT.value, event=Event.CHECKPOINT_REFUSED.value)
    try:
        with transaction.atomic():
            if said.filter(time__gt=timezone.now() - timedelta(hours=1), reason=str(refusal)).exists():
                return
            services.record(
                type=RecordType.CHECKPOINT,
                event=Event.CHECKPOINT_REFUSED,
                actor=SYSTEM,
                reason=str(refusal),
                after={"origin": origin, "code": refusal.code.value},
            )
    except DatabaseError as error:
        kind = type(error).__name__
        logger.error("the refusal could not be recorded: %s", kind)  # noqa: TRY400 -- its text may quote the row
