"""Background work of `access`."""

from celery import shared_task

from access import services


@shared_task(name="access.clear_expired")
def clear_expired() -> None:
    """Clear away tokens that ended; beat calls it every hour."""
    services.clear_expired()
