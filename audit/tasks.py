"""Periodic work of the audit log; each task may be lost or doubled without harm."""

from celery import shared_task

from audit import services


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
