"""Roles and the grants that give them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.db.models.lookups import Exact

from access import querysets
from access.completing import Completed
from access.models.agents import Agent
from access.models.people import NAME_MAX, Person, Team
from core.ids import new_id


class Reach(models.TextChoices):
    """Whether a role's permissions reach everything or what the holder's teams own."""

    INSTALLATION = "installation"
    OWN_TEAMS = "own_teams"


class Environment(models.TextChoices):
    """Where a grant holds; empty means everywhere. The same words as a server's environment."""

    EVERYWHERE = ""
    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class Role(models.Model):
    """A name for a list of permissions and MCP scopes."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    name = models.CharField(max_length=NAME_MAX)
    description = models.TextField(blank=True, default="")
    scopes = ArrayField(models.TextField(), default=list, blank=True)
    builtin = models.BooleanField(default=False)
    reach = models.CharField(max_length=16, default=Reach.INSTALLATION.value)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    completes: Completed | None = None  # no column: what it was found to complete when it was changed

    objects = querysets.RoleQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(Lower("name"), name="role_name_unique"),
            models.CheckConstraint(condition=models.Q(name__regex=r"\S"), name="role_name_not_blank"),
            models.CheckConstraint(
                condition=models.Q(reach__in=("installation", "own_teams")), name="access_role_reach_known"
            ),
        )

    def __str__(self) -> str:
        return self.name


def _is_object(field: str) -> Exact:
    return Exact(models.Func(models.F(field), function="jsonb_typeof", output_field=models.TextField()), "object")


class Grant(models.Model):
    """That one person, agent or team holds a role, perhaps only in one environment, until a time, or on conditions.

    A team's grant reaches its people, not the agents that it owns: an agent holds only what it was given itself.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="grants")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="grants")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, null=True, blank=True, related_name="grants")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="grants")
    environment = models.CharField(max_length=16, blank=True, default="")
    expires_at = models.DateTimeField(null=True, blank=True)
    conditions = models.JSONField(default=dict, db_default={}, blank=True)  # see `access.conditions`
    granted_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    completes: Completed | None = None  # no column: what it was found to complete when it was given

    objects = querysets.GrantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=(
                    models.Q(person__isnull=False, agent__isnull=True, team__isnull=True)
                    | models.Q(person__isnull=True, agent__isnull=False, team__isnull=True)
                    | models.Q(person__isnull=True, agent__isnull=True, team__isnull=False)
                ),
                name="grant_has_one_holder",
            ),
            models.CheckConstraint(
                condition=models.Q(environment__in=("", "development", "staging", "production")),
                name="access_grant_environment_known",
            ),
            models.CheckConstraint(condition=models.Q(reason__regex=r"\S"), name="grant_reason_not_blank"),
            models.CheckConstraint(
                condition=models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=models.F("created_at")),
                name="grant_expires_later",
            ),
            models.CheckConstraint(condition=_is_object("conditions"), name="grant_conditions_object"),
        )

    def __str__(self) -> str:
        return f"{self.role_id} to {self.person_id or self.agent_id or self.team_id}"


class RoleSeparation(models.Model):
    """That no person may hold both of two roles, by grants of their own or of their teams, active or not.

    A trigger on grants, memberships and separations enforces it (migration 0004); the lower key stands first.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    first = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="+")
    second = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()
    created_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = querysets.RoleSeparationQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("first", "second"), name="roles_separated_once"),
            models.CheckConstraint(condition=models.Q(first__lt=models.F("second")), name="roles_separated_in_order"),
            models.CheckConstraint(condition=models.Q(reason__regex=r"\S"), name="separation_reason_not_blank"),
        )

    def __str__(self) -> str:
        return f"{self.first_id} apart from {self.second_id}"
