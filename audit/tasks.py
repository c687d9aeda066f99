"""Periodic work of the audit log; each task may be lost or doubled without harm."""

from celery import shared_task

from audit import services
from core.actor import system_actor

_VERIFIER = system_actor("verifier")


@shared_task(name="audit.create_shards")
def create_shards() -> None:
    """Create the shards of this month and the next two."""
    services.create_shards()


@shared_task(name="audit.send_exports")
def send_exports() -> None:
    """Feed the sinks for a minute."""
    services.send_exports()


@shared_task(name="audit.place_records")
def place_records() -> None:
    """Give waiting records their place in the log, as long as no sequencer ever did: from then on only one may."""
    if not services.has_sequencer():
        services.place_records()


@shared_task(name="audit.reconcile_unfinished")
def reconcile_unfinished() -> None:
    """Record how calls ended whose gateway process is dead."""
    services.reconcile_unfinished()


@shared_task(name="audit.verify_new_records")
def verify_new_records() -> None:
    """Verify what was placed since the last verification."""
    services.verify_log(actor=_VERIFIER, is_full=False)


@shared_task(name="audit.verify_log")
def verify_log() -> None:
    """Verify the log from its beginning."""
    services.verify_log(actor=_VERIFIER, is_full=True)


@shared_task(name="audit.expire_payloads")
def expire_payloads() -> None:
    """Take away the payloads whose time is over."""
    services.expire_payloads(actor=system_actor("retention"))
