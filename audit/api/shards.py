"""The log's months over the API: which there are, and having the bodies of one pruned by two people."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit import services
from audit.months import months
from core.api import actor_of, parsed, require
from core.errors import NotFound
from core.needs import asks
from core.permissions import Permission


class PruningReasonSerializer(serializers.Serializer[Any]):
    """A reason, kept in the audit log."""

    reason = serializers.CharField(max_length=2000)


class PruningSerializer(serializers.Serializer[Any]):
    """What somebody asked to have pruned."""

    id = serializers.UUIDField()
    shard = serializers.IntegerField(help_text="The month, YYYYMM.")
    reason = serializers.CharField()
    requested_at = serializers.DateTimeField()


class ShardSerializer(serializers.Serializer[Any]):
    """One month of the log."""

    shard = serializers.IntegerField(help_text="The month, YYYYMM.")
    first = serializers.IntegerField(help_text="The first place of its records.")
    last = serializers.IntegerField(help_text="The last one. Records of other months can stand between.")
    has_bodies = serializers.BooleanField(help_text="Whether the bodies are there: pruned ones leave their places.")
    is_due = serializers.BooleanField(help_text="Whether it is past the retention of the log, and can be pruned.")
    asked = PruningSerializer(allow_null=True, help_text="What waits for another person.")


class ShardsSerializer(serializers.Serializer[Any]):
    """All months, in the envelope of lists; there is no second page."""

    results = ShardSerializer(many=True)
    next = serializers.URLField(allow_null=True)


class PrunedSerializer(serializers.Serializer[Any]):
    """How many bodies were pruned."""

    bodies = serializers.IntegerField()


class ShardsView(APIView):
    """The log's months."""

    needs: ClassVar = {"get": asks(Permission.LOG_PRUNE)}

    @extend_schema(responses=ShardsSerializer, operation_id="audit_shards_list")
    def get(self, request: Request) -> Response:
        """Months with records, the latest first, and of which the bodies are there."""
        found = months(actor=require(request, Permission.LOG_PRUNE))
        return Response({"results": ShardSerializer(found, many=True).data, "next": None})


class PruneShardView(APIView):
    """A request to prune a month."""

    needs: ClassVar = {"post": asks(Permission.LOG_PRUNE)}

    @extend_schema(
        request=PruningReasonSerializer, responses={201: PruningSerializer}, operation_id="audit_shards_prune"
    )
    def post(self, request: Request, shard: str) -> Response:
        """Ask for the bodies of a month to be pruned; another person has to agree within seven days."""
        reason = parsed(PruningReasonSerializer, request)["reason"]
        removal = services.request_pruning(shard=_month(shard), actor=actor_of(request), reason=reason)
        return Response(PruningSerializer(removal).data, status=201)


class ConfirmPruningView(APIView):
    """Another person's agreement."""

    needs: ClassVar = {"post": asks(Permission.LOG_PRUNE)}

    @extend_schema(request=None, responses=PrunedSerializer, operation_id="audit_shards_confirm_pruning")
    def post(self, request: Request, shard: str) -> Response:
        """Agree to what another person asked for: the month's bodies are pruned, their places stay."""
        return Response({"bodies": services.confirm_pruning(shard=_month(shard), actor=actor_of(request))})


def _month(text: str) -> int:
    """Read here and not by the route: a stranger learns from no path which there are."""
    if not (text.isascii() and text.isdigit() and len(text) == 6):
        raise NotFound("A month is written YYYYMM.")
    return int(text)
