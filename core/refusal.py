"""A refusal that the answer does not show: a page that goes on with a message, results of which each has its own.

`controlplane.middleware` records it.
"""

from django.http import HttpRequest
from rest_framework.request import Request


def mark_refused(request: HttpRequest | Request, code: str) -> None:
    """Say that a request, of the console or of the API, was refused."""
    asked = request._request if isinstance(request, Request) else request  # noqa: SLF001 -- what the middleware has
    asked.refused = code  # type: ignore[attr-defined]  # ours
