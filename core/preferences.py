"""A reader's preferences: colour scheme and single-key shortcuts. Kept in cookies, so they hold before sign-in."""

from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

THEMES: Final = ("", "light", "dark")
_YEAR: Final = 365 * 86_400  # seconds
_THEME: Final = "theme"
_SHORTCUTS: Final = "shortcuts"


@dataclass(frozen=True, slots=True)
class Preferences:
    """`theme` is empty where the system decides."""

    theme: str = ""
    shortcuts: bool = True


def preferences_of(request: HttpRequest) -> Preferences:
    """What the cookies say; anything unknown in them is the default."""
    theme = request.COOKIES.get(_THEME, "")
    return Preferences(theme if theme in THEMES else "", request.COOKIES.get(_SHORTCUTS) != "off")


def keep(response: HttpResponse, preferences: Preferences) -> None:
    """Store preferences with an answer."""
    values = {_THEME: preferences.theme, _SHORTCUTS: "on" if preferences.shortcuts else "off"}
    for name, value in values.items():
        response.set_cookie(
            name, value, max_age=_YEAR, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
        )
