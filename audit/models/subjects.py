"""Names behind pseudonyms."""

from django.db import models

from audit.querysets import SubjectQuerySet


class Subject(models.Model):
    """Who stands behind a pseudonym. The one table here that may change: forgetting a person empties its row."""

    pseudonym = models.UUIDField(unique=True)
    public_id = models.UUIDField(unique=True, null=True)
    name = models.TextField()

    objects = SubjectQuerySet.as_manager()

    class Meta:
        db_table = "audit_subject"
        indexes = [models.Index(fields=["name"], name="audit_subject_name")]

    def __str__(self) -> str:
        return self.name
