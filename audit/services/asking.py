"""Asking for a verification of the whole log now, beside those that come by the clock."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from audit.events import Event, RecordType
from audit.models import Record, Verification
from audit.services.permitting import permit
from audit.services.recording import record
from core.actor import Actor
from core.errors import Conflict
from core.names import subject
from core.permissions import Permission
from core.queue import enqueue

_PATIENCE: Final = timedelta(minutes=15)  # after it somebody may ask again: the worker may be away


def request_verification(*, actor: Actor) -> Record:
    """Have the whole log verified as soon as a worker comes to it; answers the record of that.

    Raises `PermissionDenied`, and `Conflict` while one that somebody asked for is under way. Two who ask at the same
    moment may both be heard: a verification more does no harm.
    """
    about = subject("log", "records")
    permit(actor, Permission.AUDIT_READ, about=about, somewhere=True)
    if verification_asked() is not None:
        raise Conflict("The log is being verified already.")
    with transaction.atomic():
        made = record(type=RecordType.ADMIN, event=Event.LOG_VERIFICATION_REQUESTED, actor=actor, subject=about)
        enqueue("audit.verify_log")
    return made


def verification_asked() -> datetime | None:
    """Since when a verification that somebody asked for is under way; None where there is none."""
    asked = Record.objects.of_event(Event.LOG_VERIFICATION_REQUESTED.value)
    newest = asked.between(timezone.now() - _PATIENCE, None).newest_first().values_list("time", flat=True).first()
    if newest is None or Verification.objects.filter(is_full=True, at__gte=newest).exists():
        return None
    return newest
