"""People, their teams, and the tokens that act for them at the API."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower

from access import querysets
from core.ids import new_id

USERNAME_MAX = 150
NAME_MAX = 120
LANGUAGE_MAX = 16


class Person(AbstractBaseUser):  # type: ignore[django-manager-missing]  # the toolkit's models have no types
    """Somebody who signs in. What they may do comes from grants alone; there is no flag that outranks them."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    username = models.CharField(max_length=USERNAME_MAX, unique=True)
    display_name = models.CharField(max_length=NAME_MAX, blank=True, default="")
    email = models.EmailField(blank=True, default="")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    language = models.CharField(max_length=LANGUAGE_MAX, blank=True, default="", db_default="")  # empty: the browser's

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = querysets.PersonQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "people"
        ordering = ("username",)
        constraints = (
            models.UniqueConstraint(Lower("username"), name="person_username_unique"),
            # ASCII only: PostgreSQL and Python then agree on lower case, and no name looks like another.
            models.CheckConstraint(
                condition=models.Q(username__regex=r"^[A-Za-z0-9][A-Za-z0-9@._+-]*$"), name="person_username_form"
            ),
        )

    def __str__(self) -> str:
        return self.display_name or self.username

    def get_full_name(self) -> str:
        """The name to show."""
        return self.display_name or self.username


class Team(models.Model):  # type: ignore[django-manager-missing]  # the toolkit's models have no types
    """People who own servers and agents together."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    slug = models.CharField(max_length=24, unique=True)
    name = models.CharField(max_length=NAME_MAX)
    created_at = models.DateTimeField(auto_now_add=True)
    members = models.ManyToManyField(Person, through="Membership", related_name="teams")

    objects = querysets.TeamQuerySet.as_manager()

    class Meta:
        ordering = ("slug",)
        constraints = (
            models.CheckConstraint(condition=models.Q(slug__regex=r"^[a-z0-9]+(-[a-z0-9]+)*$"), name="team_slug_form"),
            models.CheckConstraint(condition=models.Q(name__regex=r"\S"), name="team_name_not_blank"),
        )

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """That a person belongs to a team."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="memberships")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("team", "person"), name="membership_once"),)

    def __str__(self) -> str:
        return f"{self.person_id} in {self.team_id}"


class ApiToken(models.Model):
    """A bearer token of the REST API: what its person may do, narrowed to `scopes` (empty: all of it).

    Only the SHA-256 of the token is stored; it is shown once, when it is made.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=NAME_MAX, blank=True, default="")
    token_checksum = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.TextField(), default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = querysets.ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(token_checksum__regex=r"^[0-9a-f]{64}$"),  # noqa: S106 -- a pattern
                name="api_token_checksum_is_sha256",
            ),
        )

    def __str__(self) -> str:
        return self.name or str(self.public_id)


class FailedSignIn(models.Model):
    """How often signing in failed for one user name from one address, within the current window.

    A table and no cache, because it must hold across processes and when Redis is away.
    """

    key = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    window_started_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.count} since {self.window_started_at}"
