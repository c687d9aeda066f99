"""Clearing away what has ended and no longer says anything: audit records keep the history."""

from datetime import timedelta
from typing import Final, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from access.models import AccessToken, AuthorizationCode, ConsumedCode, FailedSignIn, RefreshToken
from access.services.codes import CODE_MEMORY
from access.services.refresh import REPEAT_WINDOW
from access.services.sign_in import WINDOW

KEPT: Final = timedelta(days=1)  # after a token's end, for whoever looks into a call of yesterday
BATCH: Final = 5000  # rows per statement, so that no lock is held for long
M = TypeVar("M", bound=models.Model)


def clear_expired() -> int:
    """Delete tokens and codes that ended, and counts of failed sign-ins; answers how many tokens went.

    A refresh token that was exchanged is kept as long as its family can live: whoever brings it back must be noticed.
    """
    now = timezone.now()
    FailedSignIn.objects.filter(window_started_at__lt=now - WINDOW).delete()
    ConsumedCode.objects.filter(consumed_at__lt=now - CODE_MEMORY).delete()
    AuthorizationCode.objects.filter(expires__lt=now - CODE_MEMORY).delete()
    RefreshToken.objects.filter(successor__isnull=False, superseded_at__lt=now - REPEAT_WINDOW).update(successor=None)
    oldest = now - timedelta(days=settings.REFRESH_TOKEN_DAYS) - KEPT
    refresh = _clear(RefreshToken.objects.filter(family_began_at__lt=oldest))
    # A refresh token that lives keeps its access token beside it: ending the family finds both.
    unneeded = Q(refresh_token__isnull=True) | Q(refresh_token__revoked__isnull=False)
    return refresh + _clear(AccessToken.objects.filter(unneeded, expires__lt=now - KEPT))


def _clear(ended: models.QuerySet[M]) -> int:
    cleared = 0
    while batch := list(ended.values_list("pk", flat=True)[:BATCH]):
        ended.model._default_manager.filter(pk__in=batch).delete()  # noqa: SLF001 -- Django's documented name
        cleared += len(batch)
    return cleared
