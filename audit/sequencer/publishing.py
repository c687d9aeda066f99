"""Telling places outside what was signed: each has a cursor, gets every checkpoint in order, and waits for nobody."""

import queue
from base64 import b64encode
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Final

from django.utils import timezone

from audit.models import Anchor, Checkpoint
from audit.sequencer.refusing import Alarms
from audit.sinks.base import Message, Sink, Undelivered

_BATCH: Final = 20
_BATCHES: Final = 10  # of one place in a round
_FIRST_WAIT: Final = timedelta(seconds=2)
_DOUBLINGS: Final = 7  # 2 s to about 4 minutes
_PATIENCE: Final = timedelta(minutes=5)


class Publisher:
    """Sends what is due. It may run in a thread of its own."""

    def __init__(self, anchors: Sequence[Sink], alarms: Alarms, alarm_sinks: Sequence[Sink]) -> None:
        self._anchors = anchors
        self._alarms = alarms
        self._alarm_sinks = alarm_sinks

    def publish(self) -> None:
        """One round: alarms first, for they need no database."""
        self.sound_alarms()
        for sink in self._anchors:
            self._catch_up(sink)

    def sound_alarms(self) -> None:
        """Send what is wrong, once; the log has it as well."""
        messages = []
        while True:
            try:
                messages.append(self._alarms.waiting.get_nowait())
            except queue.Empty:
                break
        for sink in self._alarm_sinks if messages else ():
            try:
                sink.send(messages)
            except Undelivered as error:
                self._alarms.sound("alarm.failing", sink.name, f"{sink.name} was not told of an alarm: {error}")

    def _catch_up(self, sink: Sink) -> None:
        anchor = _anchor(sink.name)
        for _ in range(_BATCHES):
            if anchor.next_attempt_at > timezone.now():
                return
            rows = list(Checkpoint.objects.filter(pk__gt=anchor.position).order_by("pk")[:_BATCH])
            if not rows:
                return
            try:
                sink.send([message(row) for row in rows])
            except Undelivered as error:
                self._failed(anchor, str(error))
            else:
                _moved(anchor, rows[-1].pk)

    def _failed(self, anchor: Anchor, sentence: str) -> None:
        now = timezone.now()
        anchor.failing_since = anchor.failing_since or now
        anchor.failures += 1
        anchor.next_attempt_at = now + _FIRST_WAIT * 2 ** min(anchor.failures - 1, _DOUBLINGS)
        anchor.last_error = sentence
        anchor.save(update_fields=["failing_since", "failures", "next_attempt_at", "last_error"])
        if now - anchor.failing_since >= _PATIENCE:
            self._alarms.sound("anchor.failing", anchor.name, f"{anchor.name} gets no checkpoints: {sentence}")


def message(row: Checkpoint) -> Message:
    """What is told of a checkpoint; the same each time."""
    data = {
        "origin": row.origin,
        "size": row.size,
        "root": b64encode(bytes(row.root)).decode(),
        "note": row.note,
    }
    return Message("checkpoint.signed", data, row.signed_at, f"checkpoint_{sha256(row.note.encode()).hexdigest()[:32]}")


def _anchor(name: str) -> Anchor:
    """The place's cursor. A new one begins with the newest checkpoint: those before it are in that one."""
    newest = Checkpoint.objects.order_by("-pk").values_list("pk", flat=True).first()
    defaults = {"position": (newest or 1) - 1, "next_attempt_at": timezone.now()}
    anchor, _made = Anchor.objects.get_or_create(name=name, defaults=defaults)
    return anchor


def _moved(anchor: Anchor, position: int) -> None:
    """Never back: another host may have sent more meanwhile."""
    now = timezone.now()
    Anchor.objects.filter(pk=anchor.pk, position__lt=position).update(
        position=position, arrived_at=now, failing_since=None, failures=0, next_attempt_at=now, last_error=""
    )
    anchor.position, anchor.failing_since, anchor.failures = position, None, 0
