"""Shapes of the API. Texts from upstream are given as they are; showing them safely is the reader's."""

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tools.models import Definition, Finding, Review, ReviewDecision
from tools.presentation import FieldView, ReviewView, review_view
from tools.rules import REASON_MAX, DefinitionState, Verdict, approvals_needed, may_count
from tools.services.deciding import BULK_MAX

JSON_OBJECT = {"type": ["object", "null"], "additionalProperties": True}


class FindingSerializer(serializers.ModelSerializer[Finding]):
    """One finding of the scanner."""

    class Meta:
        model = Finding
        fields = ("rule", "severity", "confidence", "field", "evidence")


class DefinitionSerializer(serializers.ModelSerializer[Definition]):
    """One definition. `digest` is what the server shows now, `approved_digest` what is pinned."""

    id = serializers.UUIDField(source="public_id")
    server = serializers.CharField(source="server.slug")
    digest = serializers.CharField(source="observed.digest", default="")
    approved_digest = serializers.SerializerMethodField()
    approved_until = serializers.DateTimeField(source="pin_expires_at", allow_null=True)
    state = serializers.SerializerMethodField()

    class Meta:
        model = Definition
        fields = (
            "id", "server", "kind", "name", "state", "digest", "approved_digest", "approved_until", "sensitive",
            "first_seen", "last_seen", "vanished_at",
        )  # fmt: skip

    def get_approved_digest(self, row: Any) -> str:
        """The live pin's digest, or nothing."""
        return row.pin_digest or ""

    @extend_schema_field({"type": "string", "enum": [state.value for state in DefinitionState]})
    def get_state(self, row: Any) -> str:
        """Held, approved or gone: derived at the moment of asking."""
        if not row.present:
            return DefinitionState.GONE.value
        return DefinitionState.APPROVED.value if row.approved else DefinitionState.HELD.value


class DefinitionDetailSerializer(DefinitionSerializer):
    """One definition with both texts."""

    body = serializers.SerializerMethodField()
    approved_body = serializers.SerializerMethodField()

    class Meta:
        model = Definition
        fields = (*DefinitionSerializer.Meta.fields, "body", "approved_body")

    @extend_schema_field(JSON_OBJECT)
    def get_body(self, row: Any) -> Any:
        """What the server shows now."""
        return json.loads(row.observed.text) if row.observed else None

    @extend_schema_field(JSON_OBJECT)
    def get_approved_body(self, row: Any) -> Any:
        """What agents are shown."""
        return json.loads(row.pin_text) if row.pin_text else None


class ReviewSerializer(serializers.ModelSerializer[Review]):
    """One review. `digest` is what an approval has to name; `change` lists the classes of what changed."""

    id = serializers.UUIDField(source="public_id")
    definition = serializers.UUIDField(source="definition.public_id")
    server = serializers.CharField(source="definition.server.slug")
    kind = serializers.CharField(source="definition.kind")
    name = serializers.CharField(source="definition.name")
    digest = serializers.CharField(source="version.digest")
    findings = FindingSerializer(source="version.findings", many=True)
    approvals = serializers.SerializerMethodField()
    required_approvals = serializers.SerializerMethodField()

    class Meta:
        model = Review
        fields = (
            "id", "server", "kind", "name", "digest", "change", "findings", "risk", "state", "definition", "approvals",
            "required_approvals", "opened_at", "closed_at",
        )  # fmt: skip

    def get_approvals(self, review: Review) -> int:
        """How many approvals that count there are so far."""
        server = review.definition.server
        return sum(
            decision.verdict == Verdict.APPROVE
            and may_count(
                decision.person_id,
                needed=self.get_required_approvals(review),
                registered_by=server.registered_by_id,
                endpoint_changed_by=server.endpoint_changed_by_id,
            )
            for decision in review.decisions.all()
        )

    def get_required_approvals(self, review: Review) -> int:
        """How many have to."""
        return approvals_needed(review=review.required_approvals, server=review.definition.server.required_approvals)


class DecisionSerializer(serializers.ModelSerializer[ReviewDecision]):
    """What one person decided."""

    person = serializers.CharField(source="person.username")

    class Meta:
        model = ReviewDecision
        fields = ("person", "verdict", "digest", "reason", "approve_until", "time")


class SegmentSerializer(serializers.Serializer[Any]):
    """A stretch of a word diff."""

    op = serializers.CharField()
    text = serializers.CharField()


