"""The process: places five times a second, signs every five seconds, publishes in a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from django.db import DatabaseError, connection

from audit import services
from audit.sequencer.figures import figures
from audit.sequencer.publishing import Publisher
from audit.sequencer.running import Sequencer
from audit.sequencer.setup import Setup

logger = logging.getLogger(__name__)
_PLACE: Final = 0.2  # seconds between two looks
_SIGN: Final = 5.0
_PUBLISH: Final = 1.0
_BOUNDARY: Final = 10.0
_RECONCILE: Final = 10.0
_DATABASE_PATIENCE: Final = 15.0
_PUBLISHER_PATIENCE: Final = 10.0


class _Every:
    """Says once an interval that it is time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def due(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


class Service:
    """Runs until `stop` is set. Beat asks for the reconciler as well: here it needs no broker."""

    def __init__(self, setup: Setup, stop: threading.Event) -> None:
        self._setup = setup
        self._stop = stop
        self._sequencer = Sequencer(setup)
        self._publisher = Publisher(setup, self._sequencer.alarms)
        self._signs, self._boundary, self._reconciles = _Every(_SIGN), _Every(_BOUNDARY), _Every(_RECONCILE)
        self._away_since: float | None = None

    def run(self) -> None:
        """Until told to stop; then lets another lead."""
        thread = threading.Thread(target=self._publish, name="publisher", daemon=True)
        thread.start()
        try:
            while not self._stop.wait(_PLACE):
                self._guarded(self.round)
            self._guarded(self._finish)
        finally:
            self._guarded(self._sequencer.close)
            connection.close()
            thread.join(_PUBLISHER_PATIENCE)

    def round(self) -> None:
        """One look at what waits, and what is due besides."""
        self._sequencer.place()
        if self._signs.due():
            self._sequencer.sign()
            self._tell()
        if self._boundary.due():
            self._sequencer.draw_boundary()
        if self._reconciles.due():
            services.reconcile_unfinished()

    def _finish(self) -> None:
        """What was recorded until now is signed before we go."""
        self._sequencer.place()
        self._sequencer.sign()
        self._tell()

    def once(self) -> bool:
        """One round with everything in it, for tests and scripts. Whether it led and nothing was refused."""
        try:
            self._sequencer.place()
            self._sequencer.draw_boundary()
            self._sequencer.place()
            self._sequencer.sign()
            self._publisher.publish()
            self._tell()
            return self._sequencer.tree is not None
        finally:
            self._sequencer.close()

    def _publish(self) -> None:
        while not self._stop.wait(_PUBLISH):
            try:
                self._publisher.publish()
            except OSError as error:
                logger.warning("checkpoints wait to be sent: %s", error.strerror)
            except Exception as error:
                # The thread's edge: were it to end here, nobody would notice that no checkpoint leaves any more.
                logger.exception("checkpoints could not be sent")
                sentence = f"checkpoints cannot be sent: {type(error).__name__}"
                self._sequencer.alarms.sound("anchor.failing", "", sentence)

    def _guarded(self, step: Callable[[], object]) -> None:
        """A database that is away is waited for; anything else ends the process, which is then started again."""
        try:
            step()
        except DatabaseError as error:
            now = time.monotonic()
            self._away_since = self._away_since or now
            if now - self._away_since >= _DATABASE_PATIENCE:
                sentence = f"the database does not answer: {type(error).__name__}"
                self._sequencer.alarms.sound("database.away", "", sentence)
            logger.warning("the database refused a step: %s", type(error).__name__)
            self._sequencer.forget()
            connection.close()
            self._stop.wait(1.0)
        else:
            self._away_since = None

    def _tell(self) -> None:
        try:
            self._setup.state.tell("sequencer.prom", figures(self._sequencer, self._publisher.cursors))
        except OSError as error:
            logger.warning("the figures could not be written: %s", error.strerror)
