"""The shape of findings in the API."""

from rest_framework import serializers

from tools.models import Finding, ServerFinding


class FindingSerializer(serializers.ModelSerializer[Finding]):
    """One finding of the scanner. `HF-000` says that the scan is incomplete, and is no threat by itself."""

    suppressed_until = serializers.DateTimeField(
        default=None, allow_null=True, help_text="Until then it does not count in the risk; null: it counts."
    )

    class Meta:
        model = Finding
        fields = ("rule", "severity", "confidence", "field", "start", "end", "evidence", "suppressed_until")


class ReviewFindingSerializer(FindingSerializer):
    """One finding in what a review is about."""

    since_approval = serializers.ChoiceField(
        choices=["new", "was_there"],
        allow_null=True,
        help_text="Whether people approved the version that this is compared with although it had the same finding;"
        " null: nothing was approved.",
    )

    class Meta(FindingSerializer.Meta):
        fields = (*FindingSerializer.Meta.fields, "since_approval")  # type: ignore[assignment]  # one more


class ServerFindingSerializer(serializers.ModelSerializer[ServerFinding]):
    """One finding about a server itself, as it is now. `HF-000`: it could not be judged whole."""

    suppressed_until = serializers.DateTimeField(
        default=None, allow_null=True, help_text="Until then it does not count in the risk; null: it counts."
    )

    class Meta:
        model = ServerFinding
        fields = ("rule", "severity", "confidence", "field", "evidence", "found_at", "suppressed_until")