class FieldChangeSerializer(serializers.Serializer[FieldView]):
    """One changed field; `path` is a JSON pointer, values are text or null where nothing is."""

    path = serializers.CharField(source="pointer")
    change = serializers.CharField(source="cls")
    sentence = serializers.CharField()
    before = serializers.CharField(allow_null=True)
    after = serializers.CharField(allow_null=True)
    segments = SegmentSerializer(many=True)
    cut = serializers.BooleanField()


class ReviewDetailSerializer(ReviewSerializer):
    """One review with the approved and the held text, and what differs."""

    before = serializers.SerializerMethodField()
    after = serializers.SerializerMethodField()
    fields_changed = serializers.SerializerMethodField()
    more_fields = serializers.SerializerMethodField()
    decisions = DecisionSerializer(many=True)

    class Meta:
        model = Review
        fields = (*ReviewSerializer.Meta.fields, "before", "after", "fields_changed", "more_fields", "decisions")

    @extend_schema_field(JSON_OBJECT)
    def get_before(self, review: Review) -> Any:
        """What was approved when the review opened, or null."""
        return json.loads(review.base.text) if review.base else None

    @extend_schema_field(JSON_OBJECT)
    def get_after(self, review: Review) -> Any:
        """What the review is about."""
        return json.loads(review.version.text)

    @extend_schema_field(FieldChangeSerializer(many=True))
    def get_fields_changed(self, review: Review) -> Any:
        """Field by field."""
        return [FieldChangeSerializer(field).data for field in self._view(review).fields]

    def get_more_fields(self, review: Review) -> bool:
        """Whether more fields differ than are listed."""
        return self._view(review).more_fields

    def _view(self, review: Review) -> ReviewView:
        if not hasattr(self, "_shown"):
            self._shown = review_view(
                kind=review.definition.kind,
                name=review.definition.name,
                before=review.base.text if review.base else None,
                after=review.version.text,
                change=review.change,
            )
        return self._shown


class VerdictSerializer(serializers.Serializer[Any]):
    """A decision on one review."""

    digest = serializers.CharField(max_length=80)
    reason = serializers.CharField(max_length=REASON_MAX)
    approve_until = serializers.DateTimeField(required=False, allow_null=True, default=None)


class RejectionSerializer(serializers.Serializer[Any]):
    """A rejection of one review."""

    digest = serializers.CharField(max_length=80)
    reason = serializers.CharField(max_length=REASON_MAX)


class ChoiceSerializer(serializers.Serializer[Any]):
    """One item of a bulk decision."""

    id = serializers.UUIDField()
    digest = serializers.CharField(max_length=80)


class BulkDecisionSerializer(serializers.Serializer[Any]):
    """One decision on several reviews, with one reason."""

    decision = serializers.ChoiceField(choices=[verdict.value for verdict in Verdict])
    reason = serializers.CharField(max_length=REASON_MAX)
    reviews = serializers.ListField(child=ChoiceSerializer(), allow_empty=False, max_length=BULK_MAX)


class ItemErrorSerializer(serializers.Serializer[Any]):
    """Why one item of a bulk decision stayed as it was."""

    code = serializers.CharField()
    message = serializers.CharField()


class ItemResultSerializer(serializers.Serializer[Any]):
    """One item's result: the review's state now, or an error."""

    id = serializers.UUIDField()
    result = serializers.CharField(required=False)
    error = ItemErrorSerializer(required=False)


class BulkResultSerializer(serializers.Serializer[Any]):
    """One result per item, in the order of the request."""

    results = ItemResultSerializer(many=True)


class SensitiveSerializer(serializers.Serializer[Any]):
    """Marks a definition as sensitive, or not."""

    sensitive = serializers.BooleanField()
    reason = serializers.CharField(max_length=REASON_MAX)


class PollResultSerializer(serializers.Serializer[Any]):
    """What came of a poll; `error` is a sentence."""

    complete = serializers.BooleanField()
    definitions = serializers.IntegerField()
    reviews_opened = serializers.IntegerField()
    error = serializers.CharField(allow_null=True)
    error_class = serializers.CharField(allow_blank=True)


class QueuedSerializer(serializers.Serializer[Any]):
    """The poll was handed to a worker."""

    queued = serializers.BooleanField()
