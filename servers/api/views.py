"""API of servers. Polling and retiring, which know of pins, are served by `tools.api`."""

from typing import Any, ClassVar

import django_filters
from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from core.api import actor_of, parsed, require
from core.needs import asks
from core.permissions import Permission
from servers import services
from servers.api.serializers import (
    EditSerializer,
    HealthSerializer,
    IntrospectorSerializer,
    NamedIntrospectorSerializer,
    ReasonSerializer,
    RegistrationSerializer,
    ServerSerializer,
)
from servers.days import calls_of, looks_of
from servers.models import Server
from servers.querysets import ServerQuerySet
from servers.rules import Environment, ServerState


class ServerFilter(django_filters.FilterSet):
    """Filters of the list."""

    state = django_filters.ChoiceFilter(choices=[(state.value, state.value) for state in ServerState])
    environment = django_filters.ChoiceFilter(choices=[(choice.value, choice.value) for choice in Environment])
    team = django_filters.CharFilter(field_name="owner_team__slug")

    tag = django_filters.CharFilter(method="tagged", help_text="Servers that are marked with this tag.")

    class Meta:
        model = Server
        fields = ("state", "environment", "team", "tag")

    def tagged(self, servers: ServerQuerySet, _name: str, value: str) -> ServerQuerySet:
        """By a tag."""
        return servers.tagged(value)


class ServerViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Server]):
    """Registered MCP servers."""

    queryset = Server.objects.none()
    serializer_class = ServerSerializer
    filterset_class = ServerFilter
    lookup_field = "slug"
    lookup_value_regex = r"[^/]+"
    needs: ClassVar = {
        "list": asks(Permission.SERVER_READ),
        "retrieve": asks(Permission.SERVER_READ),
        "create": asks(Permission.SERVER_REGISTER),
        "partial_update": asks(Permission.SERVER_EDIT),
        "suspend": asks(Permission.SERVER_SUSPEND),
        "resume": asks(Permission.SERVER_SUSPEND),
        "health": asks(Permission.SERVER_READ),
        "introspector": asks(Permission.SERVER_EDIT, Permission.AGENT_MANAGE),
    }

    def get_queryset(self) -> ServerQuerySet:
        """What the actor may see."""
        actor = require(self.request, Permission.SERVER_READ)
        return Server.objects.visible_to(actor).select_related("owner_team", "registered_by").with_same_endpoint()

    def get_serializer_context(self) -> dict[str, Any]:
        """Adds the gateway's address, which every server's endpoint starts with."""
        return {**super().get_serializer_context(), "gateway_url": settings.GATEWAY_URL}

    @extend_schema(responses=ServerSerializer)
    def retrieve(self, request: Request, slug: str) -> Response:
        """One server."""
        return self._answer(self.get_queryset().by_slug(slug))

    @extend_schema(request=RegistrationSerializer, responses={201: ServerSerializer})
    def create(self, request: Request) -> Response:
        """Register a server. Nothing of it is callable before its definitions are approved."""
        data = parsed(RegistrationSerializer, request)
        server = services.register_server(registration=services.Registration(**data), actor=actor_of(request))
        return self._answer(server, status.HTTP_201_CREATED)

    @extend_schema(request=EditSerializer, responses=ServerSerializer)
    def partial_update(self, request: Request, slug: str) -> Response:
        """Edit a server. A new URL withholds the server until its card is reviewed again."""
        changes = parsed(EditSerializer, request)
        reason = changes.pop("reason")
        return self._answer(services.edit_server(slug=slug, changes=changes, actor=actor_of(request), reason=reason))

    @extend_schema(request=ReasonSerializer, responses=ServerSerializer)
    @action(detail=True, methods=["post"])
    def suspend(self, request: Request, slug: str) -> Response:
        """Stop every call to this server within a second."""
        reason = parsed(ReasonSerializer, request)["reason"]
        return self._answer(services.suspend_server(slug=slug, actor=actor_of(request), reason=reason))

    @extend_schema(request=ReasonSerializer, responses=ServerSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, slug: str) -> Response:
        """Observe a suspended server again; it serves after the next complete observation."""
        reason = parsed(ReasonSerializer, request)["reason"]
        return self._answer(services.resume_server(slug=slug, actor=actor_of(request), reason=reason))

    @extend_schema(responses=HealthSerializer)
    @action(detail=True, methods=["get"])
    def health(self, request: Request, slug: str) -> Response:
        """How a server answered, by day: looks of 90 days, and calls of 30 for who may read the audit log of it."""
        server = self.get_queryset().by_slug(slug)
        sees_calls = actor_of(request).may(Permission.AUDIT_READ, team_id=server.owner_team_id)
        found = {"looks": looks_of(server), "calls": calls_of(server) if sees_calls else None}
        return Response(HealthSerializer(found).data)

    @extend_schema(request=NamedIntrospectorSerializer, responses=IntrospectorSerializer)
    @action(detail=True, methods=["post"])
    def introspector(self, request: Request, slug: str) -> Response:
        """Let an agent ask what tokens for this server are worth (RFC 7662)."""
        wanted = parsed(NamedIntrospectorSerializer, request)
        agent = services.name_introspector(
            slug=slug, client_id=wanted["agent"], actor=actor_of(request), reason=wanted["reason"]
        )
        return Response({"agent": agent})

    def _answer(self, server: Server, code: int = status.HTTP_200_OK) -> Response:
        return Response(self.get_serializer(server).data, status=code)
