"""Sinks over the API."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from audit import services
from audit.formats.kinds import SinkKind, SinkState
from audit.formats.writing import Format
from audit.models import Leaf, Sink
from core.api import actor_of, parsed, require
from core.errors import NotFound
from core.needs import asks
from core.permissions import Permission

# A change that only disables asks for the first alone.
_SENDS = asks(Permission.SINK_MANAGE, Permission.AUDIT_READ, Permission.AUDIT_EXPORT)
_KINDS = [kind.value for kind in SinkKind]
_FORMATS = [form.value for form in Format]


class SinkSerializer(serializers.ModelSerializer[Sink]):
    """A sink; its secret is not in it."""

    id = serializers.UUIDField(source="public_id")
    kind = serializers.ChoiceField(choices=_KINDS)
    format = serializers.ChoiceField(choices=_FORMATS)
    state = serializers.ChoiceField(choices=[state.value for state in SinkState])
    index = serializers.IntegerField(source="cursor.index", help_text="The last place that it has; -1 is none.")
    lag = serializers.SerializerMethodField(help_text="Records that it does not have yet.")
    failing_since = serializers.DateTimeField(source="cursor.failing_since", allow_null=True)
    last_error = serializers.CharField(source="cursor.last_error")
    last_sent_at = serializers.DateTimeField(source="cursor.last_sent_at", allow_null=True)

    class Meta:
        model = Sink
        fields = (
            "id",
            "name",
            "kind",
            "format",
            "endpoint",
            "state",
            "created_at",
            "index",
            "lag",
            "failing_since",
            "last_error",
            "last_sent_at",
        )
        read_only_fields = fields

    def get_lag(self, sink: Sink) -> int:
        """From the log's head to the last place that it has."""
        return max(int(self.context["head"]) - sink.cursor.index, 0)


class CreatedSinkSerializer(SinkSerializer):
    """A sink just made, with the secret of a webhook, which is shown this once."""

    secret = serializers.CharField(help_text="Of a webhook: `whsec_…`, as Standard Webhooks has it. Shown once.")

    class Meta:
        model = Sink
        fields = (*SinkSerializer.Meta.fields, "secret")
        read_only_fields = fields


class NewSinkSerializer(serializers.Serializer[dict[str, Any]]):
    """What `POST audit/sinks/` takes."""

    name = serializers.CharField(max_length=100)
    kind = serializers.ChoiceField(choices=_KINDS)
    format = serializers.ChoiceField(choices=_FORMATS)
    endpoint = serializers.CharField(max_length=2000, help_text="An https URL, or `tls://host:6514` for syslog.")
    secret = serializers.CharField(
        max_length=4000, required=False, default="", allow_blank=True, help_text="For OTLP: its Authorization header."
    )
    from_beginning = serializers.BooleanField(required=False, default=False)


class SinkChangeSerializer(serializers.Serializer[dict[str, Any]]):
    """What `PATCH audit/sinks/{id}/` takes."""

    endpoint = serializers.CharField(max_length=2000, required=False)
    secret = serializers.CharField(max_length=4000, required=False, allow_blank=True)
    enabled = serializers.BooleanField(required=False)


class SinkViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Sink]):
    """Where records are sent."""

    queryset = Sink.objects.none()
    serializer_class = SinkSerializer
    filter_backends = ()
    lookup_field = "id"
    needs: ClassVar = {
        **dict.fromkeys(("list", "retrieve", "destroy"), asks(Permission.SINK_MANAGE)),
        **dict.fromkeys(("create", "partial_update"), _SENDS),
    }

    def get_queryset(self) -> QuerySet[Sink]:
        """What the actor may see."""
        return Sink.objects.visible_to(require(self.request, Permission.SINK_MANAGE)).select_related("cursor")

    def get_serializer_context(self) -> dict[str, Any]:
        """With the log's head, by which a lag is told."""
        return {**super().get_serializer_context(), "head": Leaf.objects.head()}

    @extend_schema(responses=SinkSerializer)
    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """One sink."""
        return self._shown(id)

    @extend_schema(request=NewSinkSerializer, responses={201: CreatedSinkSerializer})
    def create(self, request: Request) -> Response:
        """Send all records somewhere. The answer holds a webhook's secret, once."""
        made = services.create_sink(**parsed(NewSinkSerializer, request), actor=actor_of(request))
        shown = {**self.get_serializer(made.sink).data, "secret": made.secret}
        return Response(shown, status=status.HTTP_201_CREATED)

    @extend_schema(request=SinkChangeSerializer, responses=SinkSerializer)
    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """Send elsewhere, stop, or go on: also what stopped at a record that it could not write.

        Another scheme, host or port takes `secret` anew. `enabled: false` by itself needs `sink:manage` alone.
        """
        services.change_sink(sink_id=_uuid(id), actor=actor_of(request), **parsed(SinkChangeSerializer, request))
        return self._shown(id)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """Remove it, and with it how far it was."""
        services.remove_sink(sink_id=_uuid(id), actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _shown(self, sink_id: str) -> Response:
        sink = self.get_queryset().filter(public_id=_uuid(sink_id)).first()
        if sink is None:
            raise NotFound("There is no such sink.")
        return Response(self.get_serializer(sink).data)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound("There is no such sink.") from error
