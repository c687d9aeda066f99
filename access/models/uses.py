"""What grants were used for: counted from the audit log, never while a call waits."""

from typing import Final

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from access.models.agents import Agent
from access.models.roles import Grant

USES: Final = "uses"  # the one name of a cursor


class GrantUse(models.Model):
    """That calls of one definition were carried by a grant; without a name, that its holder connected or listed.

    `server`, `kind` and `name` are text (ADR 0001), `scope` the definition's own, by which a role may name it.
    """

    grant = models.ForeignKey(Grant, on_delete=models.CASCADE, related_name="uses")
    server = models.TextField()
    kind = models.TextField(blank=True, default="")
    name = models.TextField(blank=True, default="")
    scope = models.TextField()
    first_used = models.DateTimeField()
    last_used = models.DateTimeField()
    calls = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("grant", "server", "kind", "name"), name="grant_use_once"),
            models.CheckConstraint(condition=Q(calls__gt=0), name="grant_use_counted"),
            models.CheckConstraint(condition=Q(last_used__gte=F("first_used")), name="grant_use_in_order"),
            models.CheckConstraint(
                condition=Q(kind="", name="") | (~Q(kind="") & ~Q(name="")), name="grant_use_of_a_definition_or_none"
            ),
        )
        indexes = (
            models.Index(fields=("grant", "last_used"), name="grant_use_latest"),
            models.Index(fields=("server", "kind", "name", "last_used"), name="grant_use_of_definition"),
        )

    def __str__(self) -> str:
        return f"{self.scope} by {self.grant_id}: {self.calls}"


class AgentUse(models.Model):
    """When an agent last called, listed or connected and was let through, by whichever grant, its own or a person's."""

    agent = models.OneToOneField(Agent, on_delete=models.CASCADE, primary_key=True, related_name="use")
    last_used = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.agent_id}: {self.last_used}"


class UseCursor(models.Model):
    """How far the audit log was counted: its last index, and since when whatever a grant carried is counted."""

    name = models.TextField(unique=True)
    index = models.BigIntegerField(default=-1)
    since = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} at {self.index}"
