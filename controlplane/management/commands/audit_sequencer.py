"""The audit log's sequencer: places records, signs checkpoints, sends them out (docs/operations/sequencer.md)."""

import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.sequencer import Refused, Service, Setup, adopt, begin_anew
from controlplane.env import SettingError
from controlplane.sequencing import setup_from_environment


class Command(BaseCommand):
    """`manage.py audit_sequencer`, until a signal ends it."""

    help = "Place, sign and publish the audit log. One of several such processes leads, the others wait."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what is done instead of running."""
        instead = parser.add_mutually_exclusive_group()
        instead.add_argument("--once", action="store_true", help="one round, then end; fails when it is refused")
        instead.add_argument("--vkey", action="store_true", help="print the keys that verify checkpoints")
        instead.add_argument("--adopt", type=Path, metavar="FILE", help="go on from the checkpoint in this file")
        instead.add_argument("--begin-anew", action="store_true", help="begin another log under a new AUDIT_ORIGIN")

    def handle(self, *, once: bool, vkey: bool, adopt: Path | None, begin_anew: bool, **_options: Any) -> None:
        """Do what was asked for."""
        try:
            setup = setup_from_environment()
            if vkey:
                self.stdout.write("\n".join(str(key) for key in setup.verifiers))
            elif adopt is not None:
                self._adopt(setup, adopt)
            elif begin_anew:
                self._begin_anew(setup)
            elif once:
                self._once(setup)
            else:
                self._run(setup)
        except (SettingError, Refused) as error:
            raise CommandError(str(error)) from error

    def _run(self, setup: Setup) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        names = ", ".join([str(setup.state.log), *(sink.name for sink in setup.anchors)])
        self.stdout.write(f"log {setup.origin}, checkpoints go to {names}")
        self.stdout.write("the sequencer is ready.")
        Service(setup, stop).run()

    def _once(self, setup: Setup) -> None:
        if not Service(setup, threading.Event()).once():
            raise CommandError("Nothing was signed: refused (the log above says why), or another sequencer leads.")

    def _adopt(self, setup: Setup, file: Path) -> None:
        try:
            note = file.read_bytes()
        except OSError as error:
            raise CommandError(f"'{file}' cannot be read: {error.strerror}") from error
        self.stdout.write(f"goes on from the checkpoint of {adopt(setup, note).size} records")

    def _begin_anew(self, setup: Setup) -> None:
        self.stdout.write(f"the log {setup.origin} begins with {begin_anew(setup).size} records")
