"""Every answer carries a request id."""

import asyncio
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from controlplane.middleware import RequestIdMiddleware


def _answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse(getattr(request, "request_id", ""))


async def _answer_later(request: HttpRequest) -> HttpResponse:
    return _answer(request)


def _sent(**headers: str) -> Any:
    return RequestIdMiddleware(_answer)(RequestFactory().get("/", headers=headers))


def test_a_well_formed_id_of_the_caller_is_kept() -> None:
    response = _sent(**{"X-Request-ID": "trace-0001"})
    assert (response["X-Request-ID"], response.content) == ("trace-0001", b"trace-0001")


@pytest.mark.parametrize("given", ["", "short", "a" * 65, "with space", "line\nbreak", "<script>"])
def test_any_other_id_is_replaced_by_ours(given: str) -> None:
    response = _sent(**({"X-Request-ID": given} if given else {}))
    assert response["X-Request-ID"] not in ("", given)
    assert response["X-Request-ID"] == response.content.decode()


def test_it_works_the_same_in_an_asynchronous_chain() -> None:
    request = RequestFactory().get("/", headers={"X-Request-ID": "trace-0001"})
    response = asyncio.run(RequestIdMiddleware(_answer_later)(request))
    assert response["X-Request-ID"] == "trace-0001"
