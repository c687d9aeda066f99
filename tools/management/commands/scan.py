"""Scan definitions or configurations of MCP servers (docs/scanning.md). Needs no database and no other process."""

import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from tools.scanner.batch import answers
from tools.scanner.definitions import FILE_MAX, Target, Unusable, beside_each_other, targets
from tools.scanner.outcomes import RISKS, Outcome, as_json, outcomes, reaches
from tools.scanner.sarif import sarif
from tools.scanner.table import printable, table

FINDINGS, UNUSABLE = 1, 2
_STREAM: Final = "-"
_ENDS: Final = """\
ends with:
  0  nothing has the risk of --fail-on or more
  1  something has
  2  the input is not what can be scanned, or something was not read to the end (HF-000)
--batch ends with 0 once every line is answered; each answer says what is the matter with its line.
"""
FORMATS: Final[Mapping[str, Callable[[Sequence[Outcome]], str]]] = {
    "table": table,
    "json": lambda found: json.dumps(as_json(found), indent=1) + "\n",
    "sarif": lambda found: json.dumps(sarif(found), indent=1) + "\n",
}


class Command(BaseCommand):
    """`manage.py scan FILE...` and `manage.py scan --batch -`."""

    help = "Scan definitions of MCP servers, or an mcp.json, for what poisons an agent."
    requires_system_checks = ()
    requires_migrations_checks = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Say what the exit codes mean."""
        parser = super().create_parser(prog_name, subcommand, epilog=_ENDS, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare files and options."""
        parser.add_argument(
            "files", nargs="*", metavar="FILE", help="definitions or a configuration, as JSON; - reads standard input"
        )
        parser.add_argument("--batch", choices=[_STREAM], help="answer each line of standard input with a line (JSON)")
        parser.add_argument("--format", choices=list(FORMATS), default="table")
        parser.add_argument(
            "--fail-on", choices=RISKS[1:], default="high", help="the risk that ends with 1 (default: high)"
        )
        parser.add_argument("--server", default="", help="whose definitions they are, where the file does not say")

    def handle(self, *, files: list[str], batch: str | None, server: str, fail_on: str, **options: Any) -> None:
        """Scan, print, end as `--help` says."""
        if batch:
            return _answer_all(files)
        if not files:
            raise CommandError("Name a file, or --batch -.", returncode=UNUSABLE)
        found = outcomes(beside_each_other([target for path in files for target in _read(path, server)]))
        self.stdout.write(FORMATS[options["format"]](found), ending="")
        if not all(outcome.is_complete for outcome in found):
            sys.exit(UNUSABLE)
        if reaches(found, fail_on):
            sys.exit(FINDINGS)
        return None


def _answer_all(files: Sequence[str]) -> None:
    if files:
        raise CommandError("--batch reads standard input, no files.", returncode=UNUSABLE)
    try:
        for line in answers(sys.stdin.buffer.readline):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has gone; Python would complain again while it ends.
        sys.stdout = None


def _read(path: str, server: str) -> tuple[Target, ...]:
    try:
        if path == _STREAM:
            return targets("stdin", sys.stdin.buffer.read(FILE_MAX + 1), server=server)
        with open(path, "rb") as stream:  # noqa: PTH123 -- a path of the shell, an odd one too
            return targets(path, stream.read(FILE_MAX + 1), server=server)
    except OSError as error:
        raise CommandError(f"{printable(path)}: {error.strerror}", returncode=UNUSABLE) from None
    except (Unusable, ValueError) as error:
        raise CommandError(f"{printable(path)}: {printable(str(error))}", returncode=UNUSABLE) from None
