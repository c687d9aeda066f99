"""Which language a page is in: the reader's choice, else what their browser asks for, else English.

Only pages are translated. Programs read English, so do the log and the command line: their words are searched for.
"""

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation

COOKIE: Final = settings.LANGUAGE_COOKIE_NAME
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


def said(text: str) -> str:
    """What a service or a rule said in English, in the language of the page; a sentence with a value in it stays."""
    return translation.gettext(text) if text else ""


def speak(request: HttpRequest, language: str) -> None:
    """The person who is signed in has chosen `language`; empty where they have not."""
    if language in dict(settings.LANGUAGES) and is_page(request):
        translation.activate(language)
