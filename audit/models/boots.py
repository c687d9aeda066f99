"""Processes that write to the log, and how far each is."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Boot(models.Model):
    """One start of a gateway process. A hint where to look for calls without an end, and no part of the log.

    `open_calls`: what was under way at the last beat; a call whose intent has an id before `mark` and that is not among
    them is over. `missed_at`: when nobody held its lock for the first time; `ended_at`: when it was taken for dead;
    `reconciled_at`: when the last of its calls had its end on record.
    """

    id = models.UUIDField(primary_key=True)
    host = models.TextField()
    process = models.TextField()
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField(null=True)
    mark = models.UUIDField(null=True)
    open_calls = ArrayField(models.UUIDField(), default=list)
    missed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    reconciled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "audit_boot"
        indexes = [
            models.Index(
                fields=["started_at"],
                condition=models.Q(reconciled_at__isnull=True),
                name="audit_boot_unreconciled",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.host} {self.process}"
