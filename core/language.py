"""Which language a page is in: the reader's choice, else what their browser asks for, else English.

Only pages are translated. Programs read English, so do the log and the command line: their words are searched for.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import trans_real

COOKIE: Final = settings.LANGUAGE_COOKIE_NAME
_LONGEST: Final = 1000  # characters of a sentence that is looked at for values
_FOR_PROGRAMS: Final = ("/api/", "/.well-known/", "/metrics", "/healthz", "/readyz")


class LanguageMiddleware:
    """Speaks the language of the cookie, or the best that `Accept-Language` names, while it answers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer one request. What runs after it in this thread speaks English again."""
        asked = translation.get_language_from_request(request) if is_page(request) else settings.LANGUAGE_CODE
        with translation.override(asked):
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language())
        return response


def is_page(request: HttpRequest) -> bool:
    """Whether people read the answer."""
    return not request.path.startswith(_FOR_PROGRAMS)


def said(text: str | None) -> str:
    """What a service or a rule said in English, in the language of the page.

    Its words are the message; one with values in it is known by the words around them (`{}` in the catalogue).
    """
    language = translation.get_language() or settings.LANGUAGE_CODE
    if not text or language == settings.LANGUAGE_CODE:
        return text or ""
    translated = translation.gettext(text)
    return _with_values(text, language) if translated == text and len(text) <= _LONGEST else translated


def _with_values(text: str, language: str) -> str:
    for message, form in _forms(language):
        found = form.fullmatch(text)
        if found:
            return translation.gettext(message).format(*found.groups())
    return text


@cache
def _forms(language: str) -> list[tuple[str, re.Pattern[str]]]:
    """Each sentence that leaves room for values, and what it looks like when they are in; the most telling first."""
    catalogue: Any = trans_real.catalog()
    known: Iterable[Any] = catalogue._catalog.keys()  # noqa: SLF001 -- as Django's own JavaScriptCatalog does
    open_ones = sorted((text for text in known if isinstance(text, str) and "{}" in text), key=len, reverse=True)
    return [(text, re.compile("(.*?)".join(map(re.escape, text.split("{}"))), re.DOTALL)) for text in open_ones]


def speak(request: HttpRequest, language: str) -> None:
    """The person who is signed in has chosen `language`; empty where they have not."""
    if language in dict(settings.LANGUAGES) and is_page(request):
        translation.activate(language)
