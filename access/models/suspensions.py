"""What is suspended, by whom and why, and who lifted it: the rows of the kill switch."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from access import querysets
from access.models.people import Person
from core.ids import new_id
from core.names import SLUG_MAX


class Suspension(models.Model):
    """One stop, from when it was set until another person lifts it. A trigger lets nobody change it but that once.

    `name` is text: a server's slug, `tool:files/read`, an agent's client id, a person's public id, a team's slug, or
    nothing for everything. Without a person it was set, or lifted, by the command line on the host.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    kind = models.CharField(max_length=16)
    name = models.TextField(blank=True, default="")
    owner_team = models.CharField(max_length=SLUG_MAX, blank=True, default="")
    reason = models.TextField()
    suspended_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    suspended_at = models.DateTimeField(db_default=Now())  # the clock that the trigger compares with
    lifted_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    lifted_at = models.DateTimeField(null=True, blank=True)
    lift_reason = models.TextField(blank=True, default="")

    objects = querysets.SuspensionQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("kind", "name"), condition=Q(lifted_at__isnull=True), name="suspended_once_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=("server", "definition", "agent", "person", "team", "everything")),
                name="access_suspension_kind_known",
            ),
            models.CheckConstraint(
                condition=Q(kind="everything", name="") | (~Q(kind="everything") & ~Q(name="")),
                name="suspension_names_a_thing",
            ),
            models.CheckConstraint(condition=Q(reason__regex=r"\S"), name="suspension_reason_not_blank"),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by__isnull=True, lift_reason="")
                | Q(lifted_at__gte=F("suspended_at"), lift_reason__regex=r"\S"),
                name="suspension_lifted_whole",
            ),
            models.CheckConstraint(
                condition=Q(lifted_by__isnull=True) | Q(suspended_by__isnull=True) | ~Q(lifted_by=F("suspended_by")),
                name="suspension_lifted_by_another",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()
