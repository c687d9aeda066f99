"""That the kill switch holds something, beside whatever its own state is."""

from typing import Any, cast

from rest_framework import serializers

from access.services import live_names


class SuspendedField(serializers.BooleanField):
    """Whether the kill switch holds this very thing; one query for all rows of an answer."""

    def __init__(self, kind: str, name: str) -> None:
        """`name`: the attribute by which a suspension names the thing."""
        self._kind, self._name = kind, name
        super().__init__(source="*", read_only=True, help_text="The kill switch holds it, whatever its state.")

    def to_representation(self, value: Any) -> bool:
        """Look it up among all that is suspended."""
        context = cast("dict[str, Any]", self.context)
        if "suspended" not in context:
            context["suspended"] = live_names()
        return (self._kind, str(getattr(value, self._name))) in context["suspended"]
