"""Charts as SVG that the server draws: no script, no style of their own, and a table with the same figures behind each.

Nothing is told by colour alone: a bar is as high as its value, and each has its words.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from servers.days import Calls, Looks

register = template.Library()
_STEP: Final = 4  # units of a day's width, of which a bar takes three
_HEIGHT: Final = 32


@register.simple_tag
def uptime_bars(days: Sequence[Looks]) -> SafeString:
    """A bar for each day: full where every look was complete, low where few were, a dash where there was none."""
    bars = format_html_join("", '<rect class="{}" x="{}" y="{}" width="3" height="{}"><title>{}</title></rect>', (
        (_class_of(day), number * _STEP, _HEIGHT - _height_of(day), _height_of(day), _words(day))
        for number, day in enumerate(days)
    ))  # fmt: skip
    return _drawn(bars, len(days), gettext("Complete looks of the last %(n)d days") % {"n": len(days)})


@register.simple_tag
def latency_lines(days: Sequence[Looks]) -> SafeString:
    """How long looks took."""
    return _lines(days, gettext("How long looks took: at most about %(ms)d ms (95th percentile)"))


@register.simple_tag
def call_lines(days: Sequence[Calls]) -> SafeString:
    """How long calls took."""
    return _lines(days, gettext("How long calls took: at most about %(ms)d ms (95th percentile)"))


def _lines(days: Sequence[Looks | Calls], label: str) -> SafeString:
    """Two lines: the median, and dashed the 95th percentile. Days without any leave a gap."""
    top = max((day.p95 for day in days if day.p95), default=0) or 1
    lines = format_html_join("", '<path class="chart__{}" d="{}"/>', (
        (name, _path([getattr(day, name) for day in days], top)) for name in ("p50", "p95")
    ))  # fmt: skip
    return _drawn(lines, len(days), label % {"ms": top})


def _drawn(parts: SafeString, days: int, label: str) -> SafeString:
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        days * _STEP, _HEIGHT, label, parts,
    )  # fmt: skip


def _class_of(day: Looks) -> str:
    if day.share is None:
        return "chart__none"
    return "chart__ok" if day.share == 1 else "chart__some" if day.share >= 0.9 else "chart__bad"


def _height_of(day: Looks) -> int:
    return 2 if day.share is None else max(4, round(_HEIGHT * day.share))


def _words(day: Looks) -> str:
    said: dict[str, Any] = {"day": day.day.isoformat(), "complete": day.complete, "looks": day.looks}
    if day.share is None:
        return gettext("%(day)s: no look") % said
    return gettext("%(day)s: %(complete)d of %(looks)d looks complete") % said


def _path(values: Iterable[float | None], top: float) -> str:
    """A line through the values; one on its own is a short stroke, so that it can be seen."""
    parts, is_drawing = [], False
    for number, value in enumerate(values):
        if value is None:
            is_drawing = False
            continue
        x, y = number * _STEP, round(_HEIGHT - 1 - (_HEIGHT - 2) * value / top, 1)
        parts.append(f"{'L' if is_drawing else 'M'}{x} {y}h2")
        is_drawing = True
    return "".join(parts)
