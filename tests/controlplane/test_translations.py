"""The committed catalogues are complete and compiled; what is said in code and templates is found."""

from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from django.core.management import CommandError, call_command

from controlplane.management.commands import translations
from controlplane.management.commands.translations import (
    catalogues,
    compiled,
    gathered,
    problems,
    read,
    renewed,
    written,
)

TEMPLATE = """
<p title="{% translate "A title" %}">Text, it's {{ name|default:_("nobody") }}</p>
{% blocktranslate with days=n count n=n %}{{ days }} day, 100 %{% plural %}{{ days }} days{% endblocktranslate %}
"""
CODE = """
name = _("Name")
kinds = {"tool": gettext_lazy("a tool")}
text = ngettext("%(n)d day", "%(n)d days", count)
raise Conflict("It is there already.")
raise Conflict(f"{name} is there already.")
raise Refused("a_code")
"""


@pytest.fixture
def checkout(tmp_path: Path, settings: Any) -> Path:
    """A checkout with one module and one page, and an empty catalogue."""
    settings.BASE_DIR, settings.LOCALE_PATHS = tmp_path, [tmp_path / "locale"]
    for name, text in {
        "core/words.py": CODE,
        "core/migrations/0001_initial.py": '_("In a migration")',
        "templates/page.html": TEMPLATE,
        "locale/de/LC_MESSAGES/django.po": 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_every_language_is_translated_whole_and_compiled() -> None:
    assert [path.parent.parent.name for path in catalogues()] == ["de"]
    for path in catalogues():
        catalog = read(path)
        assert problems(catalog) == []
        assert path.with_suffix(".mo").read_bytes() == compiled(catalog)


def test_marked_text_and_the_words_of_errors_are_gathered(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translations, "_in_tables", list)
    assert {message.id for message in gathered() if message.id} == {
        "A title",
        "nobody",
        ("%(days)s day, 100 %%", "%(days)s days"),
        "Name",
        "a tool",
        ("%(n)d day", "%(n)d days"),
        "It is there already.",
        "{} is there already.",
    }


def test_new_messages_are_written_and_named_until_they_are_translated(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translations, "_in_tables", list)
    path = checkout / "locale/de/LC_MESSAGES/django.po"
    with pytest.raises(CommandError, match="de: 'Name': not translated"):
        call_command("translations")
    catalog = read(path)
    for message in catalog:
        message.string = message.id
    path.write_bytes(written(catalog))
    call_command("translations")
    assert path.with_suffix(".mo").read_bytes() == compiled(read(path))


def test_a_stale_catalogue_fails_the_check_and_is_left_alone(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translations, "_in_tables", list)
    (checkout / "core/words.py").write_text("", encoding="utf-8")
    (checkout / "templates/page.html").write_text("", encoding="utf-8")
    before = (checkout / "locale/de/LC_MESSAGES/django.po").read_bytes()
    with pytest.raises(CommandError, match=r"\./dev manage translations"):
        call_command("translations", check=True)
    assert (checkout / "locale/de/LC_MESSAGES/django.po").read_bytes() == before
    call_command("translations")
    call_command("translations", check=True)


@pytest.mark.parametrize(
    ("message", "string", "found"),
    [
        ("Given", "Vergeben", 0),
        ("Given", "", 1),
        ("%(n)s times", "%(n)s-mal", 0),
        ("%(n)s times", "oft", 1),
        ("%s is here", "%(name)s ist da", 1),
        ("{} is here", "da", 1),
        ("<b>Now</b>", "<b>Jetzt</b>", 0),
        ("<b>Now</b>", "<b onclick='x'>Jetzt</b>", 1),
        (("one day", "%(n)s days"), ("ein Tag", "%(n)s Tage"), 0),
        (("%(n)s day", "%(n)s days"), ("%(n)s Tag", ""), 1),
    ],
)
def test_a_translation_says_all_that_the_message_says(message: Any, string: Any, found: int) -> None:
    catalog = Catalog(locale="de")
    catalog.add(message, string)
    assert len(problems(catalog)) == found


def test_what_is_translated_stays_and_what_is_gone_goes() -> None:
    old, messages = Catalog(locale="de"), Catalog()
    old.add("Stays", "Bleibt")
    old.add("Goes", "Geht")
    old.add("Doubtful", "Zweifelhaft", flags={"fuzzy"})
    for text in ("Stays", "New", "Doubtful"):
        messages.add(text)
    new = renewed(old, messages)
    assert {message.id: message.string or "" for message in new if message.id} == {
        "Stays": "Bleibt",
        "New": "",
        "Doubtful": "Zweifelhaft",
    }
    assert problems(new) == ["'New': not translated", "'Doubtful': fuzzy"]
