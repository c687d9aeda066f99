"""Payloads of calls over the API: reading one, which is recorded first, and having it erased by two people."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit import services
from core.api import actor_of, parsed
from core.needs import asks
from core.permissions import Permission

_STATES = ["exact", "changed", "too_long", "commitment_only", "nothing", "gone", "broken"]


class PayloadReasonSerializer(serializers.Serializer[Any]):
    """A reason, kept in the audit log."""

    reason = serializers.CharField(max_length=2000)


class PartSerializer(serializers.Serializer[Any]):
    """One part of a call."""

    part = serializers.ChoiceField(choices=["arguments", "result"])
    record_id = serializers.UUIDField(allow_null=True)
    state = serializers.ChoiceField(choices=_STATES, help_text="What is kept of it; see docs/audit-payloads.md.")
    text = serializers.CharField(help_text="JSON as it is kept; why, where it does not open.")
    size = serializers.IntegerField(allow_null=True, help_text="Bytes that were committed to.")
    secrets = serializers.IntegerField(help_text="How many were left out.")
    sha256 = serializers.CharField(help_text="Of what was too long to be kept.")
    commitment = serializers.ChoiceField(choices=["holds", "broken", "unchecked", "none"])
    commit = serializers.CharField(help_text="HMAC-SHA256 of the exact bytes under the salt, as the record has it.")
    salt = serializers.CharField(help_text="With it whoever has the bytes checks the commitment.")


class PayloadSerializer(serializers.Serializer[Any]):
    """What is kept of a call."""

    call_id = serializers.UUIDField()
    parts = PartSerializer(many=True)


class ErasureSerializer(serializers.Serializer[Any]):
    """What somebody asked to have erased."""

    id = serializers.UUIDField()
    call_id = serializers.UUIDField()
    reason = serializers.CharField()
    requested_at = serializers.DateTimeField()


class ErasedSerializer(serializers.Serializer[Any]):
    """How many rows were erased."""

    rows = serializers.IntegerField()


class ReadPayloadView(APIView):
    """What is kept of a call."""

    needs: ClassVar = {"post": asks(Permission.PAYLOAD_READ)}

    @extend_schema(request=PayloadReasonSerializer, responses=PayloadSerializer, operation_id="audit_payloads_read")
    def post(self, request: Request, call_id: UUID) -> Response:
        """Read what is kept of a call. The record of it is durable before the answer leaves."""
        reason = parsed(PayloadReasonSerializer, request)["reason"]
        found = services.read_payload(call_id=call_id, actor=actor_of(request), reason=reason)
        return Response(PayloadSerializer(found).data, headers={"Cache-Control": "no-store"})


class ErasePayloadView(APIView):
    """A request to erase a payload."""

    needs: ClassVar = {"post": asks(Permission.PAYLOAD_ERASE)}

    @extend_schema(
        request=PayloadReasonSerializer, responses={201: ErasureSerializer}, operation_id="audit_payloads_erase"
    )
    def post(self, request: Request, call_id: UUID) -> Response:
        """Ask for the erasing of a payload before its time; another person has to agree within seven days."""
        reason = parsed(PayloadReasonSerializer, request)["reason"]
        removal = services.request_erasure(call_id=call_id, actor=actor_of(request), reason=reason)
        return Response(ErasureSerializer(removal).data, status=201)


class ConfirmErasureView(APIView):
    """Another person's agreement."""

    needs: ClassVar = {"post": asks(Permission.PAYLOAD_ERASE)}

    @extend_schema(request=None, responses=ErasedSerializer, operation_id="audit_payloads_confirm_erasure")
    def post(self, request: Request, call_id: UUID) -> Response:
        """Agree to what another person asked for: the payload is erased."""
        return Response({"rows": services.confirm_erasure(call_id=call_id, actor=actor_of(request))})
