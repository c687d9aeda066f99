"""What is remembered of strangers who ask: how often, and which documents could not be had.

Tables and no cache: they hold across processes and restarts, and when Redis is away.
"""

from django.db import models


class RequestCount(models.Model):
    """How often something was asked for within the current window, by key (a kind and an address)."""

    key = models.CharField(max_length=100, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    window_started_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.key}: {self.count} since {self.window_started_at}"


class FailedDocument(models.Model):
    """That a client's document was not to be had or not acceptable, so that it is not fetched again at once."""

    url = models.CharField(max_length=255, primary_key=True)
    final = models.BooleanField(default=False)  # its publisher said so; otherwise what we have goes on to count
    failed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.url} at {self.failed_at}"
