"""The REST API of roles that are kept apart: parse, call one service, answer."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from access import services
from access.api.serializers import StatedReasonSerializer
from access.models import RoleSeparation
from access.names import NAME_MAX, REASON_MAX
from core.api import actor_of, parsed, require
from core.needs import asks
from core.permissions import Permission


class SeparationSerializer(serializers.ModelSerializer[RoleSeparation]):
    """That no person may hold both of two roles."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    roles = serializers.SerializerMethodField()
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True, allow_null=True)

    class Meta:
        model = RoleSeparation
        fields = ("id", "roles", "reason", "created_by", "created_at")
        read_only_fields = fields

    def get_roles(self, separation: RoleSeparation) -> list[str]:
        """Their names."""
        return sorted((separation.first.name, separation.second.name))


class NewSeparationSerializer(serializers.Serializer[Any]):
    """What `POST separations/` takes."""

    roles = serializers.ListField(child=serializers.CharField(max_length=NAME_MAX), min_length=2, max_length=2)
    reason = serializers.CharField(max_length=REASON_MAX)


class SeparationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[RoleSeparation]):
    """Roles that are kept apart."""

    needs: ClassVar = {
        "list": asks(Permission.ROLE_READ),
        "retrieve": asks(Permission.ROLE_READ),
        "create": asks(Permission.ROLE_MANAGE),
        "end": asks(Permission.ROLE_MANAGE),
    }
    queryset = RoleSeparation.objects.none()
    serializer_class = SeparationSerializer
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_regex = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"

    def get_queryset(self) -> QuerySet[RoleSeparation]:
        """Those the actor may see."""
        visible = RoleSeparation.objects.visible_to(require(self.request, Permission.ROLE_READ))
        return visible.select_related("first", "second", "created_by")

    @extend_schema(request=NewSeparationSerializer, responses={201: SeparationSerializer})
    def create(self, request: Request) -> Response:
        """Keep two roles apart. Refused (409) while somebody holds both."""
        made = services.separate_roles(**parsed(NewSeparationSerializer, request), actor=actor_of(request))
        return Response(SeparationSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=StatedReasonSerializer, responses={204: None})
    @action(detail=True, methods=["post"])
    def end(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """Let people hold both roles again."""
        reason = parsed(StatedReasonSerializer, request)["reason"]
        services.end_separation(separation_id=UUID(id), actor=actor_of(request), reason=reason)
        return Response(status=status.HTTP_204_NO_CONTENT)
