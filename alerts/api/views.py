"""Alerts and channels over the API."""

from typing import Any, ClassVar
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from alerts import services
from alerts.api.serializers import (
    AlertSerializer,
    ChannelChangeSerializer,
    ChannelSerializer,
    CreatedChannelSerializer,
    DeliverySerializer,
    HandlingSerializer,
    NewChannelSerializer,
)
from alerts.models import Alert, Channel
from alerts.rules import AlertKind, AlertState
from core.api import actor_of, parsed, require
from core.errors import NotFound
from core.needs import asks
from core.permissions import Permission


class AlertFilter(django_filters.FilterSet):
    """Filters of the list."""

    kind = django_filters.ChoiceFilter(choices=[(kind.value, kind.value) for kind in AlertKind])
    state = django_filters.ChoiceFilter(choices=[(state.value, state.value) for state in AlertState])
    server = django_filters.CharFilter()

    class Meta:
        model = Alert
        fields = ("kind", "state", "server")


class AlertViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Alert]):
    """What somebody should look at."""

    queryset = Alert.objects.none()
    serializer_class = AlertSerializer
    filterset_class = AlertFilter
    lookup_field = "id"
    needs: ClassVar = {
        "list": asks(Permission.ALERT_READ),
        "retrieve": asks(Permission.ALERT_READ),
        "acknowledge": asks(Permission.ALERT_ACKNOWLEDGE),
        "resolve": asks(Permission.ALERT_ACKNOWLEDGE),
    }

    def get_queryset(self) -> QuerySet[Alert]:
        """What the actor may see."""
        return Alert.objects.visible_to(require(self.request, Permission.ALERT_READ))

    @extend_schema(responses=AlertSerializer)
    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """One alert."""
        alert = self.get_queryset().filter(public_id=_uuid(id)).first()
        if alert is None:
            raise NotFound("There is no such alert.")
        return Response(AlertSerializer(alert).data)

    @extend_schema(request=HandlingSerializer, responses=AlertSerializer)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """Say that somebody looks after it."""
        given = parsed(HandlingSerializer, request)
        alert = services.acknowledge_alert(alert_id=_uuid(id), actor=actor_of(request), reason=given["reason"])
        return Response(AlertSerializer(alert).data)

    @extend_schema(request=HandlingSerializer, responses=AlertSerializer)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """Close it by hand."""
        given = parsed(HandlingSerializer, request)
        alert = services.resolve_alert(alert_id=_uuid(id), actor=actor_of(request), reason=given["reason"])
        return Response(AlertSerializer(alert).data)


class ChannelViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Channel]):
    """Where alerts are sent."""

    queryset = Channel.objects.none()
    serializer_class = ChannelSerializer
    filter_backends = ()
    lookup_field = "id"
    needs: ClassVar = dict.fromkeys(
        ("list", "retrieve", "create", "partial_update", "disable", "enable", "test", "deliveries"),
        asks(Permission.CHANNEL_MANAGE),
    )

    def get_queryset(self) -> QuerySet[Channel]:
        """What the actor may see."""
        return Channel.objects.visible_to(require(self.request, Permission.CHANNEL_MANAGE))

    @extend_schema(responses=ChannelSerializer)
    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """One channel."""
        return Response(ChannelSerializer(self._channel(id)).data)

    @extend_schema(request=NewChannelSerializer, responses={201: CreatedChannelSerializer})
    def create(self, request: Request) -> Response:
        """Create a webhook. The answer holds its secret, once."""
        given = parsed(NewChannelSerializer, request)
        made = services.create_channel(**given, actor=actor_of(request))
        shown = {**ChannelSerializer(made.channel).data, "secret": made.secret}
        return Response(shown, status=status.HTTP_201_CREATED)

    @extend_schema(request=ChannelChangeSerializer, responses=ChannelSerializer)
    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """Change where it sends, or what."""
        given = parsed(ChannelChangeSerializer, request)
        channel = services.change_channel(channel_id=_uuid(id), actor=actor_of(request), **given)
        return Response(ChannelSerializer(channel).data)

    @extend_schema(request=HandlingSerializer, responses=ChannelSerializer)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """Stop sending; what waits is given up."""
        given = parsed(HandlingSerializer, request)
        channel = services.disable_channel(channel_id=_uuid(id), actor=actor_of(request), reason=given["reason"])
        return Response(ChannelSerializer(channel).data)

    @extend_schema(request=None, responses=ChannelSerializer)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """Send again, from now on."""
        channel = services.enable_channel(channel_id=_uuid(id), actor=actor_of(request))
        return Response(ChannelSerializer(channel).data)

    @extend_schema(request=None, responses={202: DeliverySerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """Send a test message; ask `deliveries/` what came of it."""
        delivery = services.test_channel(channel_id=_uuid(id), actor=actor_of(request))
        return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses=DeliverySerializer(many=True))
    @action(detail=True, methods=["get"])
    def deliveries(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """What was sent, newest first."""
        page: Any = self.paginate_queryset(self._channel(id).deliveries.all())  # type: ignore[arg-type]  # other rows
        return self.get_paginated_response(DeliverySerializer(page, many=True).data)

    def _channel(self, channel_id: str) -> Channel:
        channel = self.get_queryset().filter(public_id=_uuid(channel_id)).first()
        if channel is None:
            raise NotFound("There is no such channel.")
        return channel


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound("There is no such thing here.") from error
