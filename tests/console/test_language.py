"""Every text of every page comes from a catalogue: shown in a language in which each letter is another one.

Text that a person or a server wrote, identifiers and code stay as they are; everything else that is still in English
letters was not marked for translation.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from django.conf import settings
from django.test import Client

from controlplane.management.commands.translations import read
from tests.console.world import World

PSEUDO = "xh"  # of Django's known languages one that it has no words of
FIXED = re.compile(r"%\(\w+\)[sd]|%[sd%]|<[^>]*>|&\w+;|\{\w*\}")
SHOWN_ATTRIBUTES = ("title", "aria-label", "placeholder", "alt", "data-done", "label", "content")
# Elements whose text is code, data or foreign.
FOREIGN = ("code", "pre", "kbd", "bdi", "script", "style", "textarea")
FOREIGN_CLASSES = {"mono", "foreign", "glyph", "digest", "diff", "brand"}


def pseudo(text: str) -> str:
    """`text` in wide letters, but for what a template fills in."""
    kept = FIXED.findall(text)
    parts = [re.sub(r"[A-Za-z]", lambda letter: chr(ord(letter[0]) + 0xFEE0), part) for part in FIXED.split(text)]
    return "".join(part + fixed for part, fixed in zip(parts, [*kept, ""], strict=True))


@pytest.fixture(scope="module")
def pseudo_catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue of all messages, ours and Django's."""
    import django

    catalog = Catalog(locale=PSEUDO)
    theirs = [Path(django.__file__).parent / place for place in ("conf", "contrib/auth", "contrib/humanize")]
    sources = [read(Path(place) / "locale/de/LC_MESSAGES/django.po") for place in (settings.BASE_DIR, *theirs)]
    for message in (message for source in sources for message in source if message.id):
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        texts = tuple(pseudo(text) for text in ids)
        catalog.add(message.id, texts if len(texts) > 1 else texts[0], context=message.context)
    folder = tmp_path_factory.mktemp("locale")
    file = folder / PSEUDO / "LC_MESSAGES" / "django.mo"
    file.parent.mkdir(parents=True)
    with file.open("wb") as out:
        write_mo(out, catalog)
    return folder


class Texts(HTMLParser):
    """What a page says: text and attributes that people see or hear, without code and foreign text."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        is_foreign = tag in FOREIGN or bool(FOREIGN_CLASSES & set(values.get("class", "").split()))
        is_foreign = is_foreign or any(each for _, each in self._open)
        if tag not in ("meta", "link"):
            self.said += [values[name] for name in SHOWN_ATTRIBUTES if name in values and not is_foreign]
        if tag == "input" and values.get("type") in ("submit", "button"):
            self.said.append(values.get("value", ""))
        if tag not in ("meta", "link", "input", "img", "br", "hr", "use", "col"):
            self._open.append((tag, is_foreign))

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            if self._open.pop()[0] == tag:
                break

    def handle_data(self, data: str) -> None:
        if not any(is_foreign for _, is_foreign in self._open):
            self.said.append(data)


def test_dump(world: World, console: Client, settings, pseudo_catalogue) -> None:
    settings.LOCALE_PATHS = [pseudo_catalogue]
    settings.LANGUAGES = [("en", "English"), (PSEUDO, "Pseudo")]
    seen = {}
    for url in world.urls():
        response = console.get(url, headers={"accept-language": PSEUDO})
        assert response.status_code == 200
        for text in Texts(response.content.decode()).said:
            t = " ".join(text.split())
            if re.search(r"[A-Za-z]{2}", t):
                seen.setdefault(t, url)
    open("/tmp/x18/unmarked", "w").write("\n".join(f"{u}\t{t}" for t, u in seen.items()))
