"""Telling places outside what was signed: each gets every line of the append-only file, in order, and waits for nobody.

Neither what is sent nor how far a place has come stands in the database: who can write there cannot keep a checkpoint
from leaving.
"""

import json
import queue
import time
from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Final

from audit.proof.checkpoint import Checkpoint, parse_checkpoint
from audit.proof.note import NoteError, parsed
from audit.sequencer.refusing import Alarms
from audit.sequencer.setup import Setup
from audit.sequencer.state import Cursor
from audit.sinks.base import Message, Sink, Undelivered

_BATCH: Final = 20
_BATCHES: Final = 10  # of one place in a round
_FIRST_WAIT: Final = 2.0  # seconds, doubled with each failure
_DOUBLINGS: Final = 7  # to about 4 minutes
_PATIENCE: Final = 300.0  # seconds of failing before it is an alarm


@dataclass(slots=True)
class _Failing:
    since: float
    times: int = 0
    again_at: float = 0.0


class Publisher:
    """Sends what is due. It needs no database, and may run in a thread of its own."""

    def __init__(self, setup: Setup, alarms: Alarms) -> None:
        self._setup = setup
        self._alarms = alarms
        self._failing: dict[str, _Failing] = {}
        self.cursors = setup.state.cursors()

    def publish(self) -> None:
        """One round."""
        self.sound_alarms()
        for sink in self._setup.anchors:
            self._catch_up(sink)

    def sound_alarms(self) -> None:
        """Send what is wrong, once; the log has it as well."""
        messages = []
        while True:
            try:
                messages.append(self._alarms.waiting.get_nowait())
            except queue.Empty:
                break
        for sink in self._setup.alarms if messages else ():
            try:
                sink.send(messages)
            except Undelivered as error:
                self._alarms.sound("alarm.failing", sink.name, f"{sink.name} was not told of an alarm: {error}")

    def _catch_up(self, sink: Sink) -> None:
        if sink.name not in self.cursors:
            # A new place begins with the newest: those before it are in that one.
            self.cursors[sink.name] = Cursor(self._setup.state.last_line())
        for _ in range(_BATCHES):
            failing = self._failing.get(sink.name)
            if (failing and failing.again_at > time.monotonic()) or not self._send_some(sink):
                return

    def _send_some(self, sink: Sink) -> bool:
        """Whether there was something, and it arrived."""
        cursor = self.cursors[sink.name]
        lines, beyond = self._setup.state.lines(cursor, _BATCH)
        if not lines:
            return False
        said = [found for line in lines if (found := _said(line)) is not None and not _has(cursor, found[0])]
        try:
            if said:
                sink.send([message for _, message in said])
        except Undelivered as error:
            self._failed(sink, str(error))
            return False
        self._failing.pop(sink.name, None)
        last = said[-1][0] if said else cursor
        self.cursors[sink.name] = replace(beyond, origin=last.origin, size=last.size)
        self._setup.state.keep_cursors(self.cursors)
        return True

    def _failed(self, sink: Sink, sentence: str) -> None:
        now = time.monotonic()
        failing = self._failing.setdefault(sink.name, _Failing(now))
        failing.again_at = now + _FIRST_WAIT * 2 ** min(failing.times, _DOUBLINGS)
        failing.times += 1
        if now - failing.since >= _PATIENCE:
            self._alarms.sound("anchor.failing", sink.name, f"{sink.name} gets no checkpoints: {sentence}")


def _has(cursor: Cursor, checkpoint: Checkpoint) -> bool:
    """Whether the place has it: after the file was begun again its lines can be met twice."""
    return checkpoint.origin == cursor.origin and checkpoint.size <= cursor.size


def _said(line: bytes) -> tuple[Checkpoint, Message] | None:
    """What is told of a line, the same each time. None for the half line that a crash left."""
    try:
        said = json.loads(line)
        note, moment = said["note"], datetime.fromisoformat(said["time"])
        checkpoint = parse_checkpoint(parsed(note.encode()).text)
    except (ValueError, KeyError, TypeError, AttributeError, NoteError):
        return None
    data = {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": b64encode(checkpoint.root).decode(),
        "note": note,
    }
    name = f"checkpoint_{sha256(note.encode()).hexdigest()[:32]}"
    return checkpoint, Message("checkpoint.signed", data, moment, name)
