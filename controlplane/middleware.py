"""Request ids, in the answer's header, the error envelope and the log; and no refusal without a record."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from audit.events import Event, RecordType
from audit.services import noting, record
from core.actor import ANONYMOUS, Actor
from core.ids import new_id
from core.names import subject
from core.sampling import Sampler

logger = logging.getLogger(__name__)
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_STRANGERS: Final = Sampler(limit=30, window=60)  # anybody can send rubbish, and the log cannot be pruned
_RECORDS_ITSELF: Final = "access_oauth"  # with a sample of its own
_SIGN_IN: Final = "/sign-in/"
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


class RefusalMiddleware:
    """Whoever tries to change something is on record: by the service that was asked, or else, if refused, here.

    Of who is known each refusal is recorded, of strangers a sample. What was carried out records its service.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        if request.method in _READS:
            return self.get_response(request)
        with noting() as is_recorded:
            response = self.get_response(request)
            if _is_refusal(request, response):
                try:
                    if not is_recorded():
                        _record(request, response)
                except DatabaseError as error:
                    kind = type(error).__name__
                    logger.error("a refusal is not on record: %s", kind)  # noqa: TRY400 -- its text may quote the row
        return response


def _is_refusal(request: HttpRequest, response: HttpResponse) -> bool:
    """Some are told on the next page, and answered with the way there."""
    is_told_there = hasattr(request, "refused") or response.headers.get("Location", "").startswith(_SIGN_IN)
    return response.status_code >= 400 or is_told_there


def _record(request: HttpRequest, response: HttpResponse) -> None:
    actor, left_out = _actor(request), 0
    if actor == ANONYMOUS:
        route = request.resolver_match
        if route is not None and _RECORDS_ITSELF in route.namespaces:
            return
        sampled = _STRANGERS.admit(time.monotonic())
        if sampled is None:
            return
        left_out = sampled
    said = {"method": request.method, "status": response.status_code, **({"left_out": left_out} if left_out else {})}
    with transaction.atomic():
        record(
            type=RecordType.ADMIN,
            event=Event.REQUEST_REFUSED,
            actor=actor,
            subject=subject("page", request.path[:200]),
            reason=getattr(request, "refused", "") or _reason(response),
            after=said,
            client_ip=str(request.META.get("REMOTE_ADDR", "")),
        )


def _actor(request: HttpRequest) -> Actor:
    """By the API's token, which came last, or by the console's session."""
    found = getattr(request.user, "actor", None) or getattr(request, "actor", None)
    return found if isinstance(found, Actor) else ANONYMOUS


def _reason(response: HttpResponse) -> str:
    """The API's word for it. A form says it to its reader; what was typed into it may be a secret, and is not kept."""
    data = getattr(response, "data", None)
    error = data.get("error") if isinstance(data, dict) else None
    return str(error.get("code", "")) if isinstance(error, dict) else ""
