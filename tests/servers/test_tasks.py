"""Periodic work on servers."""

from datetime import UTC, timedelta

import pytest
from django.utils import timezone

from core.histogram import SIZE
from servers.models import CallDay, HealthDay, HealthSample, Server
from servers.services import SAMPLES_KEPT
from servers.tasks import forget_old_samples

pytestmark = pytest.mark.django_db


def test_only_samples_that_no_page_shows_are_forgotten() -> None:
    server = Server.objects.create(slug="files", name="Files", url="http://127.0.0.1/", environment="development")
    now = timezone.now()
    old = HealthSample.objects.create(server=server, ok=True, time=now - SAMPLES_KEPT - timedelta(minutes=1))
    recent = HealthSample.objects.create(server=server, ok=False, time=now - SAMPLES_KEPT + timedelta(minutes=1))
    assert forget_old_samples() == 1
    assert list(HealthSample.objects.all()) == [recent]
    assert old.pk != recent.pk


def test_days_are_forgotten_with_their_samples() -> None:
    server = Server.objects.create(slug="files", name="Files", url="http://127.0.0.1/", environment="development")
    oldest = (timezone.now() - SAMPLES_KEPT).astimezone(UTC).date()
    for kind, more in ((HealthDay, {"failed": 0}), (CallDay, {})):
        for day in (oldest, oldest - timedelta(days=1)):
            kind.objects.create(server=server, day=day, took=[0] * SIZE, **more)
    forget_old_samples()
    assert [HealthDay.objects.get().day, CallDay.objects.get().day] == [oldest, oldest]
