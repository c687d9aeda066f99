"""Write the documents that are made from code, or check that the committed ones are current."""

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from drf_spectacular.validation import validate_schema

from controlplane import env, matrix, sequencing
from controlplane.openapi import document
from tools.scanner import rulebook

_SETTINGS_INTRODUCTION = """\
# Settings

Generated from the declarations in `controlplane/settings.py` by `./dev manage generate_docs`; do not edit.

Every value comes from the environment. A secret may also come from a file: set `NAME_FILE` to its path, which then
wins over `NAME`. A value that is missing or malformed stops the start with a sentence.

| variable | default | secret | purpose |
|---|---|---|---|
"""
_SEQUENCER_INTRODUCTION = """
## The sequencer

Read by `manage.py audit_sequencer` alone ([operations/sequencer.md](operations/sequencer.md)); give them to no other
process.

| variable | default | secret | purpose |
|---|---|---|---|
"""


def settings_reference() -> str:
    """The table of all environment variables."""
    return _SETTINGS_INTRODUCTION + _rows(env.DECLARED) + _SEQUENCER_INTRODUCTION + _rows(sequencing.DECLARED)


def _rows(declared: Mapping[str, env.Declaration]) -> str:
    rows = [
        f"| `{item.name}` | {_shown(item.default)} | {'yes' if item.secret else ''} | {item.purpose} |"
        for item in sorted(declared.values(), key=lambda item: item.name)
    ]
    return "\n".join(rows) + "\n"


def _shown(default: str) -> str:
    if default == "required":
        return "**required**"
    return f"`{default}`" if default else ""


def openapi() -> str:
    """The API's description in OpenAPI 3.1."""
    text = document("yaml").decode()
    validate_schema(yaml.safe_load(text))
    return text


# Path below the checkout -> its maker. Another generated document is another line here.
DOCUMENTS: Final[dict[str, Callable[[], str]]] = {
    "docs/openapi.yaml": openapi,
    "docs/rules.md": rulebook.document,
    "docs/security/permissions.md": matrix.document,
    "docs/settings.md": settings_reference,
}


class Command(BaseCommand):
    """`manage.py generate_docs [--check]`."""

    help = "Write the generated documents; with --check, fail when a committed one is not current."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare `--check`."""
        parser.add_argument("--check", action="store_true", help="write nothing, fail when something would change")

    def handle(self, *, check: bool, **_options: Any) -> None:
        """Write or compare each document."""
        root = Path(settings.BASE_DIR)
        stale = [name for name, make in DOCUMENTS.items() if not _is_current(root / name, make(), write=not check)]
        if check and stale:
            raise CommandError(f"Not current: {', '.join(stale)}. Run: ./dev manage generate_docs")
        self.stdout.write(
            f"{len(DOCUMENTS)} documents are current" if check else f"written: {', '.join(stale) or 'none'}"
        )


def _is_current(path: Path, wanted: str, *, write: bool) -> bool:
    current = path.exists() and path.read_text(encoding="utf-8") == wanted
    if write and not current:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted, encoding="utf-8")
    return current
