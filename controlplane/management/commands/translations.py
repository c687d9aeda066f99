"""Gather every sentence that a person may be shown, and bring the catalogues in `locale/` up to it, or check them.

Without GNU gettext, which a fresh machine lacks: Babel reads the code, Django turns templates into what Babel reads. Of
errors, rules and scopes the English words themselves are gathered; pages translate them where they show them.
"""

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

from tools import policies, presentation
from tools.scanner.rules import RULES

_PACKAGES: Final = ("core", "audit", "access", "servers", "tools", "alerts", "gateway", "controlplane")
_MARKS: Final[dict[str, tuple[Any, ...] | None]] = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), None),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}
# English sentences of pure modules and services; one with a value in it is no message, and stays English.
_SAID: Final[dict[str, tuple[Any, ...] | None]] = {
    **dict.fromkeys(
        ("Invalid", "Conflict", "NotFound", "PermissionDenied", "Unprocessable", "Unavailable", "Refused"), None
    ),
    **dict.fromkeys(("ObservationProblem", "Refusal"), (2,)),
}
_PLACEHOLDER: Final = re.compile(r"%\(\w+\)[sd]|%[sd]")
_TAG: Final = re.compile(r"<[^>]*>")
# Of all catalogues: a date of today would be a change a day.
_BEGUN: Final = datetime(2026, 11, 29, tzinfo=UTC)


def gathered() -> Catalog:
    """Every message of code and templates, with the files that hold it."""
    catalog = Catalog()
    for path, function, message, context in _found(Path(settings.BASE_DIR)):
        where = path.relative_to(settings.BASE_DIR).as_posix()
        if message and function:
            catalog.add(message, locations=[(where, 0)], context=context)
    for where, texts in _tables().items():
        for text in texts:
            catalog.add(text, locations=[(where, 0)])
    return catalog


def _tables() -> dict[str, list[str]]:
    return {
        "tools/policies.py": list(policies.SENTENCES.values()),
        "tools/presentation.py": list(presentation.SENTENCES.values()),
        "tools/scanner/rules.py": [rule.title for rule in RULES],
    }


def _found(root: Path) -> Iterator[tuple[Path, str, Any, str | None]]:
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield from _messages(path, path.read_text(encoding="utf-8"), {**_MARKS, **_SAID})
    for path in sorted((root / "templates").rglob("*.html")):
        code = templatize(path.read_text(encoding="utf-8"), origin=str(path))
        # What is no message has become blanks and letters; an indent would mean something to Python.
        yield from _messages(path, "\n".join(line.strip() for line in code.splitlines()), _MARKS)


def _messages(
    path: Path, code: str, marks: dict[str, tuple[Any, ...] | None]
) -> Iterator[tuple[Path, str, Any, str | None]]:
    for _line, function, found, _notes in extract_python(io.BytesIO(code.encode()), list(marks), [], {}):
        given = found if isinstance(found, tuple) else (found,)
        context, wanted = None, []
        for place in marks[function] or (1,):
            number, is_context = (place[0], True) if isinstance(place, tuple) else (place, False)
            text = given[number - 1] if len(given) >= number else None
            if is_context:
                context = text
            else:
                wanted.append(text)
        if all(wanted) and (function in _MARKS or _is_sentence(wanted[0])):
            yield path, function, wanted[0] if len(wanted) == 1 else tuple(wanted), context


def _is_sentence(text: str) -> bool:
    """Errors of programs are made of codes and pieces, too."""
    return text[:1].isupper() and " " in text.strip()


def renewed(old: Catalog, messages: Catalog) -> Catalog:
    """`old` with exactly `messages`: what is translated stays, what is new is empty, what is gone goes."""
    new = Catalog(
        locale=old.locale, project="Holdfast", version="1", copyright_holder="Holdfast", header_comment="",
        creation_date=_BEGUN, revision_date=_BEGUN, last_translator="Holdfast", language_team="Holdfast", msgid_bugs_address="",
        fuzzy=False,
    )  # fmt: skip
    for message in messages:
        if message.id:
            kept = old.get(message.id, message.context)
            flags = kept.flags & {"fuzzy"} if kept else set()
            string = kept.string if kept and isinstance(kept.id, tuple) == isinstance(message.id, tuple) else None
            new.add(message.id, string, context=message.context, flags=flags)
    return new


def problems(catalog: Catalog) -> list[str]:
    """What keeps a catalogue from being complete, a line for each message."""
    found = ((message, _problem(message)) for message in catalog if message.id)
    return [f"{message.id!r}: {problem}" for message, problem in found if problem]


def _problem(message: Message) -> str:
    ids = message.id if isinstance(message.id, tuple) else (message.id,)
    strings = message.string if isinstance(message.string, tuple) else (message.string,)
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
