"""Shapes of the API. Texts from upstream are given as they are; showing them safely is the reader's."""

import json
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from servers.surface import Kind
from tools.api.findings import ReviewFindingSerializer
from tools.api.relatives import PrecedentSerializer, RelativeSerializer
from tools.effects import Effect
from tools.models import Definition, Review, ReviewDecision
from tools.presentation import FieldView, ReviewView, review_view, scopes_for
from tools.prompted import Prompted, prompted
from tools.relatives import precedents_of, relatives_of
from tools.risk import LEVELS, is_incomplete, level
from tools.rules import REASON_MAX, Because, DefinitionState, Verdict, approvals_needed, because
from tools.services.closing import given
from tools.services.deciding import BULK_MAX

JSON_OBJECT = {"type": ["object", "null"], "additionalProperties": True}


class DefinitionSerializer(serializers.ModelSerializer[Definition]):
    """One definition. `digest` is what the server shows now, `approved_digest` what is pinned."""

    id = serializers.UUIDField(source="public_id")
    server = serializers.CharField(source="server.slug")
    digest = serializers.CharField(source="observed.digest", default="")
    approved_digest = serializers.SerializerMethodField()
    approved_until = serializers.DateTimeField(source="pin_expires_at", allow_null=True)
    state = serializers.SerializerMethodField()
    served = serializers.BooleanField(help_text="Whether agents get it, unless the server as a whole is withheld.")
    served_because = serializers.SerializerMethodField(help_text="Why they get it, or why they do not.")
    effect = serializers.SerializerMethodField(help_text="What a tool says that it does; null for other kinds.")
    risk_level = serializers.SerializerMethodField(help_text="What the open findings of what it shows come to.")
    scan_incomplete = serializers.SerializerMethodField(help_text="Whether what it shows could not be scanned whole.")
    needs = serializers.SerializerMethodField(help_text="The smallest scope that reaches it; null for a server's card.")
    last_used = serializers.DateTimeField(
        allow_null=True, help_text="When a call of it was last carried; null where none was, or without `grant:read`."
    )
    has_namesakes = serializers.BooleanField(help_text="Whether another server shows one that is called the same.")

    class Meta:
        model = Definition
        fields = (
            "id", "server", "kind", "name", "state", "served", "served_because", "digest", "approved_digest",
            "approved_until", "effect", "risk_level", "scan_incomplete", "sensitive", "needs", "last_used",
            "has_namesakes", "first_seen", "last_seen", "vanished_at", "moves", "moves_since",
        )  # fmt: skip

    def get_approved_digest(self, row: Any) -> str:
        """The live pin's digest, or nothing."""
        return row.pin_digest or ""

    @extend_schema_field({"type": ["string", "null"], "enum": [*(each.value for each in Effect), None]})
    def get_effect(self, row: Any) -> str | None:
        """By the annotations of what agents get, or would get next; silence is the worst."""
        return (row.effect or Effect.DESTROYS.value) if row.kind == Kind.TOOL.value else None

    @extend_schema_field({"type": "string", "enum": list(LEVELS)})
    def get_risk_level(self, row: Any) -> str:
        """None to critical."""
        return level(row.observed.risk_score, row.observed.findings.all()) if row.observed else LEVELS[0]

    def get_scan_incomplete(self, row: Any) -> bool:
        """Whether a rule failed on it, or it was too large."""
        return row.observed is not None and is_incomplete(row.observed.findings.all())

    def get_needs(self, row: Any) -> str | None:
        """The definition's own scope."""
        return next(iter(scopes_for(row.server.slug, row.kind, row.name, sensitive=row.sensitive)), None)

    @extend_schema_field({"type": "string", "enum": [state.value for state in DefinitionState]})
    def get_state(self, row: Any) -> str:
        """Held, approved or gone: derived at the moment of asking."""
        if not row.present:
            return DefinitionState.GONE.value
        return DefinitionState.APPROVED.value if row.approved else DefinitionState.HELD.value

    @extend_schema_field({"type": "string", "enum": [why.value for why in Because]})
    def get_served_because(self, row: Any) -> str:
        """The pin, an emergency or the server's drift mode; or what keeps it from agents."""
        return because(row).value


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
        """What is approved."""
        return json.loads(row.pin_text) if row.pin_text else None


