"""A reader's preferences: colour scheme, density, shortcuts, live updates, language.

Kept in cookies, so they hold before sign-in.

The language is kept with the person too (`access.services.choose_language`).
"""

from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from core.language import COOKIE as _LANGUAGE

THEMES: Final = ("", "light", "dark")
DENSITIES: Final = ("", "compact")
_YEAR: Final = 365 * 86_400  # seconds
_THEME: Final = "theme"
_DENSITY: Final = "density"
_SHORTCUTS: Final = "shortcuts"
_LIVE: Final = "live"


@dataclass(frozen=True, slots=True)
class Preferences:
    """`theme` is empty where the system decides, `language` where the browser does, `density` with room."""

    theme: str = ""
    shortcuts: bool = True
    language: str = ""
    density: str = ""
    live: bool = True


def preferences_of(request: HttpRequest) -> Preferences:
    """What the cookies say; anything unknown in them is the default."""
    theme = request.COOKIES.get(_THEME, "")
    language = request.COOKIES.get(_LANGUAGE, "")
    density = request.COOKIES.get(_DENSITY, "")
    return Preferences(
        theme if theme in THEMES else "",
        request.COOKIES.get(_SHORTCUTS) != "off",
        language if language in dict(settings.LANGUAGES) else "",
        density if density in DENSITIES else "",
        request.COOKIES.get(_LIVE) != "off",
    )


def keep(response: HttpResponse, preferences: Preferences) -> None:
    """Store preferences with an answer."""
    values = {
        _THEME: preferences.theme,
        _DENSITY: preferences.density,
        _SHORTCUTS: "on" if preferences.shortcuts else "off",
        _LANGUAGE: preferences.language,
        _LIVE: "on" if preferences.live else "off",
    }
    for name, value in values.items():
        response.set_cookie(
            name, value, max_age=_YEAR, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
        )
