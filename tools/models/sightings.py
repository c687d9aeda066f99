"""What classes of principals were shown at the gateway, where it once differed from what the poller was shown."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from core.ids import new_id
from tools.models.definitions import Definition, DefinitionVersion
from tools.querysets import SightingQuerySet
from tools.rules import POLLER


class Sighting(models.Model):
    """The version of a definition that one vantage was last shown; none: it was not in the list.

    A row begins with the first other version than the poller was shown and follows that vantage from then on; what is
    merely not listed begins none. A version that nobody ever approved withholds the definition, until the vantage is
    shown something else or the sighting is `dismissed` by decision.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="sightings")
    vantage = models.CharField(max_length=100)
    version = models.ForeignKey(DefinitionVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    dismissed = models.ForeignKey(DefinitionVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    first_seen = models.DateTimeField(default=timezone.now, editable=False)
    seen_at = models.DateTimeField(default=timezone.now, help_text="when the look began that first showed just this")
    moves = models.PositiveIntegerField(default=0, db_default=0, help_text="how often it changed since `moves_since`")
    moves_since = models.DateTimeField(default=timezone.now, db_default=Now())

    objects = SightingQuerySet.as_manager()

    class Meta:
        ordering = ("-seen_at", "-id")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["definition", "vantage"], name="sighting_unique"),
            models.CheckConstraint(condition=~Q(vantage=POLLER) & ~Q(vantage=""), name="sighting_not_the_pollers"),
        ]

    def __str__(self) -> str:
        return f"{self.definition_id} at {self.vantage}"

    @property
    def poller_digest(self) -> str | None:
        """What the poller was shown last; None: it was not listed, empty: a form that is not kept."""
        definition = self.definition
        if not definition.present:
            return None
        return definition.observed.digest if definition.observed else ""
