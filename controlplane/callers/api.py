"""API of who may call a tool right now, and of who could if what waits were approved."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from controlplane.callers.blast import blast_of
from controlplane.callers.reading import callers_of, tool_named
from controlplane.flows.api import LimitSerializer
from controlplane.flows.reading import NEEDED, is_partial
from core.api import filters_of, require
from core.needs import asks
from core.permissions import Permission
from tools.models import Review


class CallerSerializer(serializers.Serializer[Any]):
    """A principal that may call it."""

    kind = serializers.ChoiceField(choices=("agent", "person"))
    id = serializers.UUIDField()
    name = serializers.CharField()


class CallersSerializer(serializers.Serializer[Any]):
    """The first of them, and how many there are. `is_partial`: made of the grants and tools that the reader may see."""

    total = serializers.IntegerField()
    is_partial = serializers.BooleanField()
    results = CallerSerializer(many=True)


class BlastSerializer(serializers.Serializer[Any]):
    """How far a change would reach. `calls` are those of the last 30 days, 1000 at most; null without `audit:read`."""

    roles = serializers.ListField(child=serializers.CharField())
    agents = CallersSerializer()
    people = CallersSerializer()
    calls = serializers.IntegerField(allow_null=True)


class BlastView(APIView):
    """How far one change would reach."""

    needs: ClassVar = {"get": asks(Permission.REVIEW_READ, *NEEDED)}

    @extend_schema(parameters=[LimitSerializer], responses=BlastSerializer)
    def get(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Roles, agents and people that could call a tool if what waits were approved; 404 for no tool."""
        actor = require(request, Permission.REVIEW_READ, *NEEDED)
        limit = filters_of(LimitSerializer, request)["limit"]
        review = Review.objects.visible_to(actor).select_related("definition__server", "version").by_id(id)
        found, partial = blast_of(actor, review), is_partial(actor)
        shown = {
            name: {"total": len(rows), "is_partial": partial, "results": rows[:limit]}
            for name, rows in (("agents", found.agents), ("people", found.people))
        }
        return Response(BlastSerializer({"roles": found.roles, "calls": found.calls, **shown}).data)


class CallersView(APIView):
    """Who may call one tool."""

    needs: ClassVar = {"get": asks(*NEEDED)}

    @extend_schema(parameters=[LimitSerializer], responses=CallersSerializer)
    def get(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Agents that act on their own and people, asked of the decision that judges every call; 404 for no tool."""
        actor, limit = require(request, *NEEDED), filters_of(LimitSerializer, request)["limit"]
        found = callers_of(actor, tool_named(actor, id))
        shown = {
            "total": len(found),
            "is_partial": is_partial(actor),
            "results": found[:limit],
        }
        return Response(CallersSerializer(shown).data)
