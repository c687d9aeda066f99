"""The endpoints that tokens are for, and which agent may ask what one is worth."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from access import services
from access.models import ProtectedResource
from access.names import REASON_MAX
from core.api import actor_of, parsed, require
from core.permissions import Permission


class ResourceSerializer(serializers.ModelSerializer[ProtectedResource]):
    """An endpoint of the gateway."""

    server = serializers.CharField(source="server_slug", read_only=True)
    introspector = serializers.CharField(source="introspector.client_id", default=None, read_only=True, allow_null=True)

    class Meta:
        model = ProtectedResource
        fields = ("server", "uri", "active", "introspector")
        read_only_fields = fields


class IntrospectorSerializer(serializers.Serializer[Any]):
    """Which agent stands for the server; empty: none."""

    agent = serializers.CharField(max_length=255, allow_blank=True)
    reason = serializers.CharField(max_length=REASON_MAX)


class ResourceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[ProtectedResource]):
    """What tokens may be for."""

    queryset = ProtectedResource.objects.none()
    serializer_class = ResourceSerializer
    lookup_field = "server_slug"
    lookup_url_kwarg = "server"
    lookup_value_regex = "[^/]+"

    def get_queryset(self) -> QuerySet[ProtectedResource]:
        """Those the actor may see."""
        actor = require(self.request, Permission.SERVER_READ)
        return ProtectedResource.objects.visible_to(actor).select_related("introspector").order_by("server_slug")

    @extend_schema(request=IntrospectorSerializer, responses=ResourceSerializer)
    @action(detail=True, methods=["post"])
    def introspector(self, request: Request, server: str) -> Response:
        """Let an agent ask what tokens for this server are worth."""
        wanted = parsed(IntrospectorSerializer, request)
        resource = services.name_introspector(
            server_slug=server, client_id=wanted["agent"], actor=actor_of(request), reason=wanted["reason"]
        )
        return Response(self.get_serializer(resource).data)
