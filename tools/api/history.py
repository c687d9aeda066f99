"""Shapes of a definition's history in the API: its versions, its pins, and two versions side by side."""

import json
from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tools.api.findings import FindingSerializer
from tools.api.serializers import JSON_OBJECT, DecisionSerializer, FieldChangeSerializer
from tools.models import DefinitionVersion, Pin, Review
from tools.presentation import ReviewView


class PastReviewSerializer(serializers.ModelSerializer[Review]):
    """One review of a version. `times`: how often the same version came to wait against the same approved one."""

    id = serializers.UUIDField(source="public_id")
    decisions = DecisionSerializer(many=True)

    class Meta:
        model = Review
        fields = ("id", "state", "vantage", "change", "risk", "times", "opened_at", "closed_at", "decisions")


class VersionSerializer(serializers.ModelSerializer[DefinitionVersion]):
    """One version that was seen. `text_let_go_at`: only its digest was kept, so it cannot be compared."""

    text_let_go_at = serializers.DateTimeField(source="let_go_at", allow_null=True)
    findings = FindingSerializer(many=True)
    reviews = PastReviewSerializer(many=True, help_text="As far as you may read reviews.")

    class Meta:
        model = DefinitionVersion
        fields = ("digest", "projection", "first_seen", "text_let_go_at", "findings", "reviews")


class PinSerializer(serializers.ModelSerializer[Pin]):
    """One pin. `returned_by` went back to a version that had been approved before; `ended_by` withdrew the approval.

    Who and why are decisions: null, as `review` and `decisions`, if you may not read reviews.
    """

    id = serializers.UUIDField(source="public_id")
    digest = serializers.CharField(source="version.digest")
    review = serializers.UUIDField(source="review.public_id", default=None, allow_null=True)
    decisions = DecisionSerializer(
        source="review.decisions",
        many=True,
        default=None,
        allow_null=True,
        help_text="Null, as `review`, if you may not read reviews.",
    )
    returned_by = serializers.CharField(source="returned_by.username", default=None, allow_null=True)
    returned_why = serializers.CharField(allow_null=True)
    ended_by = serializers.CharField(source="ended_by.username", default=None, allow_null=True)
    ended_why = serializers.CharField(allow_null=True)

    class Meta:
        model = Pin
        fields = (
            "id", "digest", "set_at", "expires_at", "review", "decisions", "returned_by", "returned_why", "ended_at",
            "ended_reason", "ended_by", "ended_why",
        )  # fmt: skip

    def to_representation(self, instance: Pin) -> dict[str, Any]:
        """What the reader may see of it; a pin whose review they may not read comes without (`for_history`)."""
        shown: dict[str, Any] = super().to_representation(instance)
        hidden = () if shown["review"] else ("returned_by", "returned_why", "ended_by", "ended_why")
        return shown | dict.fromkeys(hidden)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions and what differs between them."""

    older: DefinitionVersion
    newer: DefinitionVersion
    view: ReviewView


class ComparisonSerializer(serializers.Serializer[Comparison]):
    """Two versions of one definition side by side, as a review shows them."""

    from_digest = serializers.CharField(source="older.digest")
    to_digest = serializers.CharField(source="newer.digest")
    change = serializers.ListField(child=serializers.CharField(), source="view.change.classes")
    risk = serializers.CharField(source="view.change.risk")
    sentences = serializers.ListField(child=serializers.CharField(), source="view.sentences")
    fields_changed = FieldChangeSerializer(source="view.fields", many=True)
    more_fields = serializers.BooleanField(source="view.more_fields")
    before = serializers.SerializerMethodField()
    after = serializers.SerializerMethodField()

    @extend_schema_field(JSON_OBJECT)
    def get_before(self, compared: Comparison) -> Any:
        """The older version."""
        return json.loads(compared.older.text)

    @extend_schema_field(JSON_OBJECT)
    def get_after(self, compared: Comparison) -> Any:
        """The newer version."""
        return json.loads(compared.newer.text)
