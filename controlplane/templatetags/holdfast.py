"""Tags and filters of the console's own language: icons, chips, times, digests, fields, foreign text.

A builtin of every template; what shows things that are governed stands in `governance`.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from html import escape
from itertools import groupby
from typing import Any, Final

from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, ngettext

from controlplane import words
from core import language
from tools.visible import Run, runs

register = template.Library()
CHIPS_IN_A_ROW: Final = 20


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """An icon of our sprite; decoration only, so the word beside it carries the meaning."""
    sprite = static("img/icons.svg")
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', sprite, name)


@register.simple_tag
def chip(text: object, tone: str = "quiet", icon_name: str = "") -> SafeString:
    """A short word with a tone and, where named, an icon."""
    return format_html('<span class="chip chip--{}">{}{}</span>', tone, icon(icon_name) if icon_name else "", text)


@register.filter
def tone(level_tag: str) -> str:
    """The tone of a message level."""
    return words.TONES.get(level_tag, "info")


@register.filter
def tone_icon(name: str) -> str:
    """The icon of a tone."""
    return words.TONE_ICONS.get(name, "info")


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """How long ago, or how soon, with the full time in UTC behind it."""
    if moment is None:
        return gettext("never")
    seconds = int((timezone.now() - moment).total_seconds())
    text = distance(abs(seconds))
    if seconds >= 60:
        text = gettext("%(distance)s ago") % {"distance": text}
    elif seconds <= -60:
        text = gettext("in %(distance)s") % {"distance": text}
    else:
        text = gettext("just now") if seconds >= 0 else gettext("in a moment")
    return _time(moment, text)


@register.filter
def at(moment: datetime | None) -> SafeString | str:
    """The full time in UTC."""
    return gettext("never") if moment is None else _time(moment, f"{moment:%Y-%m-%d %H:%M:%S}")


@register.simple_tag
def digest(value: str) -> SafeString | str:
    """A digest in short, whole in its title, with a button that copies all of it."""
    if not value:
        return "\u2013"
    short = value.rpartition(":")[2][:12]
    return format_html('<span class="digest"><code title="{}">{}…</code>{}</span>', value, short, copy_button(value))


@register.simple_tag
def copy_button(text: str) -> SafeString:
    """A button that copies `text`; scripts show it where the browser can copy."""
    return format_html(
        '<button class="button button--bare button--small" type="button" data-copy="{}" data-done="{}" hidden>{}'
        "<span data-label>{}</span></button>",
        text,
        gettext("Copied"),
        icon("copy"),
        gettext("Copy"),
    )


@register.inclusion_tag("parts/_field.html")
def field(bound: BoundField, style: str = "") -> dict[str, Any]:
    """One field with label, hint and errors, tied together for assistive technology.

    `style` "quiet": a filter, where every field is optional and nothing needs to say so.
    """
    return {"field": bound, "mark_optional": not bound.field.required and style != "quiet"}


@register.simple_tag
def options(values: Iterable[str], chosen: str | None = "") -> SafeString:
    """An option for each value: there may be a thousand, of which a loop of a template makes ten times the work."""
    shown = [f"<option{' selected' if value == chosen else ''}>{escape(value)}</option>" for value in values]
    return mark_safe("".join(shown))  # noqa: S308 -- each value is escaped


@register.simple_tag
def foreign(text: object) -> SafeString:
    """Text that somebody else wrote: escaped, isolated in direction, unseen characters as named chips."""
    return format_html('<bdi class="foreign">{}</bdi>', marked(str(text)))


@register.filter
def said(text: object) -> str:
    """What a service or a rule said, in the language of the page."""
    return language.said(str(text or ""))


@register.filter
def named(text: str) -> str:
    """`text` for places that hold no elements (titles, labels): unseen characters as `[NAME]`."""
    return "".join(f"[{run.text}]" if run.chip else run.text for run in runs(text))


@register.simple_tag
def marked(text: str) -> SafeString:
    """`text` escaped, with unseen characters as named chips."""
    return show_runs(runs(text))


@register.simple_tag(name="runs")
def show_runs(parts: Iterable[Run]) -> SafeString:
    """Runs of `tools.visible`: plain text escaped, chips for what would not be seen."""
    return format_html_join("", "{}", ((shown,) for shown in _shown(parts)))


@register.simple_tag
def seen(text: str, mode: str, parts: Iterable[Run] | None = None) -> SafeString:
    """Text of others as a reader asked for it: unseen characters as chips, as they came, or all as JSON escapes."""
    if mode == "raw":
        return format_html("{}", text)
    if mode == "escaped":
        return format_html("{}", json.dumps(text)[1:-1])
    return show_runs(runs(text) if parts is None else parts)


def _shown(parts: Iterable[Run]) -> Iterator[SafeString]:
    """Each run; where very many unseen characters follow each other, the rest of them is counted, not drawn.

    A description can be 64 KB of them, which would make a page of megabytes. Nothing that can be read is left out:
    plain text never is, nor is a run of TAG characters, whose label spells what a model reads.
    """
    for is_chip, group in groupby(parts, key=lambda run: run.chip):
        left_out = 0
        for number, run in enumerate(group):
            if not is_chip:
                yield format_html("{}", run.text)
            elif number < CHIPS_IN_A_ROW or run.text.startswith("TAG"):
                yield format_html('<span class="glyph" title="{}">{}</span>', run.title, run.text)
            else:
                left_out += 1
        if left_out:
            text = ngettext("%(n)d more unseen", "%(n)d more unseen", left_out) % {"n": left_out}
            yield format_html('<span class="glyph">{}</span>', text)


def distance(seconds: int) -> str:
    """A stretch of time in its largest unit."""
    days, hours, minutes = seconds // 86_400, seconds // 3_600, seconds // 60
    if days:
        return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
    if hours:
        return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
    return ngettext("%(n)d min", "%(n)d min", minutes) % {"n": minutes}


def _time(moment: datetime, text: str) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), f"{moment:%Y-%m-%d %H:%M:%S} UTC", text
    )
