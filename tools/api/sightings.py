"""API of what classes of principals were shown of a server, where that once differed from what the poller was shown."""

from typing import ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api import require
from core.needs import asks
from core.permissions import Permission
from servers.models import Server
from tools.models import Sighting
from tools.unlisted import Unlisted, unlisted_of


class SightingSerializer(serializers.ModelSerializer[Sighting]):
    """What one class was last shown of one definition. `withholds`: no agent gets it meanwhile.

    `digest` and `poller_digest` are null where the definition was not listed. `since` is when the class was first shown
    just this; `first_seen` when it first differed.
    """

    definition = serializers.UUIDField(source="definition.public_id")
    kind = serializers.CharField(source="definition.kind")
    name = serializers.CharField(source="definition.name")
    digest = serializers.CharField(source="version.digest", default=None, allow_null=True)
    poller_digest = serializers.CharField(allow_null=True)
    differs = serializers.BooleanField()
    withholds = serializers.BooleanField()
    review = serializers.UUIDField(allow_null=True, help_text="The one that waits about exactly this.")
    since = serializers.DateTimeField(source="seen_at")

    class Meta:
        model = Sighting
        fields = (
            "vantage", "definition", "kind", "name", "digest", "poller_digest", "differs", "withholds", "review",
            "first_seen", "since",
        )  # fmt: skip


class SightingsView(generics.ListAPIView[Sighting]):
    """What agents were shown of a server that is not, or once was not, what the poller was shown."""

    queryset = Sighting.objects.none()
    serializer_class = SightingSerializer
    needs: ClassVar = {"get": asks(Permission.SERVER_READ, Permission.TOOL_READ)}

    def get_queryset(self) -> QuerySet[Sighting]:
        """Of one server that the actor may see."""
        if getattr(self, "swagger_fake_view", False):
            return Sighting.objects.none()
        require(self.request, Permission.SERVER_READ)
        actor = require(self.request, Permission.TOOL_READ)
        server = Server.objects.visible_to(actor).by_slug(self.kwargs["slug"])
        return Sighting.objects.visible_to(actor).of_server(server).for_list()


class UnlistedSerializer(serializers.Serializer[Unlisted]):
    """The tools that one vantage was not listed in its last complete look, though the poller was."""

    vantage = serializers.CharField()
    names = serializers.ListField(child=serializers.CharField())


class UnlistedView(APIView):
    """What agents were not listed of a server, and so do not get. For others it changes nothing."""

    needs: ClassVar = {"get": asks(Permission.SERVER_READ, Permission.TOOL_READ)}

    @extend_schema(responses=UnlistedSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """One entry for each vantage to which something is not listed."""
        require(request, Permission.SERVER_READ)
        actor = require(request, Permission.TOOL_READ)
        server = Server.objects.visible_to(actor).by_slug(slug)
        return Response([UnlistedSerializer(each).data for each in unlisted_of(server)])
