"""Request ids: one per request, in the answer's header, the error envelope and the log."""

import re
from collections.abc import Callable
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

from core.ids import new_id

HEADER: Final = "X-Request-ID"
_ACCEPTED: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestIdMiddleware:
    """Takes a well-formed id from the caller or makes one. Async-capable, so that streams stay streams."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]):
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Set `request.request_id` and repeat it in the answer; a coroutine where the chain is asynchronous."""
        given = request.headers.get(HEADER, "")
        request_id = given if _ACCEPTED.fullmatch(given) else str(new_id())
        request.request_id = request_id  # type: ignore[attr-defined]  # read by core.api and the views
        if self.is_async:
            return self._answer_later(request, request_id)
        return _marked(self.get_response(request), request_id)

    async def _answer_later(self, request: HttpRequest, request_id: str) -> HttpResponseBase:
        return _marked(await self.get_response(request), request_id)


def _marked(response: HttpResponseBase, request_id: str) -> HttpResponseBase:
    response[HEADER] = request_id
    return response
