"""What policy was decided by before and after each change, as digests."""

from django.db import models

from access import querysets


class PolicyDigest(models.Model):
    """The digests of one part (as in `Revision`) before and after change number `n`, by table. Never changed.

    `digest` is that of `after` as a whole; `mac` authenticates the row, so that who can write tables cannot make one.
    """

    part = models.CharField(max_length=64)
    n = models.BigIntegerField()
    format = models.PositiveSmallIntegerField()
    before = models.JSONField()
    after = models.JSONField()
    digest = models.CharField(max_length=64)
    mac = models.CharField(max_length=80)
    made_at = models.DateTimeField(auto_now_add=True)

    objects = querysets.PolicyDigestQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=("part", "-id"), name="policy_digest_last"),)

    def __str__(self) -> str:
        return f"{self.part} {self.n}"
