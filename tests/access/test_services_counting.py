"""Counts of what strangers ask for."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from access.models import RequestCount
from access.services.counting import count_request

pytestmark = pytest.mark.django_db


def test_each_key_is_counted_on_its_own_until_its_window_ends() -> None:
    with time_machine.travel(timezone.now(), tick=False):
        assert [count_request("a").count for _ in range(3)] == [1, 2, 3]
        assert count_request("b").count == 1
        RequestCount.objects.update(window_started_at=timezone.now() - timedelta(seconds=50))
        later = count_request("a")
        assert (later.count, 9 <= later.seconds_left <= 10) == (4, True)
        RequestCount.objects.update(window_started_at=timezone.now() - timedelta(seconds=60))
        assert count_request("a").count == 1
