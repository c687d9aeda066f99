"""Agents (OAuth clients) and their tokens: django-oauth-toolkit's five models, swapped from the first migration.

The abstract models hold the columns; see `oauth2_provider.models`. Tokens are stored as their SHA-256 only, so the
plain `token` column is empty by constraint. Audit records name a token's `public_id`, never its row, because the
toolkit deletes access tokens when they are revoked.
"""

from datetime import UTC, datetime

from django.db import models
from django.db.models.functions import Length, Now
from django.db.models.lookups import Exact, LessThanOrEqual
from django.utils import timezone
from oauth2_provider.models import (
    AbstractAccessToken,
    AbstractApplication,
    AbstractGrant,
    AbstractIDToken,
    AbstractRefreshToken,
)

from access import querysets
from access.models.people import Team
from access.redirects import URI_MAX, URIS_MAX, URIS_PATTERN, matches
from core.ids import new_id


class AgentState(models.TextChoices):
    """Whether an agent may get and use tokens."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class NameStyle(models.TextChoices):
    """How lists spell a canonical name for this agent."""

    DOUBLE_UNDERSCORE = "double_underscore"
    SLASH = "slash"
    DOT = "dot"


class Agent(AbstractApplication):
    """A program that calls tools: an OAuth client with an owner and a state."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    owner_team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="agents")
    state = models.CharField(max_length=16, default=AgentState.ACTIVE.value)
    name_style = models.CharField(max_length=20, default=NameStyle.DOUBLE_UNDERSCORE.value)
    # Of what its document said of it when people decided; empty for an agent that has none.
    document_digest = models.CharField(max_length=64, blank=True, default="", db_default="")

    objects = querysets.AgentQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=("active", "suspended")), name="access_agent_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(name_style__in=("double_underscore", "slash", "dot")),
                name="access_agent_name_style_known",
            ),
            models.CheckConstraint(condition=models.Q(name__regex=r"\S"), name="agent_name_not_blank"),
            # The implicit and password grants do not exist here, whatever a form or a script sets.
            models.CheckConstraint(
                condition=models.Q(authorization_grant_type__in=("authorization-code", "client-credentials")),
                name="access_agent_grant_type_known",
            ),
            models.CheckConstraint(condition=models.Q(hash_client_secret=True), name="agent_secret_hashed"),
            models.CheckConstraint(
                condition=models.Q(client_type="confidential")
                | models.Q(client_type="public", authorization_grant_type="authorization-code"),
                name="agent_public_acts_for_people",
            ),
            models.CheckConstraint(
                condition=models.Q(document_digest="") & ~models.Q(registration_source="cimd")
                | models.Q(
                    registration_source="cimd",
                    client_type="public",
                    client_id__startswith="https://",
                    document_digest__regex=r"^[0-9a-f]{64}$",
                    cimd_expires_at__isnull=False,
                ),
                name="agent_document_complete",
            ),
            # The last line behind `access.redirects`: a row written by hand sends no code to http://evil either.
            models.CheckConstraint(
                condition=models.Q(
                    LessThanOrEqual(Length("redirect_uris"), (URI_MAX + 1) * URIS_MAX),
                    redirect_uris__regex=URIS_PATTERN,
                ),
                name="agent_redirect_uris_allowed",
            ),
        )

    def is_usable(self, request: object) -> bool:
        """Whether the toolkit may issue to this client: a suspended agent gets no token."""
        return self.state == AgentState.ACTIVE

    @property
    def source(self) -> str:
        """How it came to be known, in our words: by a person (manual), by its document, or by itself (dynamic)."""
        return {"cimd": "document", "dcr": "dynamic"}.get(str(self.registration_source), "manual")

    @property
    def has_document(self) -> bool:
        """Whether its client id is the URL of a document that describes it."""
        return bool(self.registration_source == Agent.RegistrationSource.CIMD)

    @property
    def document_ends_at(self) -> datetime:
        """Until when what its document said counts without another look."""
        return self.cimd_expires_at or datetime.min.replace(tzinfo=UTC)

    @property
    def is_public(self) -> bool:
        """Whether it has no secret: it runs where it could keep none."""
        return bool(self.client_type == Agent.CLIENT_PUBLIC)

    @property
    def acts_for_people(self) -> bool:
        """Whether its tokens are for people, by what they hold, and not for itself."""
        return bool(self.authorization_grant_type == Agent.GRANT_AUTHORIZATION_CODE)

    def redirect_uri_allowed(self, uri: str) -> bool:
        """Whether the toolkit may send an answer to `uri`: our rules, of which its own know only some."""
        return matches(uri, self.redirect_uris.split())


