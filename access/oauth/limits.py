"""How often one address may ask the authorization server. Counted in rows, so across processes and restarts."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from access.callers import counted_as
from access.oauth.answers import error_answer, too_many
from access.services.counting import count_request
from audit.events import Event, RecordType
from audit.services import record
from core.actor import ANONYMOUS

logger = logging.getLogger(__name__)
View = Callable[..., HttpResponseBase]


def limited(view: View) -> View:
    """`view`, refusing whoever asks more often than `OAUTH_REQUESTS_PER_MINUTE` before it does anything else."""

    @wraps(view)
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            late = is_one_too_many(request, "oauth", settings.OAUTH_REQUESTS_PER_MINUTE)
        except DatabaseError:
            logger.exception("the database refused while counting a request for %s", request.path)
            return error_answer("temporarily_unavailable", "Try again in a moment.", 503)
        return view(request, *args, **kwargs) if late is None else too_many(late)

    return run


def is_one_too_many(request: HttpRequest, what: str, limit: int) -> int | None:
    """Count this request; the seconds until its address may ask again, if it asked too often, and None otherwise.

    The first that is too much is recorded and the others are not: the log cannot be pruned.
    """
    address = address_of(request)
    counted = count_request(f"{what} {counted_as(address)}")
    if counted.count <= limit:
        return None
    if counted.count == limit + 1:
        _record(what, limit, address)
    return counted.seconds_left


def address_of(request: HttpRequest) -> str:
    """The address that asked."""
    return str(request.META.get("REMOTE_ADDR", ""))


def _record(what: str, limit: int, address: str) -> None:
    with transaction.atomic():
        record(
            type=RecordType.AUTH,
            event=Event.REQUESTS_LIMITED,
            actor=ANONYMOUS,
            decision="denied",
            reason=f"more than {limit} requests a minute ({what})",
            client_ip=address,
        )
