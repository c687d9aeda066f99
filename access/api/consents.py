"""What people allowed agents to do, in the API: read it, take it back."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from access import services
from access.api.serializers import OptionalReasonSerializer
from access.models import Consent
from core.api import actor_of, parsed
from core.needs import SIGNED_IN, asks
from core.permissions import Permission


class ConsentSerializer(serializers.ModelSerializer[Consent]):
    """That a person lets an agent act for them at one endpoint."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    person = serializers.CharField(source="person.username", read_only=True)
    agent = serializers.CharField(source="agent.client_id", read_only=True)
    scopes = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Consent
        fields = ("id", "person", "agent", "redirect_uri", "resource", "scopes", "given_at", "ends_at", "revoked_at")
        read_only_fields = fields


class ConsentViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Consent]):
    """Consents: one's own, and with `agent:manage` those that concern the agents one manages."""

    needs: ClassVar = {
        "list": SIGNED_IN,
        "retrieve": asks(Permission.AGENT_MANAGE, or_own=True),
        "revoke": asks(Permission.AGENT_MANAGE, or_own=True),
    }
    queryset = Consent.objects.none()
    serializer_class = ConsentSerializer
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_regex = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

    def get_queryset(self) -> QuerySet[Consent]:
        """Those the actor may see."""
        return Consent.objects.visible_to(actor_of(self.request)).select_related("person", "agent")

    @extend_schema(request=OptionalReasonSerializer, responses=ConsentSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, **kwargs: Any) -> Response:
        """Take a consent back; its tokens end now. Another's needs a reason."""
        reason = parsed(OptionalReasonSerializer, request)["reason"]
        consent = services.revoke_consent(consent_id=UUID(kwargs["id"]), actor=actor_of(request), reason=reason)
        return Response(self.get_serializer(consent).data)
