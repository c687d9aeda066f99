"""Payloads of calls, and what two people agreed to remove.

Payloads are the one thing of the log that is made to end: each row leaves with its time, or when two people say so.
Neither a row's content nor a request or its confirmation can be changed.
"""

import uuid

from django.db import models
from django.db.models.functions import Now

from audit.payload import ARGUMENTS, PARTS, RESULT
from audit.querysets import PayloadQuerySet, RemovalQuerySet


class StoredPayload(models.Model):
    """One row of a call's payload; `audit.payload` says what stands in it."""

    pk = models.CompositePrimaryKey("call_id", "record_id")
    call_id = models.UUIDField()
    record_id = models.UUIDField()
    part = models.TextField()
    shard = models.IntegerField()
    expires_at = models.DateTimeField()
    key_id = models.BinaryField()
    secret = models.BinaryField()
    sealed = models.BinaryField()
    size = models.BigIntegerField()

    objects = PayloadQuerySet.as_manager()

    class Meta:
        db_table = "audit_payload"
        constraints = [
            models.CheckConstraint(condition=models.Q(part__in=PARTS), name="audit_payload_part_known"),
            models.CheckConstraint(condition=models.Q(size__gte=0), name="audit_payload_size_positive"),
            models.CheckConstraint(
                condition=models.Q(part=ARGUMENTS) & ~models.Q(secret=b"") | models.Q(part=RESULT, secret=b""),
                name="audit_payload_secret_with_arguments",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], name="audit_payload_expires")]

    def __str__(self) -> str:
        return f"{self.part} of {self.call_id}"


class Removal(models.Model):
    """Somebody asked to remove a payload before its time, or the bodies of a shard. Another person has to agree."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    call_id = models.UUIDField(null=True)
    shard = models.IntegerField(null=True)
    reason = models.TextField()
    requested_by = models.TextField()
    requested_at = models.DateTimeField(db_default=Now())

    objects = RemovalQuerySet.as_manager()

    class Meta:
        db_table = "audit_removal"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(call_id__isnull=False, shard__isnull=True)
                | models.Q(call_id__isnull=True, shard__isnull=False),
                name="audit_removal_of_one_thing",
            ),
        ]
        indexes = [models.Index(fields=["call_id"], name="audit_removal_call")]

    def __str__(self) -> str:
        return f"removal {self.id}"


class RemovalConfirmation(models.Model):
    """Another person agreed. A trigger refuses the one who asked."""

    removal = models.OneToOneField(Removal, primary_key=True, on_delete=models.PROTECT, related_name="confirmation")
    confirmed_by = models.TextField()
    confirmed_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "audit_removal_confirmation"

    def __str__(self) -> str:
        return f"confirmation of {self.removal_id}"


class Retention(models.Model):
    """How many whole months of bodies are kept; 0: all. The owner's: `grant_roles` writes it, and nobody else may."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    months = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "audit_retention"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="audit_retention_one")]

    def __str__(self) -> str:
        return f"{self.months} months"
