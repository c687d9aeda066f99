"""Sessions of people in the console: who, since when, from where."""

from django.db import models
from django.utils import timezone

from access import querysets
from access.models.people import Person

BROWSER_MAX = 200


class ConsoleSession(models.Model):
    """One browser's session. Its key is the SHA-256 of what the cookie holds, so that no dump signs anybody in.

    `person` is None until somebody has signed in. A trigger refuses a session without a second factor to a person who
    has one.
    """

    session_key = models.CharField(max_length=64, primary_key=True)
    session_data = models.TextField()
    expire_date = models.DateTimeField(db_index=True)
    public_id = models.UUIDField(unique=True)
    person = models.ForeignKey(Person, null=True, on_delete=models.CASCADE, related_name="console_sessions")
    began_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    browser = models.CharField(max_length=BROWSER_MAX, blank=True, default="")
    address = models.CharField(max_length=45, blank=True, default="")
    second_factor = models.CharField(max_length=20, blank=True, default="")

    objects = querysets.ConsoleSessionQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(session_key__regex=r"^[0-9a-f]{64}$"), name="console_session_key_is_sha256"
            ),
            models.CheckConstraint(
                condition=models.Q(second_factor__in=["", "totp", "passkey", "recovery_code"]),
                name="console_session_second_factor_known",
            ),
        )

    def __str__(self) -> str:
        return str(self.public_id)
