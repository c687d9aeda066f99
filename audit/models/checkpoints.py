"""What the sequencer signed, and who led when. Append-only."""

from django.db import models


class Epoch(models.Model):
    """One leadership of a sequencer. Who leads checks that no later row exists before anything is written."""

    host = models.TextField()
    process = models.TextField()
    started_at = models.DateTimeField()

    class Meta:
        db_table = "audit_epoch"

    def __str__(self) -> str:
        return f"epoch {self.pk} of {self.host}"


class Checkpoint(models.Model):
    """A signed checkpoint. `note` is what counts (c2sp.org/tlog-checkpoint); the other columns say the same."""

    origin = models.TextField()
    size = models.BigIntegerField()
    root = models.BinaryField()
    note = models.TextField()
    signed_at = models.DateTimeField()
    epoch = models.BigIntegerField()

    class Meta:
        db_table = "audit_checkpoint"
        constraints = [models.CheckConstraint(condition=models.Q(size__gte=0), name="audit_checkpoint_size")]
        indexes = [models.Index(fields=["origin", "size"], name="audit_checkpoint_origin")]

    def __str__(self) -> str:
        return f"{self.origin} {self.size}"


class ClosedWriter(models.Model):
    """A writer of a month that is long over, with all its records placed: nobody asks for more of them."""

    writer = models.UUIDField(primary_key=True)
    seq = models.BigIntegerField()
    closed_at = models.DateTimeField()

    class Meta:
        db_table = "audit_writer_closed"

    def __str__(self) -> str:
        return f"{self.writer} ended at {self.seq}"
