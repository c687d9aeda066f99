"""Shapes of what is known elsewhere that bears on a review (`tools.relatives`)."""

from rest_framework import serializers

from servers.rules import ServerState
from tools.models import ReviewDecision
from tools.relatives import Ground, KnownState, Precedent, Relation, Relative
from tools.rules import ReviewState


class RelativeSerializer(serializers.Serializer[Relative]):
    """A known definition that the new one resembles, with the likeness in percent; rejected ones come first."""

    relation = serializers.ChoiceField(choices=[relation.value for relation in Relation])
    server = serializers.CharField(source="definition.server.slug")
    server_state = serializers.ChoiceField(
        source="definition.server.state", choices=[state.value for state in ServerState]
    )
    kind = serializers.CharField(source="definition.kind")
    name = serializers.CharField(source="definition.name")
    digest = serializers.CharField(source="resemblance.known.digest")
    state = serializers.ChoiceField(choices=[state.value for state in KnownState])
    reason = serializers.CharField(help_text="Why it was rejected, or its approval withdrawn.")
    review = serializers.UUIDField(source="review_id", allow_null=True)
    likeness = serializers.IntegerField(source="resemblance.likeness", help_text="Overall, in percent.")
    name_likeness = serializers.IntegerField(source="resemblance.name")
    wording_likeness = serializers.IntegerField(source="resemblance.wording")
    schema_likeness = serializers.IntegerField(source="resemblance.schema")


class VoiceSerializer(serializers.ModelSerializer[ReviewDecision]):
    """What one person, or a written policy, decided."""

    person = serializers.CharField(source="person.username", default=None, allow_null=True)
    policy = serializers.CharField(source="policy.policy.name", default=None, allow_null=True)

    class Meta:
        model = ReviewDecision
        fields = ("person", "policy", "verdict", "reason", "approve_until", "time")


class PrecedentSerializer(serializers.Serializer[Precedent]):
    """An earlier decision that bears on the review; rejections come first."""

    review = serializers.UUIDField(source="review.public_id")
    ground = serializers.ChoiceField(choices=[ground.value for ground in Ground])
    server = serializers.CharField(source="review.definition.server.slug")
    kind = serializers.CharField(source="review.definition.kind")
    name = serializers.CharField(source="review.definition.name")
    digest = serializers.CharField(source="review.version.digest")
    state = serializers.ChoiceField(source="review.state", choices=[state.value for state in ReviewState])
    closed_at = serializers.DateTimeField(source="review.closed_at")
    withdrawn_because = serializers.CharField(help_text="Why the approval was taken back, or empty.")
    decisions = VoiceSerializer(many=True)
