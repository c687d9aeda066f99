"""What every API view shares: strict parsing, the list envelope, the error envelope, the acting person.

Errors answer `{"error": {"code", "message", "details": [{"field", "message"}], "request_id"}}`.
Lists answer `{"results": [...], "next": url or null}`.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

from django.core.exceptions import RequestDataTooBig
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest
from rest_framework import exceptions
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.views import set_rollback

from core import strictjson
from core.actor import ANONYMOUS, Actor
from core.errors import DomainError, PermissionDenied, envelope

logger = logging.getLogger(__name__)
_KEY: Final = re.compile(r"[0-9]{1,18}")  # a primary key, within a bigint


class ReadRefused(PermissionDenied):
    """A view refused before any service was asked, so the refusal is still to be recorded (`audit.api.denials`)."""

    def __init__(self, permission: str) -> None:
        super().__init__(f"This needs the permission {permission}.")
        self.permission = permission


class StrictJSONParser(JSONParser):
    """JSON in which keys are unique, numbers finite and nesting bounded; no NUL, which PostgreSQL refuses."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The parsed body. Raises `ParseError` with a sentence."""
        raw = stream.read()
        try:
            value = strictjson.loads(raw)
        except strictjson.MalformedJSON as error:
            raise exceptions.ParseError(f"Malformed JSON: {error}.") from error
        field = next(_fields_with_nul(value), None)
        if field is not None:
            raise exceptions.ValidationError({field or "body": ["Must not hold the NUL character."]})
        return value


class Pagination(CursorPagination):
    """Keyset paging: stable while rows come in, and no count of a large table."""

    page_size = 50
    max_page_size = 500
    page_size_query_param = "limit"
    ordering = "-id"

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Where to go on. Raises `ValidationError` for what no list of ours gave."""
        refusal = exceptions.ValidationError({"cursor": ["Not a cursor that this list gave."]})
        try:
            cursor = super().decode_cursor(request)
        except exceptions.NotFound as error:
            raise refusal from error
        if cursor is not None and cursor.position is not None and not _KEY.fullmatch(str(cursor.position)):
            raise refusal
        return cursor

    def get_page_size(self, request: Request) -> int:
        """How many at once. Raises `ValidationError` for what is no such number."""
        text = request.query_params.get(self.page_size_query_param) or str(self.page_size)
        if not _KEY.fullmatch(text) or int(text) < 1:
            raise exceptions.ValidationError({"limit": [f"Must be a whole number from 1 to {self.max_page_size}."]})
        return min(int(text), self.max_page_size)

    def get_paginated_response(self, data: Any) -> Response:
        """The list envelope."""
        return Response({"results": data, "next": self.get_next_link()})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The list envelope, for OpenAPI."""
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {
                "results": schema,
                "next": {"type": ["string", "null"], "format": "uri"},
            },
        }


def actor_of(request: Request | HttpRequest) -> Actor:
    """Who is acting; nobody when the request carries no identity."""
    actor = getattr(request.user, "actor", None) or getattr(request, "actor", None)
    return actor if isinstance(actor, Actor) else ANONYMOUS


def parsed(shape: type[BaseSerializer[Any]], request: Request) -> dict[str, Any]:
    """The body as `shape` has it. Raises `ValidationError`."""
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def require(request: Request, permission: str, *more: str) -> Actor:
    """The acting person, who must hold each of these for at least something. For reads; writes ask their service."""
    actor = actor_of(request)
    for needed in (permission, *more):
        if not actor.may_somewhere(needed):
            raise ReadRefused(needed)
    return actor


def filters_of(shape: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    """What the query asks, in its `shape`. Raises `ValidationError`."""
    filters = shape(data=request.query_params)
    filters.is_valid(raise_exception=True)
    return dict(filters.validated_data)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Answer what is the caller's to correct; anything else travels up and becomes a recorded 500."""
    set_rollback()
    request_id = str(getattr(getattr(context.get("request"), "_request", None), "request_id", ""))
    if isinstance(error, DomainError):
        details = [{"field": error.field, "message": error.message}] if error.field else []
        details += [{"field": key, "message": text} for key, text in error.details.items()]
        return _envelope(error.status, error.code, error.message, details, request_id)
    if isinstance(error, Http404):
        return _envelope(404, "not_found", "There is no such thing here.", [], request_id)
    if isinstance(error, RequestDataTooBig):
        return _envelope(413, "too_large", "The body is larger than the API takes.", [], request_id)
    if isinstance(error, DataError):
        # A value that passed its serializer but that the column cannot hold; the driver's text may quote it.
        return _envelope(400, "invalid", "A value is out of range.", [], request_id)
    if isinstance(error, OperationalError | InterfaceError):
        logger.error("the database refused while answering", exc_info=error)
        return _envelope(503, "unavailable", "The database does not answer. Try again in a moment.", [], request_id)
    if isinstance(error, exceptions.APIException):
        return _from_rest_framework(error, request_id)
    return None


def _from_rest_framework(error: exceptions.APIException, request_id: str) -> Response:
    if isinstance(error, exceptions.ValidationError):
        details = [{"field": field, "message": text} for field, text in _flatten(error.detail, "")]
        message = "; ".join(f"{item['field']}: {item['message']}" for item in details) or "The input does not fit."
        return _envelope(error.status_code, "invalid", message, details, request_id)
    code = str(error.default_code)
    response = _envelope(error.status_code, code, str(error.detail), [], request_id)
    header = getattr(error, "auth_header", None)
    if header:
        response["WWW-Authenticate"] = header
    wait = getattr(error, "wait", None)
    if wait:
        response["Retry-After"] = str(int(wait))
    return response


def _envelope(status: int, code: str, message: str, details: list[dict[str, str]], request_id: str) -> Response:
    return Response(envelope(code, message, details, request_id), status=status)


def _flatten(detail: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            yield from _flatten(value, f"{path}.{key}" if path else str(key))
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            nested = isinstance(value, Mapping | list)
            yield from _flatten(value, f"{path}.{index}".lstrip(".") if nested else path)
    else:
        yield path or "body", str(detail)


def _fields_with_nul(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, str):
        if "\0" in value:
            yield path
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if "\0" in key:
                yield path
            yield from _fields_with_nul(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _fields_with_nul(item, f"{path}.{index}".lstrip("."))
