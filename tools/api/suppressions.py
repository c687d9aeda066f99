"""API of what findings come to for a server, and of leaving findings out of it for a while."""

from dataclasses import asdict
from typing import Any, ClassVar
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api import actor_of, parsed, require
from core.names import SLUG_MAX
from core.needs import asks
from core.permissions import Permission
from servers.models import Server
from tools import services
from tools.api.findings import ServerFindingSerializer
from tools.models import Definition, ServerFinding, Suppression
from tools.querysets import SuppressionQuerySet
from tools.risk import LEVELS
from tools.rules import REASON_MAX


class ServerRiskSerializer(serializers.Serializer[Any]):
    """The worst of a server and what it shows now, how many definitions of each level, how many scans incomplete."""

    risk_level = serializers.ChoiceField(choices=LEVELS, source="level")
    definitions = serializers.DictField(child=serializers.IntegerField(), source="levels")
    scan_incomplete = serializers.IntegerField(source="incomplete")
    findings = ServerFindingSerializer(
        many=True, help_text="What was found in how it is reached and in its tools taken together."
    )


class ServerRiskView(APIView):
    """What the findings of one server come to."""

    needs: ClassVar = {"get": asks(Permission.SERVER_READ, Permission.TOOL_READ)}

    @extend_schema(responses=ServerRiskSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Without what is suppressed."""
        require(request, Permission.SERVER_READ)
        actor = require(request, Permission.TOOL_READ)
        server = Server.objects.visible_to(actor).by_slug(slug)
        findings = list(ServerFinding.objects.visible_to(actor).filter(server=server).judged())
        found = Definition.objects.visible_to(actor).filter(server=server).risk(findings)
        return Response(ServerRiskSerializer({**asdict(found), "findings": findings}).data)


class SuppressionFilter(django_filters.FilterSet):
    """`in_force=true`: what counts now."""

    server = django_filters.CharFilter(field_name="server__slug")
    rule = django_filters.CharFilter()
    in_force = django_filters.BooleanFilter(method="now_in_force")

    class Meta:
        model = Suppression
        fields = ("server", "rule", "in_force")

    def now_in_force(self, queryset: SuppressionQuerySet, _name: str, value: bool) -> SuppressionQuerySet:  # noqa: FBT001 -- django-filter's shape
        """Those that count now, or the others."""
        counting = queryset.in_force(timezone.now())
        return counting if value else queryset.exclude(pk__in=counting.values("pk"))


class SuppressionSerializer(serializers.ModelSerializer[Suppression]):
    """One suppression: of a version (`digest`) or of a rule."""

    id = serializers.UUIDField(source="public_id")
    server = serializers.CharField(source="server.slug")
    digest = serializers.CharField(source="version.digest", default="")
    made_by = serializers.CharField(source="made_by.username")
    revoked_by = serializers.CharField(source="revoked_by.username", default=None, allow_null=True)
    in_force = serializers.BooleanField()

    class Meta:
        model = Suppression
        fields = (
            "id", "server", "rule", "digest", "reason", "made_by", "made_at", "ends_at", "in_force", "revoked_by",
            "revoked_at", "revoked_why",
        )  # fmt: skip
        read_only_fields = fields


class NewSuppressionSerializer(serializers.Serializer[Any]):
    """What `POST suppressions/` takes: a rule, or the digest of a version."""

    server = serializers.CharField(max_length=SLUG_MAX)
    rule = serializers.CharField(max_length=40, required=False, default="", allow_blank=True)
    digest = serializers.CharField(max_length=80, required=False, default="", allow_blank=True)
    reason = serializers.CharField(max_length=REASON_MAX)
    until = serializers.DateTimeField(help_text="A year ahead at most.")


class RevocationSerializer(serializers.Serializer[Any]):
    """Why the findings count again."""

    reason = serializers.CharField(max_length=REASON_MAX)


class SuppressionViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Suppression]):
    """Findings that do not count in the risk for a while. Nothing is let through by it."""

    needs: ClassVar = {
        "list": asks(Permission.REVIEW_READ),
        "create": asks(Permission.REVIEW_DECIDE),
        "revoke": asks(Permission.REVIEW_DECIDE),
    }
    queryset = Suppression.objects.none()
    serializer_class = SuppressionSerializer
    filterset_class = SuppressionFilter
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Suppression]:
        """Those the actor may see."""
        return Suppression.objects.visible_to(require(self.request, Permission.REVIEW_READ)).for_list()

    @extend_schema(request=NewSuppressionSerializer, responses={201: SuppressionSerializer})
    def create(self, request: Request) -> Response:
        """Leave findings out of a server's risk until a day. 409 where that is so already."""
        asked = parsed(NewSuppressionSerializer, request)
        target = services.Target(rule=asked.pop("rule"), digest=asked.pop("digest"))
        made = services.suppress(**asked, target=target, actor=actor_of(request))
        return _answer(made, status.HTTP_201_CREATED)

    @extend_schema(request=RevocationSerializer, responses=SuppressionSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Let the findings count again. 409 where it is over."""
        reason = parsed(RevocationSerializer, request)["reason"]
        done = services.revoke_suppression(suppression_id=id, reason=reason, actor=actor_of(request))
        return _answer(done, status.HTTP_200_OK)


def _answer(row: Suppression, code: int) -> Response:
    return Response(SuppressionSerializer(Suppression.objects.for_list().get(pk=row.pk)).data, status=code)
