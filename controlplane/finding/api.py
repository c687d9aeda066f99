"""API of finding things by a few words."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from controlplane.finding.reading import ASKED_MAX, found
from core.api import actor_of, filters_of
from core.needs import SIGNED_IN


class FindFilters(serializers.Serializer[Any]):
    """What is sought."""

    q = serializers.CharField(max_length=ASKED_MAX, help_text="Words, each of which a place must hold.")


class HitSerializer(serializers.Serializer[Any]):
    """A place. `url` is its page in the console."""

    kind = serializers.ChoiceField(choices=("server", "definition", "review", "agent", "role", "person"))
    name = serializers.CharField()
    beside = serializers.CharField(help_text="What tells it from its namesakes: a slug, a client id, or nothing.")
    url = serializers.CharField()


class FindView(APIView):
    """Servers, definitions, waiting reviews, agents, roles and people by a few words."""

    needs: ClassVar = {"get": SIGNED_IN}

    @extend_schema(parameters=[FindFilters], responses=HitSerializer(many=True))
    def get(self, request: Request) -> Response:
        """At most 20 that the token's holder may see, six of a kind; those that begin with the first word first."""
        asked = filters_of(FindFilters, request)["q"]
        return Response(HitSerializer(found(actor_of(request), asked), many=True).data)
