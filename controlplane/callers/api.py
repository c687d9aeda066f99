"""API of who may call a tool right now."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from controlplane.callers.reading import callers_of, tool_named
from controlplane.flows.api import LimitSerializer
from controlplane.flows.reading import NEEDED, is_partial
from core.api import filters_of, require
from core.needs import asks


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
