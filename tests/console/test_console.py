"""What the console's views share, by itself."""

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

from controlplane.views import server_error
from core.console import actor_of, safe_next
from core.preferences import Preferences, preferences_of


@pytest.fixture
def request_() -> HttpRequest:
    return RequestFactory().get("/", headers={"host": "127.0.0.1"})


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        ("/agents/", "/agents/"),
        ("/?server=files", "/?server=files"),
        ("", "/"),
        ("agents/", "/"),
        ("//evil.example", "/"),
        ("///evil.example", "/"),
        ("https://evil.example/", "/"),
        ("http:/evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\x00", "/"),
    ],
)
def test_only_paths_of_this_console_are_followed(request_: HttpRequest, wanted: str, answer: str) -> None:
    assert safe_next(request_, wanted, otherwise="/") == answer


def test_a_request_without_a_session_is_nobodys(request_: HttpRequest) -> None:
    assert actor_of(request_).name == "anonymous"


@pytest.mark.parametrize(
    ("cookies", "preferences"),
    [
        ({}, Preferences()),
        ({"theme": "dark"}, Preferences("dark")),
        ({"theme": "neon"}, Preferences()),
        ({"density": "compact"}, Preferences(density="compact")),
        ({"density": "tiny"}, Preferences()),
        ({"shortcuts": "off"}, Preferences(shortcuts=False)),
        ({"shortcuts": "maybe"}, Preferences()),
    ],
)
def test_preferences_are_read_from_cookies(
    request_: HttpRequest, cookies: dict[str, str], preferences: Preferences
) -> None:
    request_.COOKIES.update(cookies)
    assert preferences_of(request_) == preferences


def test_the_page_for_our_own_errors_needs_no_database(request_: HttpRequest) -> None:
    request_.request_id = "abcdefgh"  # type: ignore[attr-defined]  # set by RequestIdMiddleware
    response = server_error(request_)
    assert response.status_code == 500
    assert b"Something broke on our side" in response.content
    assert b"abcdefgh" in response.content
