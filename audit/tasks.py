"""Periodic work of the audit log; all tasks may be lost or doubled without harm."""

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
    """Give waiting records their place in the log."""
    services.place_records()
