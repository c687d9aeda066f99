import pytest
from django.http import HttpRequest
from rest_framework.request import Request

from core.refusal import mark_refused


@pytest.mark.parametrize("door", [lambda request: request, Request], ids=["console", "api"])
def test_the_middleware_finds_the_mark_on_its_own_request(door: type[Request]) -> None:
    request = HttpRequest()
    mark_refused(door(request), "conflict")
    assert request.refused == "conflict"  # type: ignore[attr-defined]
