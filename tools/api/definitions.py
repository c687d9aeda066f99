"""API of definitions: what servers show, what agents get of it, and everything that was ever shown and approved."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import django_filters
from django.db.models import F, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer

from core.api import Pagination, actor_of, parsed, require
from core.errors import Invalid
from core.needs import asks
from core.permissions import Permission
from servers.surface import Kind
from tools import services
from tools.api.history import Comparison, ComparisonSerializer, PinSerializer, VersionSerializer
from tools.api.serializers import DefinitionDetailSerializer, DefinitionSerializer, SensitiveSerializer
from tools.models import Definition, DefinitionVersion, Pin
from tools.presentation import review_view
from tools.querysets import DefinitionQuerySet
from tools.querysets.definitions import EFFECTS
from tools.rules import DefinitionState

_DIGESTS = tuple(
    OpenApiParameter(name, OpenApiTypes.STR, required=True, description=f"The digest of the {which} version.")
    for name, which in (("from", "older"), ("to", "newer"))
)


class DefinitionFilter(django_filters.FilterSet):
    """Filters of the list of definitions."""

    server = django_filters.CharFilter(field_name="server__slug")
    tag = django_filters.CharFilter(method="tagged", label="Of servers that are marked with this tag.")
    kind = django_filters.ChoiceFilter(choices=[(kind.value, kind.value) for kind in Kind])
    state = django_filters.ChoiceFilter(
        choices=[(state.value, state.value) for state in DefinitionState], method="in_state"
    )
    effect = django_filters.ChoiceFilter(
        choices=[(name, name) for name in EFFECTS],
        method="that",
        label="What a tool says that it does; `may_write` is all that does not only read.",
    )
    served = django_filters.BooleanFilter(method="served_now", label="Whether agents get it now.")

    unused_since = django_filters.IsoDateTimeFilter(
        method="not_called_since", label="Not called since then; takes `grant:read`."
    )

    class Meta:
        model = Definition
        fields = ("server", "tag", "kind", "state", "effect", "served", "unused_since")

    def tagged(self, queryset: DefinitionQuerySet, _name: str, value: str) -> DefinitionQuerySet:
        """By a tag of the server."""
        return queryset.tagged(value)

    def in_state(self, queryset: DefinitionQuerySet, _name: str, value: str) -> DefinitionQuerySet:
        """Held, approved or gone."""
        return queryset.in_state(DefinitionState(value))

    def that(self, queryset: DefinitionQuerySet, _name: str, value: str) -> DefinitionQuerySet:
        """Tools that say so."""
        return queryset.that(EFFECTS[value])

    def not_called_since(self, queryset: DefinitionQuerySet, _name: str, value: datetime) -> DefinitionQuerySet:
        """What was there then, counted by then, and not called since."""
        require(self.request, Permission.GRANT_READ)
        return queryset.unused_since(value)

    def served_now(self, queryset: DefinitionQuerySet, _name: str, value: bool) -> DefinitionQuerySet:  # noqa: FBT001 -- the filter's own
        """What agents get, or the rest."""
        served = queryset.model.objects.all().served_now()
        return queryset.filter(pk__in=served.values("pk")) if value else queryset.exclude(pk__in=served.values("pk"))


class DefinitionViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Definition]):
    """What servers show to models, and whether agents may see it."""

    queryset = Definition.objects.none()
    serializer_class = DefinitionSerializer
    filterset_class = DefinitionFilter
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_converter = "uuid"
    needs: ClassVar = {
        "list": asks(Permission.TOOL_READ),
        "retrieve": asks(Permission.TOOL_READ),
        "sensitive": asks(Permission.SERVER_EDIT),
        "versions": asks(Permission.TOOL_READ),
        "pins": asks(Permission.TOOL_READ),
        "compare": asks(Permission.TOOL_READ),
    }

    def get_queryset(self) -> QuerySet[Definition]:
        """What the actor may see, without texts."""
        return self._visible().defer("observed__text")

    @extend_schema(responses=DefinitionDetailSerializer)
    def retrieve(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """One definition with what the server shows and what agents are shown."""
        found = self._visible().annotate(pin_text=F("live_pin__version__text")).by_id(id)
        return Response(DefinitionDetailSerializer(found).data)

    @extend_schema(request=SensitiveSerializer, responses=DefinitionDetailSerializer)
    @action(detail=True, methods=["post"])
    def sensitive(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Mark the definition as sensitive: it then needs a scope of its own."""
        data = parsed(SensitiveSerializer, request)
        services.mark_sensitive(definition_id=id, actor=actor_of(request), **data)
        return self.retrieve(request, id)

    @extend_schema(responses=VersionSerializer(many=True))
    @action(detail=True, filterset_class=None, pagination_class=Pagination)
    def versions(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Every version that was ever seen, newest first, with what was found and decided."""
        rows = DefinitionVersion.objects.filter(definition=self._one(id)).for_history(actor_of(request))
        return self._page(VersionSerializer, rows)

    @extend_schema(responses=PinSerializer(many=True))
    @action(detail=True, filterset_class=None, pagination_class=Pagination)
    def pins(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Every pin that was ever set, newest first: by whom, why, until when, and how it ended."""
        return self._page(PinSerializer, Pin.objects.filter(definition=self._one(id)).for_history(actor_of(request)))

    @extend_schema(parameters=list(_DIGESTS), responses=ComparisonSerializer)
    @action(detail=True, filterset_class=None)
    def compare(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """What differs between two versions; 422 where there is nothing to compare."""
        wanted = {name: request.query_params.get(name, "") for name in ("from", "to")}
        for name, digest in wanted.items():
            if not digest:
                raise Invalid("Give the digest of a version.", field=name)
        row = self._one(id)
        older, newer = DefinitionVersion.objects.filter(definition=row).pair(wanted["from"], wanted["to"])
        view = review_view(kind=row.kind, name=row.name, before=older.text, after=newer.text)
        return Response(ComparisonSerializer(Comparison(older, newer, view)).data)

    def _visible(self) -> DefinitionQuerySet:
        actor = require(self.request, Permission.TOOL_READ)
        return Definition.objects.visible_to(actor).for_list().with_use(actor).with_namesakes(actor)

    def _one(self, definition_id: UUID) -> Definition:
        actor = require(self.request, Permission.TOOL_READ)
        return Definition.objects.visible_to(actor).by_id(definition_id)

    def _page(self, shape: type[ModelSerializer[Any]], rows: QuerySet[Any]) -> Response:
        return self.get_paginated_response(shape(self.paginate_queryset(rows), many=True).data)
