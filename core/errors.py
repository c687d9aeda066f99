"""The errors that services raise and every door translates.

A `DomainError` says what went wrong in words for the person who asked; `core.api` turns it into the
API's error envelope, console views into a message, the gateway into a JSON-RPC error. Anything that is
not a `DomainError` is a defect and travels up to the process edge.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class DomainError(Exception):
    """A refusal with a stable code, an HTTP status and, where known, the field it is about."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400

    def __init__(self, message: str, *, field: str | None = None, details: Mapping[str, str] | None = None):
        super().__init__(message)
        self.message = message
        self.field = field
        self.details = dict(details or {})


class Invalid(DomainError):
    """The input does not fit; `field` names what to correct."""

    code = "invalid"
    status = 400


class PermissionDenied(DomainError):
    """The actor may not do this. Raised outside the business transaction and recorded in its own.

    `subject` is what it was about, in the grammar of `core.names.subject`, for the record.
    """

    code = "permission_denied"
    status = 403

    def __init__(self, message: str, *, subject: str = "") -> None:
        super().__init__(message)
        self.subject = subject


class SecondFactorNeeded(PermissionDenied):
    """A session that began with a password alone must not do this; the person can set up a second factor."""

    code = "second_factor_needed"

    def __init__(self, *, subject: str = "") -> None:
        super().__init__(
            "This needs a second factor: set one up under Sign-in and sessions, then do it again.",
            subject=subject,
        )


class NotFound(DomainError):
    """No such object, or none that the actor may see: the two are told apart nowhere."""

    code = "not_found"
    status = 404


class Conflict(DomainError):
    """The object is no longer in the state, or at the digest, that the request was about."""

    code = "conflict"
    status = 409


class Unprocessable(DomainError):
    """The question is sound, but what was kept cannot answer it."""

    code = "unprocessable"
    status = 422


class Unavailable(DomainError):
    """Something we depend on is away; nothing was changed and the request may be repeated."""

    code = "unavailable"
    status = 503


def envelope(code: str, message: str, details: list[dict[str, str]], request_id: str) -> dict[str, Any]:
    """The body of every error that a program gets over HTTP; `details` hold `field` and `message`."""
    return {"error": {"code": code, "message": message, "details": details, "request_id": request_id}}
