"""Change policies: written rules that approve harmless changes, in the name of the people who signed them."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from core.ids import new_id
from tools.models.known import paired, said
from tools.querysets import PolicyQuerySet


class ChangePolicy(models.Model):
    """One rule by name. It decides only while one of its revisions is in force; a new one has none."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    in_force = models.OneToOneField(
        "tools.PolicyRevision", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = PolicyQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints: ClassVar = [said("name", "policy_named")]

    def __str__(self) -> str:
        return self.name


class PolicyRevision(models.Model):
    """The rule as it was written at one time (`tools.policies.Rule`). Append-only, but for a second person's yes.

    Its approvals count as those of whoever wrote it and of whoever confirmed it, so a server that asks for two
    people is only ever decided for by a confirmed revision.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    policy = models.ForeignKey(ChangePolicy, on_delete=models.PROTECT, related_name="revisions")
    n = models.PositiveIntegerField()
    classes = ArrayField(models.CharField(max_length=40), help_text="the change classes that it may approve")
    kinds = ArrayField(models.CharField(max_length=20), default=list, blank=True, help_text="empty: every kind")
    environments = ArrayField(models.CharField(max_length=20))
    servers = ArrayField(models.CharField(max_length=24), default=list, blank=True, help_text="slugs; empty: all")
    text_max = models.PositiveIntegerField(default=0, help_text="characters of wording that may differ, at most")
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    why = models.CharField(max_length=2000)
    written_at = models.DateTimeField(default=timezone.now, editable=False)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    confirmed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-n",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["policy", "n"], name="policy_revision_unique"),
            models.CheckConstraint(
                condition=Q(classes__len__gt=0, environments__len__gt=0), name="policy_revision_says_what_and_where"
            ),
            said("why", "policy_revision_says_why"),
            paired("confirmed_by", "confirmed_at", "policy_revision_confirmed_paired"),
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True) | ~Q(confirmed_by=F("written_by")),
                name="policy_revision_confirmed_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.policy_id} revision {self.n}"
