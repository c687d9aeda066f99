"""Keyset paging of records by their primary key: as fast on the last page as on the first."""

import base64
import binascii
from collections.abc import Callable
from typing import Any
from uuid import UUID

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from audit.models import Record
from core.api import Pagination


class RecordPagination(BasePagination):
    """The list envelope with a cursor that names the last record of the page."""

    cursor_query_param = "cursor"
    page_size_query_param = "limit"
    page_size = 50
    max_page_size = 500

    def __init__(self) -> None:
        self.next_link: str | None = None

    def paginate(self, page: Callable[..., list[Record]], request: Request) -> list[Record]:
        """What `page` answers for as many records as are asked for, `after` the one that the caller has.

        Raises `ValidationError` for a limit that does not fit, and for no cursor of ours.
        """
        limit, cursor = self._limit(request), request.query_params.get(self.cursor_query_param)
        found = page(limit + 1, after=_position(cursor) if cursor else None)
        if len(found) > limit:
            found = found[:limit]
            url = request.build_absolute_uri()
            self.next_link = replace_query_param(url, self.cursor_query_param, _cursor(found[-1]))
        return found

    def get_paginated_response(self, data: Any) -> Response:
        """The list envelope."""
        return Response({"results": data, "next": self.next_link})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The list envelope, for OpenAPI."""
        return Pagination().get_paginated_response_schema(schema)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """`cursor` and `limit`, for OpenAPI."""
        limit = {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return [
            {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}},
            {"name": "limit", "in": "query", "required": False, "schema": limit},
        ]

    def _limit(self, request: Request) -> int:
        text = request.query_params.get(self.page_size_query_param, str(self.page_size))
        if not (text.isascii() and text.isdigit() and int(text[:9]) >= 1 and len(text) < 9):
            raise ValidationError({"limit": [f"Must be a whole number from 1 to {self.max_page_size}."]})
        return min(int(text), self.max_page_size)


def _cursor(record: Record) -> str:
    return base64.urlsafe_b64encode(record.shard.to_bytes(4, "big") + record.id.bytes).decode().rstrip("=")


def _position(cursor: str) -> tuple[int, UUID]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValidationError({"cursor": ["Not a cursor that this list gave."]}) from error
    shard = int.from_bytes(raw[:4], "big")
    if len(raw) != 20 or shard >= 2**31:
        raise ValidationError({"cursor": ["Not a cursor that this list gave."]})
    return shard, UUID(bytes=raw[4:])
