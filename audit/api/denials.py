"""The API's handler of errors: `core.api`'s, and a record of what a view refused before any service was asked."""

from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from audit.services import denied
from core import api
from core.api import ReadRefused, actor_of
from core.names import subject


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Answer as `core.api.exception_handler` does. A service records its own refusals."""
    request = context.get("request")
    if isinstance(error, ReadRefused) and isinstance(request, Request):
        denied(actor=actor_of(request), permission=error.permission, subject=subject("page", request.path[:200]))
    return api.exception_handler(error, context)
