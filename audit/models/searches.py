"""Searches of the log that somebody keeps."""

from django.db import models
from django.utils import timezone

from audit.querysets import SavedSearchQuerySet
from core.ids import new_id

NAME_MAX = 100


class SavedSearch(models.Model):
    """Filters under a name: somebody's own, or shared with everybody who may read the log. Rows may change.

    `owner` is a principal as records have it. `query` holds the filters as text; whoever opens it sees no more by it
    than by the same filters written by hand.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    owner = models.TextField()
    name = models.TextField()
    query = models.JSONField()
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    objects = SavedSearchQuerySet.as_manager()

    class Meta:
        db_table = "audit_savedsearch"
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="audit_savedsearch_one_per_name"),
            models.CheckConstraint(
                condition=models.Q(name__regex=rf"^.{{1,{NAME_MAX}}}$"), name="audit_savedsearch_name_short"
            ),
        ]
        indexes = [models.Index(fields=["shared"], condition=models.Q(shared=True), name="audit_savedsearch_shared")]

    def __str__(self) -> str:
        return self.name
