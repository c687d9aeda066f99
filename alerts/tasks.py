"""Periodic work of the alerts; each task may be lost or doubled without harm."""

from celery import shared_task

from alerts import services


@shared_task(name="alerts.follow_records")
def follow_records() -> None:
    """Raise and resolve alerts for what was recorded."""
    services.follow_records()


@shared_task(name="alerts.deliver_due")
def deliver_due() -> None:
    """Send messages that are due."""
    services.deliver_due()


@shared_task(name="alerts.tell_policy")
def tell_policy() -> None:
    """Record what of policy was changed past the services."""
    services.tell_policy()