def _one_resource() -> Exact:
    length = models.Func(models.F("resource"), function="jsonb_array_length", output_field=models.IntegerField())
    return Exact(length, 1)


class AccessToken(AbstractAccessToken):
    """A token for exactly one protected resource."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=models.Q(token=""), name="access_token_not_in_plain"),
            models.CheckConstraint(condition=_one_resource(), name="access_token_for_one_resource"),
        )
        indexes = (models.Index(fields=("expires",), name="access_token_expires"),)


class RefreshToken(AbstractRefreshToken):
    """A token that is exchanged once for the next pair.

    Whoever lost the answer may ask again for a moment: `successor` holds the next pair, sealed under a key that only
    the exchanged token itself gives. `family_began_at` is when the person allowed what this all goes back to.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    superseded_at = models.DateTimeField(null=True, blank=True)
    successor = models.BinaryField(null=True, blank=True)
    family_began_at = models.DateTimeField(default=timezone.now, db_default=Now())
    scope = models.TextField(blank=True, default="", db_default="")

    class Meta:
        constraints = (
            # The toolkit's own key (checksum, revoked) lets two live rows share a checksum: NULLs are distinct.
            models.UniqueConstraint(fields=("token_checksum",), name="refresh_token_checksum_unique"),
            models.CheckConstraint(condition=models.Q(token=""), name="refresh_token_not_in_plain"),
            models.CheckConstraint(condition=_one_resource(), name="refresh_token_for_one_resource"),
            models.UniqueConstraint(
                fields=("token_family",), condition=models.Q(revoked__isnull=True), name="refresh_token_one_live"
            ),
            # A token that was exchanged is revoked; one that nobody exchanged has no successor.
            models.CheckConstraint(
                condition=models.Q(superseded_at__isnull=True) | models.Q(revoked__isnull=False),
                name="refresh_token_superseded_is_revoked",
            ),
            models.CheckConstraint(
                condition=models.Q(successor__isnull=True) | models.Q(superseded_at__isnull=False),
                name="refresh_token_successor_of_superseded",
            ),
        )
        indexes = (models.Index(fields=("token_family",), name="refresh_token_family"),)


class AuthorizationCode(AbstractGrant):
    """A code that is exchanged for tokens; the toolkit calls it a grant, a word that is ours."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)

    class Meta:
        constraints = (
            # `code` holds the SHA-256 of the code.
            models.CheckConstraint(condition=models.Q(code__regex=r"^[0-9a-f]{64}$"), name="code_not_in_plain"),
            models.CheckConstraint(
                condition=models.Q(code_challenge_method="S256", code_challenge__regex=r"^[A-Za-z0-9_-]{43}$"),
                name="code_bound_to_a_verifier",
            ),
            models.CheckConstraint(condition=_one_resource(), name="code_for_one_resource"),
        )


class ConsumedCode(models.Model):
    """A code that was exchanged, or tried to be: whoever brings it again ends the tokens that it gave.

    Kept for ten minutes. Text, no keys: it outlives the row of the code.
    """

    code = models.CharField(max_length=64, primary_key=True)
    family = models.UUIDField()
    consumed_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(code__regex=r"^[0-9a-f]{64}$"), name="consumed_code_not_in_plain"
            ),
        )

    def __str__(self) -> str:
        return f"family {self.family}"


class IDToken(AbstractIDToken):
    """Unused: the toolkit's migrations need the table; Holdfast is no identity provider."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
