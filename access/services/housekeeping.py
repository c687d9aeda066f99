"""Clearing away what has ended and no longer says anything: audit records keep the history."""

from datetime import timedelta

from django.utils import timezone

from access.models import AccessToken, FailedSignIn
from access.services.sign_in import WINDOW

KEPT = timedelta(days=1)  # after a token's end, for whoever looks into a call of yesterday
BATCH = 5000  # rows per statement, so that no lock is held for long


def clear_expired() -> int:
    """Delete access tokens that ended a day ago and counts of failed sign-ins; answers how many tokens went."""
    FailedSignIn.objects.filter(window_started_at__lt=timezone.now() - WINDOW).delete()
    ended = AccessToken.objects.filter(expires__lt=timezone.now() - KEPT, refresh_token__isnull=True)
    cleared = 0
    while batch := list(ended.values_list("pk", flat=True)[:BATCH]):
        AccessToken.objects.filter(pk__in=batch).delete()
        cleared += len(batch)
    return cleared
