"""What people allowed agents to do in their name."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from access import querysets
from access.models.agents import Agent
from access.models.people import Person
from core.ids import new_id


class Consent(models.Model):
    """That a person let one agent act for them at one endpoint, with these scopes, by way of this redirect.

    `redirect_uri` is the registered one, so that a loopback client whose port changes has one row. `key` is a hash of
    redirect, resource and scopes: an index over the texts themselves would refuse long ones. `client_digest` says
    what the agent looked like; where it looks otherwise now, the person is asked again.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="consents")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="consents")
    redirect_uri = models.TextField()
    resource = models.TextField()
    scopes = ArrayField(models.TextField())
    key = models.CharField(max_length=64)
    client_digest = models.CharField(max_length=64)
    given_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = querysets.ConsentQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("person", "agent", "key"),
                condition=models.Q(revoked_at__isnull=True),
                name="consent_one_live",
            ),
            models.CheckConstraint(condition=models.Q(scopes__len__gt=0), name="consent_names_scopes"),
            models.CheckConstraint(condition=models.Q(ends_at__gt=models.F("given_at")), name="consent_ends_later"),
            models.CheckConstraint(
                condition=models.Q(key__regex=r"^[0-9a-f]{64}$", client_digest__regex=r"^[0-9a-f]{64}$"),
                name="consent_digests_are_sha256",
            ),
        )

    def __str__(self) -> str:
        return f"{self.person_id} to {self.agent_id} at {self.resource}"
