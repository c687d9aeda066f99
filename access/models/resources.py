"""What a token may be for, and the revisions by which gateways notice a change."""

from django.db import models

from access.models.agents import Agent


class ProtectedResource(models.Model):
    """One endpoint of the gateway that tokens are issued for (RFC 8707). Servers keep it in step; text, no key."""

    uri = models.TextField(unique=True)
    server_slug = models.CharField(max_length=24, unique=True)
    active = models.BooleanField(default=True)
    # The agent that stands for the server itself and may ask what a token for it is worth (RFC 7662).
    introspector = models.ForeignKey(Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    def __str__(self) -> str:
        return self.uri


class Revision(models.Model):
    """The number of the latest change of one part of what the gateway knows (`access`, `server:<slug>`)."""

    part = models.CharField(max_length=64, primary_key=True)
    n = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.part} {self.n}"
