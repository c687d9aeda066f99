"""The envelopes of the API, and what its parser refuses."""

from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from core.actor import ANONYMOUS, Actor, ActorKind
from core.api import Pagination, actor_of, require
from core.errors import Conflict, Invalid, PermissionDenied


class _Shape(serializers.Serializer[Any]):
    slug = serializers.CharField(max_length=3)
    parts = serializers.ListField(child=serializers.IntegerField(), required=False)


class _View(APIView):
    """Parses a body, then raises what the test asks for."""

    authentication_classes = ()
    permission_classes = ()
    raises: Exception | None = None

    def post(self, request: Request) -> Response:
        _Shape(data=request.data).is_valid(raise_exception=True)
        if self.raises:
            raise self.raises
        return Response({})


def _post(body: bytes | str, raises: Exception | None = None) -> Response:
    request = APIRequestFactory().post("/", data=body, content_type="application/json")
    request.request_id = "request-1"  # type: ignore[attr-defined]  # set by the middleware
    response = _View.as_view(raises=raises)(request)
    assert isinstance(response, Response)
    return response


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"slug": "a", "slug": "b"}', "same key twice"),
        (b'{"slug": NaN}', "not JSON (line 1, column 10)"),
        (b'{"slug":', "not JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b"[" * 200 + b"]" * 200, "nested deeper"),
    ],
)
def test_malformed_json_is_a_400_that_says_why(body: bytes, complaint: str) -> None:
    response = _post(body)
    assert response.status_code == 400
    assert complaint in response.data["error"]["message"]


def test_a_nul_character_is_refused_at_its_field() -> None:
    response = _post(b'{"slug": "a\\u0000"}')
    assert response.status_code == 400
    assert response.data["error"]["details"] == [{"field": "slug", "message": "Must not hold the NUL character."}]


def test_every_field_that_does_not_fit_is_named() -> None:
    response = _post(b'{"slug": "long", "parts": [1, "x"]}')
    assert {item["field"] for item in response.data["error"]["details"]} == {"slug", "parts.1"}


def test_a_body_of_another_type_is_refused() -> None:
    assert _post(b"[1]").status_code == 400


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Invalid("No.", field="slug"), 400, "invalid"),
        (Conflict("Moved on."), 409, "conflict"),
        (PermissionDenied("No."), 403, "permission_denied"),
        (Http404(), 404, "not_found"),
        (DataError("value too long: hunter2"), 400, "invalid"),
        (RequestDataTooBig("1048576"), 413, "too_large"),
        (OperationalError("connection failed: hunter2"), 503, "unavailable"),
        (InterfaceError("connection is closed: hunter2"), 503, "unavailable"),
        (exceptions.Throttled(wait=7), 429, "throttled"),
    ],
)
def test_every_error_has_the_one_envelope(error: Exception, status: int, code: str) -> None:
    response = _post(b'{"slug": "a"}', raises=error)
    assert response.status_code == status
    assert set(response.data) == {"error"}
    assert set(response.data["error"]) == {"code", "message", "details", "request_id"}
    assert response.data["error"]["code"] == code
    assert response.data["error"]["request_id"] == "request-1"
    assert "hunter2" not in str(response.data)


def test_a_throttled_caller_is_told_when_to_come_back() -> None:
    assert _post(b'{"slug": "a"}', raises=exceptions.Throttled(wait=7))["Retry-After"] == "7"


def test_a_defect_of_ours_is_not_dressed_up_as_the_callers() -> None:
    with pytest.raises(KeyError):
        _post(b'{"slug": "a"}', raises=KeyError("ours"))


def _request_of(actor: Actor | None) -> Request:
    request = Request(APIRequestFactory().get("/"))
    request.user = type("User", (), {"actor": actor, "is_authenticated": True})()
    return request


def test_a_request_without_identity_is_nobodys() -> None:
    assert actor_of(_request_of(None)) == ANONYMOUS


def test_reads_need_their_permission_for_at_least_something() -> None:
    reader = Actor(ActorKind.PERSON, "1", "rita", frozenset({"server:read"}))
    assert require(_request_of(reader), "server:read") == reader
    with pytest.raises(PermissionDenied, match="audit:read"):
        require(_request_of(reader), "audit:read")


def _query(**parameters: str) -> Request:
    return Request(APIRequestFactory().get("/", parameters))


@pytest.mark.parametrize(
    "cursor",
    ["cD14", "cD0lMDA=", "cD05OTk5OTk5OTk5OTk5OTk5OTk5", "cj14", "\u00e9"],
    ids=["a letter", "NUL", "beyond a bigint", "no direction", "not ASCII"],
)
def test_a_cursor_that_no_list_gave_is_refused_at_its_field(cursor: str) -> None:
    with pytest.raises(exceptions.ValidationError) as refused:
        Pagination().decode_cursor(_query(cursor=cursor))
    assert list(refused.value.detail) == ["cursor"]


@pytest.mark.parametrize(("limit", "rows"), [("", 50), ("1", 1), ("500", 500), ("501", 500)])
def test_a_limit_is_kept_within_what_a_page_holds(limit: str, rows: int) -> None:
    assert Pagination().get_page_size(_query(limit=limit)) == rows


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1e5", "\u0663", "9" * 40])
def test_a_limit_that_is_no_number_of_rows_is_refused_at_its_field(limit: str) -> None:
    with pytest.raises(exceptions.ValidationError) as refused:
        Pagination().get_page_size(_query(limit=limit))
    assert list(refused.value.detail) == ["limit"]
