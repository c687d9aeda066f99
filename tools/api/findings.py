"""The shape of a finding in the API."""

from rest_framework import serializers

from tools.models import Finding


class FindingSerializer(serializers.ModelSerializer[Finding]):
    """One finding of the scanner. `HF-000` says that the scan is incomplete, and is no threat by itself."""

    suppressed_until = serializers.DateTimeField(
        default=None, allow_null=True, help_text="Until then it does not count in the risk; null: it counts."
    )

    class Meta:
        model = Finding
        fields = ("rule", "severity", "confidence", "field", "start", "end", "evidence", "suppressed_until")
