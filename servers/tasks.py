"""Periodic work on servers; a lost or doubled run does no harm."""

from celery import shared_task

from servers import services


@shared_task(name="servers.forget_old_samples")
def forget_old_samples() -> int:
    """Delete health samples that no page shows any more; answers how many."""
    return services.forget_old_samples()
