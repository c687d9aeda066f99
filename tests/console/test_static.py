"""What templates and style sheets may hold, and that colours can be read."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from controlplane import words

TEMPLATES = sorted((Path(settings.BASE_DIR) / "templates").rglob("*.html"))
STYLES = sorted((Path(settings.BASE_DIR) / "static" / "css").glob("*.css"))
SCRIPTS = sorted((Path(settings.BASE_DIR) / "static" / "js").glob("*.js"))

# Each of these would take the escaping away, or need a weaker content policy.
REFUSED_IN_TEMPLATES = (
    r"\|\s*safe\b",
    r"autoescape\s+off",
    r"\bstyle\s*=",
    r"\son[a-z]+\s*=",
    r"hx-on",
    r"<style",
    r"javascript:",
    r"https?://",
)
REFUSED_IN_STYLES = (
    # Logical properties only: the console is to work from right to left.
    r"(?:margin|padding|border)-(?:left|right|top|bottom)\b",
    r"(?<![-\w])(?:left|right|top|bottom)\s*:",
    r"(?<![-\w])(?:min-|max-)?(?:width|height)\s*:(?![^{]*\)\s*\{)",
    r"text-align\s*:\s*(?:left|right)",
    r"float\s*:",
    r"url\(",
    r"@import",
)
REFUSED_IN_SCRIPTS = (r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", r"\beval\b|new Function", r"https?://")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_nothing_that_weakens_escaping_or_policy(path: Path) -> None:
    text = path.read_text()
    assert [pattern for pattern in REFUSED_IN_TEMPLATES if re.search(pattern, text)] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_stay_below_60_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 60


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_style_sheets_use_logical_properties_and_load_nothing(path: Path) -> None:
    # Media queries ask for the window's width, which has no logical name in every browser yet.
    text = re.sub(r"@media[^{]*", "", path.read_text())
    assert [pattern for pattern in REFUSED_IN_STYLES if re.search(pattern, text)] == []


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_colours_are_named_in_one_file(path: Path) -> None:
    if path.name == "tokens.css":
        return
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", path.read_text()) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_never_write_markup(path: Path) -> None:
    text = path.read_text()
    assert [pattern for pattern in REFUSED_IN_SCRIPTS if re.search(pattern, text)] == []


def test_every_icon_that_is_named_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', (Path(settings.BASE_DIR) / "static/img/icons.svg").read_text()))
    named = set()
    for path in TEMPLATES:
        text = path.read_text()
        named |= set(re.findall(r'{% icon "([\w-]+)"', text)) | set(re.findall(r'icon(?:_name)?="([\w-]+)"', text))
    tables = (words.STATES, words.RECORD_TYPES, words.RISK_TONES, words.SEVERITIES)
    named |= {entry[2] for table in tables for entry in table.values()} | set(words.TONE_ICONS.values())
    assert named - drawn == set()


# --- colours --------------------------------------------------------------------------------------------------

SURFACES = ("canvas", "surface", "sunken", "hover")
# Text on what it stands on; all of it is read, so WCAG 2.2, 1.4.3 asks for 4.5.
READ = [
    *((text, surface) for text in ("ink", "ink-soft", "ink-faint", "accent", "accent-strong") for surface in SURFACES),
    *((tone, f"{tone}-soft") for tone in ("danger", "warn", "ok", "info", "quiet", "ins", "del")),
    *(("ink", f"{tone}-soft") for tone in ("danger", "warn", "ok", "info", "accent")),
    *((tone, "surface") for tone in ("danger", "warn", "ok")),
    ("accent-ink", "accent"),
    ("accent-ink", "accent-strong"),
    ("accent-strong", "accent-soft"),
]


def colours(scheme: int) -> dict[str, str]:
    text = (Path(settings.BASE_DIR) / "static/css/tokens.css").read_text()
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", text)
    return {name: pair[scheme] for name, *pair in found}


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_on_what_it_stands_on(scheme: int) -> None:
    named = colours(scheme)
    weak = {pair: contrast(named[pair[0]], named[pair[1]]) for pair in READ}
    assert {pair: round(ratio, 2) for pair, ratio in weak.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_the_edges_of_controls_can_be_seen(scheme: int) -> None:
    named = colours(scheme)
    for surface in ("surface", "canvas", "sunken"):
        assert contrast(named["line-strong"], named[surface]) >= 3, surface
