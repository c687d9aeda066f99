"""How alerts and channels look to programs."""

from typing import Any

from rest_framework import serializers

from alerts.models import Alert, Channel, Delivery
from alerts.rules import SEVERITIES, AlertKind, AlertState, ChannelState, DeliveryState

_KINDS = [kind.value for kind in AlertKind]


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """An alert. `time` is when it was raised, `last_time` when it happened again last."""

    id = serializers.UUIDField(source="public_id")
    kind = serializers.ChoiceField(choices=_KINDS)
    severity = serializers.ChoiceField(choices=list(SEVERITIES))
    state = serializers.ChoiceField(choices=[state.value for state in AlertState])
    team = serializers.CharField(source="owner_team")

    class Meta:
        model = Alert
        fields = (
            "id",
            "kind",
            "severity",
            "subject",
            "server",
            "environment",
            "team",
            "state",
            "time",
            "last_time",
            "count",
            "digest",
            "reason",
            "record_id",
            "handled_by",
            "handled_at",
            "handled_reason",
        )
        read_only_fields = fields


class HandlingSerializer(serializers.Serializer[dict[str, Any]]):
    """What `acknowledge` and `resolve` take."""

    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


class ChannelSerializer(serializers.ModelSerializer[Channel]):
    """A channel; its secret is not in it."""

    id = serializers.UUIDField(source="public_id")
    kinds = serializers.ListField(child=serializers.ChoiceField(choices=_KINDS))
    state = serializers.ChoiceField(choices=[state.value for state in ChannelState])

    class Meta:
        model = Channel
        fields = (
            "id",
            "name",
            "url",
            "kinds",
            "state",
            "created_at",
            "failing_since",
            "last_delivered_at",
            "last_error",
        )
        read_only_fields = fields


class CreatedChannelSerializer(ChannelSerializer):
    """A channel just made, with the secret that is shown this once."""

    secret = serializers.CharField(help_text="`whsec_…`, as Standard Webhooks has it. Shown once.")

    class Meta:
        model = Channel
        fields = (*ChannelSerializer.Meta.fields, "secret")
        read_only_fields = fields


class NewChannelSerializer(serializers.Serializer[dict[str, Any]]):
    """What `POST channels/` takes."""

    name = serializers.CharField(max_length=100)
    url = serializers.CharField(max_length=2000)
    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=_KINDS), required=False, default=list, help_text="Empty: every kind."
    )


class ChannelChangeSerializer(serializers.Serializer[dict[str, Any]]):
    """What `PATCH channels/{id}/` takes."""

    url = serializers.CharField(max_length=2000, required=False)
    kinds = serializers.ListField(child=serializers.ChoiceField(choices=_KINDS), required=False)


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """A message to a channel. `id` is the second half of its `webhook-id`."""

    id = serializers.UUIDField(source="public_id")
    state = serializers.ChoiceField(choices=[state.value for state in DeliveryState])

    class Meta:
        model = Delivery
        fields = (
            "id",
            "event",
            "state",
            "attempts",
            "created_at",
            "next_attempt_at",
            "delivered_at",
            "last_status",
            "last_error",
        )
        read_only_fields = fields
