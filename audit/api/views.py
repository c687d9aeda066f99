"""Reading the audit log over the API."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status, viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from audit import services
from audit.api.pagination import RecordPagination
from audit.api.serializers import NewSearchSerializer, RecordFilters, RecordSerializer, SavedSearchSerializer
from audit.filters import Filters, read_filters
from audit.models import Record, SavedSearch, Subject
from audit.querysets import RecordQuerySet, SavedSearchQuerySet
from core.api import actor_of, parsed, require
from core.errors import Invalid, NotFound
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
        visible, pages = self._visible(request).with_index(), RecordPagination()
        records = pages.paginate(partial(visible.page, _filters(request)), request)
        return pages.get_paginated_response(self._shown(records, many=True))

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


class SavedSearchViewSet(viewsets.GenericViewSet[SavedSearch]):
    """Searches of the log that the caller keeps, and those that others share."""

    queryset: QuerySet[SavedSearch] = SavedSearch.objects.none()
    serializer_class = SavedSearchSerializer
    filter_backends = ()
    lookup_field = "id"
    needs: ClassVar = dict.fromkeys(("list", "retrieve", "create", "destroy"), asks(Permission.AUDIT_READ))

    @extend_schema(responses=SavedSearchSerializer(many=True))
    def list(self, request: Request) -> Response:
        """Saved searches, newest first."""
        page: Any = self.paginate_queryset(self._visible(request))
        return self.get_paginated_response(self._shown(page))

    @extend_schema(responses=SavedSearchSerializer)
    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """One saved search."""
        return Response(self._shown([self._visible(request).one(_search_id(id))])[0])

    @extend_schema(request=NewSearchSerializer, responses={201: SavedSearchSerializer})
    def create(self, request: Request) -> Response:
        """Keep filters under a name."""
        given = parsed(NewSearchSerializer, request)
        query = given.pop("query")
        search = services.save_search(**given, filters=_read(query, "query."), actor=actor_of(request))
        return Response(self._shown([search])[0], status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """Remove it. The log stays as it is."""
        services.remove_search(search_id=_search_id(id), actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _visible(self, request: Request) -> SavedSearchQuerySet:
        return SavedSearch.objects.visible_to(require(request, Permission.AUDIT_READ))

    def _shown(self, searches: Iterable[SavedSearch]) -> Any:
        rows = list(searches)
        names = Subject.objects.shown_names(row.owner for row in rows)
        return SavedSearchSerializer(rows, many=True, context={"names": names}).data


def _filters(request: Request) -> Filters:
    """The list's filters. An empty one narrows nothing: forms and templates send `?server=&type=deny`."""
    return _read({name: text for name, text in request.query_params.items() if name not in _PAGING})


def _read(given: Mapping[str, object], before: str = "") -> Filters:
    try:
        return read_filters(given)
    except Invalid as error:
        raise ValidationError({f"{before}{name}": [text] for name, text in error.details.items()}) from error


def _search_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound("There is no such search.") from error
