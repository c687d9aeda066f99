"""Downloading the audit log over the API."""

from typing import ClassVar

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from audit import services
from audit.api.serializers import RecordFilters
from audit.filters import read_filters
from audit.formats.writing import Format
from core.api import actor_of
from core.download import download
from core.errors import Invalid
from core.needs import asks
from core.permissions import Permission

_FORMAT = "format"


class ExportView(APIView):
    """The log as a file."""

    needs: ClassVar = {"get": asks(Permission.AUDIT_EXPORT, Permission.AUDIT_READ)}

    @extend_schema(
        parameters=[OpenApiParameter(_FORMAT, required=True, enum=[form.value for form in Format]), RecordFilters],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
        operation_id="audit_export_retrieve",
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Every placed record that fits, oldest first. `jsonl` can be verified, and takes `since` and `until` only."""
        given = {name: str(text) for name, text in request.query_params.items() if name != _FORMAT}
        try:
            form = Format(request.query_params.get(_FORMAT, ""))
        except ValueError as error:
            raise ValidationError({_FORMAT: [f"Must be one of {', '.join(Format)}."]}) from error
        try:
            filters = read_filters(given)
        except Invalid as error:
            raise ValidationError({name: [text] for name, text in error.details.items()}) from error
        export = services.begin_export(form=form, filters=filters, actor=actor_of(request))
        return download(export.chunks(), name=export.name, content_type=export.content_type)
