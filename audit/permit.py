"""Asking for a permission inside a service, and recording the answer no.

A denial is recorded in a transaction of its own after the business transaction is gone, so that no rollback takes
the record along.
"""

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import transaction

from audit.services import denied
from core.actor import ANONYMOUS, Actor
from core.errors import PermissionDenied

_P = ParamSpec("_P")
_R = TypeVar("_R")
_inside: ContextVar[bool] = ContextVar("inside an audited service", default=False)


class Refused(PermissionDenied):
    """A `PermissionDenied` that knows what to record."""

    def __init__(self, *, actor: Actor, permission: str, subject: str) -> None:
        super().__init__(f"This needs the permission {permission}.", subject=subject)
        self.actor = actor
        self.permission = permission


def refuse_unless(allowed: bool, *, actor: Actor, permission: str, subject: str) -> None:  # noqa: FBT001 -- reads as a sentence
    """Raise `PermissionDenied` unless `allowed`. Call it inside a service wrapped by `audited_denials`."""
    if not allowed:
        raise Refused(actor=actor, permission=permission, subject=subject)


def audited_denials(service: Callable[_P, _R]) -> Callable[_P, _R]:
    """Run a service in one transaction; a `PermissionDenied` that leaves it is recorded after the rollback.

    The outermost such service owns the transaction and may not be called inside another one (Django raises
    RuntimeError): a denial recorded in there could still be rolled back. Services may call each other.
    """

    @wraps(service)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if _inside.get():
            with transaction.atomic():
                return service(*args, **kwargs)
        token = _inside.set(True)
        try:
            with transaction.atomic(durable=True):
                return service(*args, **kwargs)
        except PermissionDenied as error:
            _record_denial(error, kwargs.get("actor"))
            raise
        finally:
            _inside.reset(token)

    return run


def _record_denial(error: PermissionDenied, actor: object) -> None:
    if isinstance(error, Refused):
        denied(actor=error.actor, permission=error.permission, subject=error.subject)
    else:
        known = actor if isinstance(actor, Actor) else ANONYMOUS
        denied(actor=known, permission="", subject=error.subject, reason=error.message)
