"""Sessions of the handshake era, shared by every gateway process. The database keeps what no process may forget."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.names import SLUG_MAX


class Session(models.Model):
    """One session of a client with one server's endpoint, and the session with the server that stands behind it.

    `holder` is whom the session belongs to (`snapshot.Token.holder`). `capabilities` are the client's, as far as they
    are passed on. `upstream_id` is sealed. `generation` counts the sessions that were opened behind this one, so that
    two processes that both open one agree on the same. `upstream_opened_at` is when the last of them was opened, null
    where the server keeps none (it gave no id).
    """

    id = models.UUIDField(primary_key=True)
    slug = models.CharField(max_length=SLUG_MAX)
    holder = models.CharField(max_length=100)
    version = models.CharField(max_length=20)
    capabilities = models.JSONField(default=dict)
    generation = models.PositiveIntegerField(default=0)
    upstream_url = models.CharField(max_length=2000, blank=True, default="")
    upstream_id = models.TextField(blank=True, default="")
    upstream_version = models.CharField(max_length=20, blank=True, default="")
    upstream_opened_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["created_at"], name="gateway_session_by_age")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(generation=0, upstream_url="") | (Q(generation__gt=0) & ~Q(upstream_url="")),
                name="gateway_session_generation_paired",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slug} {self.id}"
