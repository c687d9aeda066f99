"""Reading the audit log over the API."""

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.pagination import RecordPagination
from audit.api.serializers import RecordFilters, RecordSerializer
from audit.models import Record, Subject
from audit.querysets import RecordQuerySet
from core.api import require
from core.errors import NotFound
from core.needs import asks
from core.permissions import Permission

_PAGING = {RecordPagination.cursor_query_param, RecordPagination.page_size_query_param}


class RecordViewSet(viewsets.GenericViewSet[Record]):
    """Every call, denial, sign-in, change and review that was recorded."""

    queryset: QuerySet[Record] = Record.objects.none()
    serializer_class = RecordSerializer
    pagination_class = RecordPagination
    filter_backends = ()
    lookup_field = "id"
    needs: ClassVar = dict.fromkeys(("list", "retrieve"), asks(Permission.AUDIT_READ))

    @extend_schema(parameters=[RecordFilters], responses=RecordSerializer(many=True))
    def list(self, request: Request) -> Response:
        """Records, newest first."""
        visible = self._visible(request)
        page = self.paginate_queryset(visible.matching(**_filters(request)).with_index())
        records = page if page is not None else []
        return self.get_paginated_response(self._shown(records, many=True))

    @extend_schema(responses=RecordSerializer)
    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """One record."""
        try:
            record_id = UUID(id)
        except ValueError as error:
            raise NotFound("There is no such audit record.") from error
        record = self._visible(request).with_index().one(record_id)
        return Response(self._shown([record], many=True)[0])

    def _visible(self, request: Request) -> RecordQuerySet:
        return Record.objects.visible_to(require(request, Permission.AUDIT_READ))

    def _shown(self, records: Iterable[Record], *, many: bool) -> Any:
        rows = list(records)
        texts = (text for row in rows for text in (row.principal, row.actor, row.subject.removeprefix("person:")))
        names = Subject.objects.shown_names(texts)
        return RecordSerializer(rows, many=many, context={"names": names}).data


def _filters(request: Request) -> dict[str, Any]:
    """The validated filters. One that nobody knows is refused: ignoring it would answer too much."""
    unknown = set(request.query_params) - set(RecordFilters().fields) - _PAGING
    if unknown:
        raise ValidationError({name: ["There is no such filter."] for name in sorted(unknown)})
    # An empty one narrows nothing, as in every other list: forms and templates send `?server=&type=deny`.
    given = {name: value for name, value in request.query_params.items() if value}
    filters = RecordFilters(data=given)
    filters.is_valid(raise_exception=True)
    return dict(filters.validated_data)
