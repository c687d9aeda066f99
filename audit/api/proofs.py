"""Proofs of the log over the API: how it was verified, verifying it now, one record's proof, the verifier."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit import services
from audit.standing import standing
from audit.verifier_file import NAME, packed
from core.api import actor_of, require
from core.download import download
from core.needs import asks
from core.permissions import Permission


class VerificationSerializer(serializers.Serializer[Any]):
    """How the log stands. `vkey` is for comparing, never for trusting: it comes from the log itself."""

    last = serializers.IntegerField(allow_null=True, help_text="The last place that was verified.")
    at = serializers.DateTimeField(allow_null=True, help_text="When; null where nobody ever verified the log.")
    full_at = serializers.DateTimeField(allow_null=True, help_text="When it was verified from its beginning.")
    asked_at = serializers.DateTimeField(allow_null=True, help_text="Since when one that was asked for is under way.")
    count = serializers.IntegerField(help_text="How many things the last verification found.")
    finding = serializers.JSONField(allow_null=True, help_text="The first of them: kind, place, record and meaning.")
    origin = serializers.CharField(help_text="The log's name in its checkpoints; empty before the first.")
    vkey = serializers.CharField(help_text="The key that verifies checkpoints, as the log says.")
    checkpoint = serializers.CharField(help_text="The last one. Keep it: a later log is held against it.")


class VerificationView(APIView):
    """The log's verification."""

    needs: ClassVar = dict.fromkeys(("get", "post"), asks(Permission.AUDIT_READ))

    @extend_schema(responses=VerificationSerializer, operation_id="audit_verification_retrieve")
    def get(self, request: Request) -> Response:
        """How the log stands, and what it is verified by."""
        require(request, Permission.AUDIT_READ)
        return Response(_standing())

    @extend_schema(request=None, responses={202: VerificationSerializer}, operation_id="audit_verification_create")
    def post(self, request: Request) -> Response:
        """Have the whole log verified now. 409 while that is under way."""
        services.request_verification(actor=actor_of(request))
        return Response(_standing(), status=202)


class RecordProofView(APIView):
    """The proof of one record."""

    needs: ClassVar = {"get": asks(Permission.AUDIT_EXPORT, Permission.AUDIT_READ)}

    @extend_schema(responses={(200, "application/jsonl"): OpenApiTypes.BINARY}, operation_id="audit_records_proof")
    def get(self, request: Request, id: UUID) -> StreamingHttpResponse:  # noqa: A002 -- the route's name for it
        """The record and the others of its call, for `python -m audit.verify`. 409 until a checkpoint is over them."""
        made = services.begin_proof(record_id=id, actor=actor_of(request))
        return download(made.chunks(), name=made.name, content_type="application/jsonl")


class VerifierView(APIView):
    """The verifier."""

    needs: ClassVar = {"get": asks(Permission.AUDIT_READ)}

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY}, operation_id="audit_verifier_retrieve")
    def get(self, request: Request) -> HttpResponse:
        """What verifies exports and proofs elsewhere, as one file that Python runs. It needs `cryptography` alone."""
        require(request, Permission.AUDIT_READ)
        headers = {"Content-Disposition": f'attachment; filename="{NAME}"'}
        return HttpResponse(packed(), content_type="application/zip", headers=headers)


def _standing() -> Any:
    stands, signed = standing(), services.newest_signed()
    found = stands["verified"]
    said = {name: getattr(found, name, None) for name in ("last", "at", "full_at", "finding")}
    said |= {"count": found.count if found else 0, "asked_at": stands["asked"]}
    said |= {name: getattr(signed, name) for name in ("origin", "vkey", "checkpoint")}
    return VerificationSerializer(said).data
