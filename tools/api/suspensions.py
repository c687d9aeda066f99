"""API of the kill switch: what is suspended, suspending, lifting."""

from typing import Any, ClassVar
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from access.models import Suspension
from access.querysets import SuspensionQuerySet
from access.services import lift
from access.suspended import SuspensionKind
from core.api import actor_of, parsed, require
from core.needs import asks
from core.permissions import Permission
from tools import services
from tools.rules import NAME_MAX_BYTES, REASON_MAX

_KINDS = [kind.value for kind in SuspensionKind]


class SuspensionFilter(django_filters.FilterSet):
    """`live=true`: what is suspended now."""

    live = django_filters.BooleanFilter(field_name="lifted_at", lookup_expr="isnull")
    kind = django_filters.ChoiceFilter(choices=[(kind, kind) for kind in _KINDS])

    class Meta:
        model = Suspension
        fields = ("live", "kind")


class SuspensionSerializer(serializers.ModelSerializer[Suspension]):
    """One suspension. Without a person (null) it was set, or lifted, by the command line on the host."""

    id = serializers.UUIDField(source="public_id")
    kind = serializers.ChoiceField(choices=_KINDS)
    name = serializers.SerializerMethodField(help_text="as it was given; of a person the user name")
    suspended_by = serializers.CharField(source="suspended_by.username", default=None, allow_null=True)
    lifted_by = serializers.CharField(source="lifted_by.username", default=None, allow_null=True)

    class Meta:
        model = Suspension
        fields = (
            "id", "kind", "name", "reason", "suspended_by", "suspended_at", "lifted_by", "lifted_at", "lift_reason",
        )  # fmt: skip
        read_only_fields = fields

    def get_name(self, row: Suspension) -> str:
        """The name by which it is suspended again."""
        title: str = row.title  # type: ignore[attr-defined]  # `titled` gives it
        return title if row.kind == SuspensionKind.PERSON.value else row.name


class NewSuspensionSerializer(serializers.Serializer[Any]):
    """What `POST suspensions/` takes."""

    kind = serializers.ChoiceField(choices=_KINDS)
    name = serializers.CharField(
        max_length=NAME_MAX_BYTES + 64,
        required=False,
        default="",
        allow_blank=True,
        trim_whitespace=False,
        help_text="a server's or team's slug, `tool:files/read`, a client id, a user name; empty for everything",
    )
    reason = serializers.CharField(max_length=REASON_MAX)


class LiftSerializer(serializers.Serializer[Any]):
    """Why it may go on."""

    reason = serializers.CharField(max_length=REASON_MAX)


class SuspensionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Suspension]):
    """The kill switch."""

    needs: ClassVar = {
        "list": asks(Permission.SUSPENSION_READ),
        "retrieve": asks(Permission.SUSPENSION_READ),
        "create": asks(Permission.SUSPENSION_SET),
        "lift": asks(Permission.SUSPENSION_LIFT),
    }
    queryset = Suspension.objects.none()
    serializer_class = SuspensionSerializer
    filterset_class = SuspensionFilter
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Suspension]:
        """Those the actor may see."""
        return _titled(Suspension.objects.visible_to(require(self.request, Permission.SUSPENSION_READ)))

    @extend_schema(request=NewSuspensionSerializer, responses={201: SuspensionSerializer})
    def create(self, request: Request) -> Response:
        """Stop it at every gateway within a second. 409 while it is suspended."""
        made = services.suspend(**parsed(NewSuspensionSerializer, request), actor=actor_of(request))
        return _answer(made, status.HTTP_201_CREATED)

    @extend_schema(request=LiftSerializer, responses=SuspensionSerializer)
    @action(detail=True, methods=["post"])
    def lift(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Let it go on. Another person than who suspended it; 409 for that one, and where it was lifted already."""
        reason = parsed(LiftSerializer, request)["reason"]
        return _answer(lift(suspension_id=id, actor=actor_of(request), reason=reason), status.HTTP_200_OK)


def _titled(rows: SuspensionQuerySet) -> SuspensionQuerySet:
    return rows.titled().select_related("suspended_by", "lifted_by")


def _answer(row: Suspension, code: int) -> Response:
    shown = _titled(Suspension.objects.filter(pk=row.pk)).get()
    return Response(SuspensionSerializer(shown).data, status=code)
