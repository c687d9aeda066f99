"""Verify the database's log (docs/audit.md)."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.proof.checkpoint import open_checkpoint
from audit.proof.note import NOTE_MAX, NoteError, VerifierKey
from audit.services import verify_log
from core.actor import system_actor

UNUSABLE = 2


class Command(BaseCommand):
    """`manage.py audit_verify --vkey VKEY --checkpoint FILE`; ends with 1 for findings, with 2 for errors."""

    help = "Hold the audit log against itself, its keys and checkpoints that were kept outside."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--vkey", action="append", default=[], help="verifier key of the checkpoints; repeatable")
        parser.add_argument("--checkpoint", action="append", default=[], type=Path, metavar="FILE", help="kept outside")
        parser.add_argument("--new", action="store_true", help="only what was placed since the last verification")

    def handle(self, *, vkey: list[str], checkpoint: list[Path], new: bool, **_options: Any) -> None:
        """Verify, and say what was found."""
        if checkpoint and (new or not vkey):
            raise CommandError("A checkpoint needs --vkey, and the whole log: not --new.", returncode=UNUSABLE)
        try:
            keys = [VerifierKey.parse(text) for text in vkey]
            points = [open_checkpoint(_read(path), keys) for path in checkpoint]
        except (NoteError, OSError) as error:
            raise CommandError(f"not verified: {error}", returncode=UNUSABLE) from error
        report = verify_log(actor=system_actor("host"), is_full=not new, checkpoints=points, vkeys=keys)
        for line in report.lines():
            self.stdout.write(line.encode("ascii", "backslashreplace").decode())
        if report.count:
            sys.exit(1)


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(NOTE_MAX + 1)
