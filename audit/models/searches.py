"""Filters of a list that somebody keeps under a name: of the log, and of other lists that use this."""

from enum import StrEnum

from django.db import models
from django.utils import timezone

from audit.querysets import SavedSearchQuerySet
from core.ids import new_id

NAME_MAX = 100


class Listed(StrEnum):
    """The list that a search narrows."""

    LOG = "log"
    REVIEWS = "reviews"


class SavedSearch(models.Model):
    """Filters under a name: somebody's own, or shared with everybody who may read the list. Rows may change.

    `owner` is a principal as records have it. `query` holds the filters as text; whoever opens it sees no more by it
    than by the same filters written by hand.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    owner = models.TextField()
    listed = models.CharField(max_length=10, default=Listed.LOG.value, db_default=Listed.LOG.value)
    name = models.TextField()
    query = models.JSONField()
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    objects = SavedSearchQuerySet.as_manager()

    class Meta:
        db_table = "audit_savedsearch"
        constraints = [
            models.UniqueConstraint(fields=["owner", "listed", "name"], name="audit_savedsearch_one_per_list_and_name"),
            models.CheckConstraint(
                condition=models.Q(listed__in=[Listed.LOG.value, Listed.REVIEWS.value]),
                name="audit_savedsearch_list_known",
            ),
            models.CheckConstraint(
                condition=models.Q(name__regex=rf"^.{{1,{NAME_MAX}}}$"), name="audit_savedsearch_name_short"
            ),
        ]
        indexes = [models.Index(fields=["shared"], condition=models.Q(shared=True), name="audit_savedsearch_shared")]

    def __str__(self) -> str:
        return self.name
