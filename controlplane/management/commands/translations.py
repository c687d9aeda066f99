"""Gather every sentence that a person may be shown, and bring the catalogues in `locale/` up to it, or check them.

Without GNU gettext, which a fresh machine lacks: Babel reads the code, Django turns templates into what Babel reads. Of
errors and rules the English words themselves are gathered; pages translate them where they show them.
"""

import ast
import io
import re
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation.template import templatize

from controlplane.onboarding import pasted
from servers import problems as problems_seen
from servers.snippets import snippets
from tools import policies, presentation
from tools.scanner.rules import RULES

_PACKAGES: Final = ("core", "audit", "access", "servers", "tools", "alerts", "gateway", "controlplane")
_ONE: Final = ("_", "gettext", "gettext_lazy", "gettext_noop")
_MANY: Final = ("ngettext", "ngettext_lazy")
_MARKS: Final[Any] = {**dict.fromkeys(_ONE), **dict.fromkeys(_MANY, (1, 2))}
# What errors say in English, and as which argument.
_ERRORS: Final = {
    **dict.fromkeys(
        ("Invalid", "Conflict", "NotFound", "PermissionDenied", "Unprocessable", "Unavailable", "Refused"), 0
    ),
    **dict.fromkeys(("ObservationFailed", "ObservationProblem", "Refusal"), 1),
}
_PLACEHOLDER: Final = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\}")
_TAG: Final = re.compile(r"<[^>]*>")
# Of all catalogues: a date of today would be a change a day.
_BEGUN: Final = datetime(2026, 11, 29, tzinfo=UTC)
Text = str | tuple[str, str]  # one form, or singular and plural


def gathered() -> Catalog:
    """Every message of code, templates and tables."""
    catalog = Catalog()
    for message in (*_in_code(), *_in_templates(), *_in_tables()):
        catalog.add(message)
    return catalog


def _in_code() -> Iterator[Text]:
    for package in _PACKAGES:
        for path in sorted((Path(settings.BASE_DIR) / package).rglob("*.py")):
            if "migrations" not in path.parts:
                code = path.read_text(encoding="utf-8")
                yield from _marked(code)
                yield from _errors(code)


def _in_templates() -> Iterator[Text]:
    for path in sorted((Path(settings.BASE_DIR) / "templates").rglob("*.html")):
        code = templatize(path.read_text(encoding="utf-8"), origin=str(path))
        # What is no message has become blanks and letters; an indent would mean something to Python.
        yield from _marked("\n".join(line.strip() for line in code.splitlines()))


def _in_tables() -> list[Text]:
    return [
        *policies.SENTENCES.values(),
        *pasted.SENTENCES.values(),
        *problems_seen.SENTENCES.values(),
        *presentation.SENTENCES.values(),
        *(rule.title for rule in RULES),
        *(each.client for each in snippets("", "") if "," in each.client),  # the others are names
    ]


def _marked(code: str) -> Iterator[Text]:
    for _line, function, found, _notes in extract_python(io.BytesIO(code.encode()), _MARKS, [], {}):
        given: Any = found
        if function in _MANY and all(given[:2]):
            yield given[0], given[1]
        elif function in _ONE and given and isinstance(given, str):
            yield given


def _errors(code: str) -> Iterator[Text]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ERRORS:
            said = node.args[_ERRORS[node.func.id] :]
            sentence = _sentence(said[0]) if said else ""
            # Errors are made of codes and pieces, too.
            if " " in sentence.strip() and re.match(r"[A-Z{'\"]", sentence) and re.search(r"[a-z]{2} ", sentence):
                yield sentence


def _sentence(node: ast.expr) -> str:
    """The English of an error, `{}` for each value in it."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_sentence(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def renewed(old: Catalog, messages: Catalog) -> Catalog:
    """`old` with exactly `messages`: what is translated stays, what is new is empty, what is gone goes."""
    new = Catalog(
        locale=old.locale, project="Holdfast", version="1", copyright_holder="Holdfast", header_comment="",
        creation_date=_BEGUN, revision_date=_BEGUN, last_translator="Holdfast", language_team="Holdfast",
        msgid_bugs_address="", fuzzy=False,
    )  # fmt: skip
    for message in messages:
        if message.id:
            kept = old.get(message.id)
            flags = kept.flags & {"fuzzy"} if kept else set()
            string = kept.string if kept and isinstance(kept.id, tuple) == isinstance(message.id, tuple) else None
            new.add(message.id, string, flags=flags)
    return new


def problems(catalog: Catalog) -> list[str]:
    """What keeps a catalogue from being complete, a line for each message."""
    found = ((message, _problem(message)) for message in catalog if message.id)
    return [f"{message.id!r}: {problem}" for message, problem in found if problem]


def _problem(message: Message) -> str:
    ids, strings = _each(message.id), _each(message.string)
    if not all(strings):
        return "not translated"
    if message.fuzzy:
        return "fuzzy"
    for string in strings:
        for part in (_PLACEHOLDER, _TAG):
            # The singular may say its number in a word.
            if Counter(part.findall(string)) not in [Counter(part.findall(text)) for text in ids]:
                return f"{string!r} has other placeholders or tags"
    return ""


def _each(texts: Any) -> tuple[str, ...]:
    return texts if isinstance(texts, tuple) else (texts,)


def catalogues() -> list[Path]:
    """The catalogue of each language."""
    return sorted(Path(settings.LOCALE_PATHS[0]).glob("*/LC_MESSAGES/django.po"))


def read(path: Path) -> Catalog:
    """A catalogue as it is committed."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def written(catalog: Catalog) -> bytes:
    """A catalogue's text: by the alphabet and without places, so that only another message changes it."""
    file = io.BytesIO()
    write_po(file, catalog, width=118, sort_output=True, no_location=True, ignore_obsolete=True)
    return file.getvalue()


def compiled(catalog: Catalog) -> bytes:
    """A catalogue as Django reads it."""
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


class Command(BaseCommand):
    """`manage.py translations [--check]`."""

    help = "Bring the catalogues in locale/ up to code and templates; with --check, fail where they are not complete."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare `--check`."""
        parser.add_argument("--check", action="store_true", help="write nothing, fail when something would change")

    def handle(self, *, check: bool, **_options: Any) -> None:
        """Write or compare each language, then say what it lacks."""
        messages, stale, lacking = gathered(), [], []
        for path in catalogues():
            catalog = renewed(read(path), messages)
            wanted = {path: written(catalog), path.with_suffix(".mo"): compiled(catalog)}
            stale += [file for file, content in wanted.items() if not _is_current(file, content, write=not check)]
            lacking += [f"{catalog.locale}: {problem}" for problem in problems(catalog)]
        if lacking:
            raise CommandError("\n".join([*lacking, f"{len(lacking)} messages to translate in locale/"]))
        if check and stale:
            raise CommandError("Catalogues are not current. Run: ./dev manage translations")
        self.stdout.write(f"{len(messages)} messages, {len(catalogues())} languages beside English")


def _is_current(path: Path, wanted: bytes, *, write: bool) -> bool:
    current = path.exists() and path.read_bytes() == wanted
    if write and not current:
        path.write_bytes(wanted)
    return current