class ReviewSerializer(serializers.ModelSerializer[Review]):
    """One review. `digest` is what an approval has to name; `change` lists the classes of what changed."""

    id = serializers.UUIDField(source="public_id")
    definition = serializers.UUIDField(source="definition.public_id")
    server = serializers.CharField(source="definition.server.slug")
    kind = serializers.CharField(source="definition.kind")
    name = serializers.CharField(source="definition.name")
    digest = serializers.CharField(source="version.digest")
    findings = ReviewFindingSerializer(source="marked_findings", many=True)
    risk_level = serializers.SerializerMethodField(help_text="What its open findings come to.")
    approvals = serializers.SerializerMethodField()
    required_approvals = serializers.SerializerMethodField()
    reopens = serializers.UUIDField(source="reopens.public_id", default=None, allow_null=True)

    assignee = serializers.CharField(source="assignee.username", default=None, allow_null=True, help_text="User name.")
    snoozed = serializers.SerializerMethodField(help_text="Whether it is put off now; it waits all the same.")
    snoozed_until = serializers.SerializerMethodField(help_text="Null also where it is put off until it changes.")
    due_at = serializers.DateTimeField(help_text="Until when it should be decided, by its risk.")
    overdue = serializers.BooleanField(source="is_overdue")
    rejected_before = serializers.BooleanField(help_text="Somebody rejected exactly this version, here or elsewhere.")

    class Meta:
        model = Review
        fields = (
            "id", "server", "kind", "name", "digest", "vantage", "change", "findings", "risk_level", "risk", "state",
            "definition", "approvals", "required_approvals", "times", "reopens", "opened_at", "closed_at",
            "rejected_before", "assignee", "snoozed", "snoozed_until", "due_at", "overdue",
        )  # fmt: skip

    @extend_schema_field({"type": "string", "enum": list(LEVELS)})
    def get_risk_level(self, review: Review) -> str:
        """None to critical."""
        return level(review.version.risk_score, list(review.version.findings.all()))

    def get_snoozed(self, review: Review) -> bool:
        """Derived at the moment of asking."""
        return review.snooze is not None

    def get_snoozed_until(self, review: Review) -> datetime | None:
        """The end that was given."""
        return review.snooze.snoozed_until if review.snooze else None

    def get_approvals(self, review: Review) -> int:
        """How many people whose voice counts have approved (or dismissed what only some were shown) so far."""
        return given(review, review.decisions.all())

    def get_required_approvals(self, review: Review) -> int:
        """How many have to."""
        return approvals_needed(review=review.required_approvals, server=review.definition.server.required_approvals)


class ListedReviewSerializer(ReviewSerializer):
    """One review in the list, with how many wait for the very same change."""

    identical = serializers.SerializerMethodField(
        help_text="How many reviews wait for this change, from the same text to the same text, as far as one sees."
    )

    class Meta:
        model = Review
        fields = (*ReviewSerializer.Meta.fields, "identical")

    def get_identical(self, review: Review) -> int:
        """Counted once for all rows."""
        counts: dict[int, int] = self.context["identical"]
        return counts.get(review.pk, 0)


class DecisionSerializer(serializers.ModelSerializer[ReviewDecision]):
    """What one person decided."""

    person = serializers.CharField(source="person.username", default=None, allow_null=True)
    policy = serializers.SerializerMethodField(help_text="The written rule that decided, and its revision.")

    class Meta:
        model = ReviewDecision
        fields = ("person", "policy", "verdict", "digest", "reason", "approve_until", "time")

    def get_policy(self, decision: ReviewDecision) -> str | None:
        """`<name> revision <n>`, or null where a person decided."""
        return f"{decision.policy.policy.name} revision {decision.policy.n}" if decision.policy else None


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
    tokens = serializers.SerializerMethodField(help_text="Of what a model gets of it, about: characters by four.")
    tokens_before = serializers.SerializerMethodField(help_text="The same of what was approved, or null.")
    resemblances = serializers.SerializerMethodField()
    precedents = serializers.SerializerMethodField()

    class Meta:
        model = Review
        fields = (
            *ReviewSerializer.Meta.fields, "before", "after", "fields_changed", "more_fields", "decisions",
            "resemblances", "precedents", "tokens", "tokens_before",
        )  # fmt: skip

    def get_tokens(self, review: Review) -> int:
        """By estimate."""
        return self._prompted(review).tokens

    def get_tokens_before(self, review: Review) -> int | None:
        """By estimate."""
        return self._prompted(review).before

    @extend_schema_field(RelativeSerializer(many=True))
    def get_resemblances(self, review: Review) -> Any:
        """Known definitions that a new one resembles: any server, any team, retired and vanished ones too."""
        return [RelativeSerializer(relative).data for relative in relatives_of(review)]

    @extend_schema_field(PrecedentSerializer(many=True))
    def get_precedents(self, review: Review) -> Any:
        """Earlier decisions: on the same digest, the same definition, the same name at the same endpoint."""
        return [PrecedentSerializer(precedent).data for precedent in precedents_of(review)]

    @extend_schema_field(JSON_OBJECT)
    def get_before(self, review: Review) -> Any:
        """What was approved when the review opened, or null."""
        return json.loads(review.base.text) if review.base else None

    @extend_schema_field(JSON_OBJECT)
    def get_after(self, review: Review) -> Any:
        """What the review is about; null where its text was let go, undecided, after many others."""
        return json.loads(review.version.text) if review.version.text else None

    @extend_schema_field(FieldChangeSerializer(many=True))
    def get_fields_changed(self, review: Review) -> Any:
        """Field by field."""
        return [FieldChangeSerializer(field).data for field in self._view(review).fields]

    def get_more_fields(self, review: Review) -> bool:
        """Whether more fields differ than are listed."""
        return self._view(review).more_fields

    def _prompted(self, review: Review) -> Prompted:
        return prompted(review.definition.kind, review.base.text if review.base else None, review.version.text)

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


class UndoSerializer(serializers.Serializer[Any]):
    """Decisions to take back, with one reason."""

    reason = serializers.CharField(max_length=REASON_MAX)
    reviews = serializers.ListField(child=ChoiceSerializer(), allow_empty=False, max_length=BULK_MAX)


class BulkResultSerializer(serializers.Serializer[Any]):
    """One result per item, in the order of the request. `batch_id` stands in the record of each."""

    batch_id = serializers.UUIDField()
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
