"""Every route says what it asks for."""

from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path
from django.views.decorators.http import require_POST
from rest_framework.views import APIView

from controlplane.routes import API, CONSOLE, OPEN, names, routes, undeclared
from core.console import page
from core.needs import asks
from core.permissions import Permission


def test_no_route_is_without_a_declaration() -> None:
    assert undeclared() == [], "declare what it needs beside the view, or say in OPEN why it asks for nobody"


def test_what_is_open_to_everybody_exists() -> None:
    assert set(OPEN) <= names()


def test_both_doors_are_read() -> None:
    found = {(route.door, route.method, route.path) for route in routes()}
    assert (CONSOLE, "POST", "/reviews/{review_id}/") in found
    assert (CONSOLE, "GET", "/reviews/decide/") not in found
    assert (API, "DELETE", "/api/v1/teams/{slug}/members/{username}/") in found


def test_a_form_can_ask_for_more_than_its_page() -> None:
    needs = {route.method: route.needs for route in routes() if route.name == "tools:review"}
    assert needs == {"GET": asks(Permission.REVIEW_READ), "POST": asks(Permission.REVIEW_DECIDE)}


class Silent(APIView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse()


@require_POST
@page()
def silent(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [path("a/", silent), path("b/", Silent.as_view()), path("c/", bare, name="c")]


@override_settings(ROOT_URLCONF=__name__)
def test_a_new_route_that_declares_nothing_is_named() -> None:
    assert undeclared() == ["GET /b/", "POST /a/", "GET /c/"]
