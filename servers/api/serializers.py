"""Shapes of servers in the API. Rules of the values live in `servers.services`."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from access.api.suspended import SuspendedField
from access.intentions import NOT_NEEDED, IntentionNeeded
from core.names import SLUG_MAX
from servers.limits import BOUNDS, DEFAULTS, LIMITS, MEANINGS
from servers.models import Server
from servers.rules import Answers, DriftMode, Environment, ServerState
from servers.tags import TAG_MAX, TAGS_MAX

_DRIFT_MODES: Final = [mode.value for mode in DriftMode]
_DRIFT_MODE: Final = "What agents get while a change waits: nothing of it, or the approved text where it cannot hurt."
_INTENTIONS: Final = [each.value for each in IntentionNeeded]
_INTENTION: Final = "Which calls must say why (`holdfast/intention`): none, those of what is sensitive, or all."

_ANSWER_WORDS: Final = [each.value for each in Answers]
_ANSWERS: Final = "What becomes of an answer in which something speaks to the model: docs/scanning-answers.md."

_TAGS: Final = (
    f"Words to find it by, at most {TAGS_MAX}; each has 1 to {TAG_MAX} letters, digits, `-`, `_`, `:` and `.`,"
    " and is kept in small letters. No rule reads them."
)
_CAPTURE: Final = "What is kept of calls beside commitments: docs/audit-payloads.md. Empty: nothing."


class SameEndpointSerializer(serializers.ModelSerializer[Server]):
    """Another server at the same endpoint."""

    class Meta:
        model = Server
        fields = ("slug", "state")
        read_only_fields = fields


class ServerSerializer(serializers.ModelSerializer[Server]):
    """A server as lists and details show it."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    state = serializers.ChoiceField(choices=[state.value for state in ServerState], read_only=True)
    suspended = SuspendedField("server", "slug")
    drift_mode = serializers.ChoiceField(choices=_DRIFT_MODES, read_only=True, help_text=_DRIFT_MODE)
    intention = serializers.ChoiceField(choices=_INTENTIONS, read_only=True, help_text=_INTENTION)
    answers = serializers.ChoiceField(choices=_ANSWER_WORDS, read_only=True, help_text=_ANSWERS)
    capture = serializers.JSONField(read_only=True, help_text=_CAPTURE)
    tags = serializers.ListField(child=serializers.CharField(), read_only=True, help_text=_TAGS)
    team = serializers.CharField(source="owner_team.slug", default=None, read_only=True, allow_null=True)
    registered_by = serializers.CharField(
        source="registered_by.username", default=None, read_only=True, allow_null=True
    )
    gateway_url = serializers.SerializerMethodField(help_text="Where agents call this server.")
    same_endpoint_as = serializers.SerializerMethodField(
        help_text="Other servers at the same endpoint, of any team and retired ones too."
    )

    class Meta:
        model = Server
        fields = (
            "id",
            "slug",
            "name",
            "url",
            "transport",
            "environment",
            "state",
            "suspended",
            "team",
            "required_approvals",
            "poll_interval",
            "capture",
            "drift_mode",
            "intention",
            "answers",
            "tags",
            *LIMITS,
            "protocol_version",
            "reachable",
            "last_polled_at",
            "last_complete_at",
            "last_error_class",
            "last_error",
            "registered_by",
            "created_at",
            "gateway_url",
            "same_endpoint_as",
        )
        read_only_fields = fields

    def get_gateway_url(self, server: Server) -> str:
        """The server's endpoint at the gateway."""
        return str(self.context["gateway_url"]) + f"/{server.slug}"

    @extend_schema_field(SameEndpointSerializer(many=True))
    def get_same_endpoint_as(self, server: Server) -> Any:
        """At most 20; a list has them read already, for all its servers together."""
        known = getattr(server, "same_endpoint", None)
        return known if known is not None else Server.objects.same_endpoint_as(server).values("slug", "state")[:20]


def _limit(name: str, **given: Any) -> serializers.IntegerField:
    low, high = BOUNDS[name]
    return serializers.IntegerField(min_value=low, max_value=high, help_text=MEANINGS[name], **given)


class RegistrationSerializer(serializers.Serializer[Server]):
    """What `POST servers/` takes."""

    slug = serializers.CharField(max_length=SLUG_MAX)
    name = serializers.CharField(max_length=200)
    url = serializers.CharField(max_length=2000, required=False, default="", allow_blank=True)
    transport = serializers.CharField(max_length=40, default="streamable_http")
    environment = serializers.ChoiceField(choices=[choice.value for choice in Environment])
    required_approvals = serializers.IntegerField(min_value=1, max_value=2, default=1)
    poll_interval = serializers.IntegerField(min_value=5, max_value=86_400, default=300, help_text="Seconds.")
    capture = serializers.JSONField(required=False, default=dict, help_text=_CAPTURE)
    drift_mode = serializers.ChoiceField(choices=_DRIFT_MODES, default=DriftMode.BLOCK.value, help_text=_DRIFT_MODE)
    intention = serializers.ChoiceField(choices=_INTENTIONS, default=NOT_NEEDED, help_text=_INTENTION)
    answers = serializers.ChoiceField(choices=_ANSWER_WORDS, default=Answers.RECORD.value, help_text=_ANSWERS)
    tags = serializers.ListField(child=serializers.CharField(), required=False, default=list, help_text=_TAGS)
    team = serializers.CharField(max_length=100, required=False, allow_null=True, default=None)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """The limits too, by default as everywhere."""
        return super().get_fields() | {name: _limit(name, default=getattr(DEFAULTS, name)) for name in LIMITS}


class EditSerializer(serializers.Serializer[Server]):
    """What `PATCH servers/{slug}/` takes; every field may be left out."""

    name = serializers.CharField(max_length=200, required=False)
    url = serializers.CharField(max_length=2000, required=False)
    environment = serializers.ChoiceField(choices=[choice.value for choice in Environment], required=False)
    required_approvals = serializers.IntegerField(min_value=1, max_value=2, required=False)
    poll_interval = serializers.IntegerField(min_value=5, max_value=86_400, required=False, help_text="Seconds.")
    capture = serializers.JSONField(required=False, help_text=_CAPTURE)
    drift_mode = serializers.ChoiceField(choices=_DRIFT_MODES, required=False, help_text=_DRIFT_MODE)
    intention = serializers.ChoiceField(choices=_INTENTIONS, required=False, help_text=_INTENTION)
    answers = serializers.ChoiceField(choices=_ANSWER_WORDS, required=False, help_text=_ANSWERS)
    tags = serializers.ListField(child=serializers.CharField(), required=False, help_text=_TAGS)
    team = serializers.CharField(max_length=100, required=False, allow_null=True)
    reason = serializers.CharField(max_length=2000, required=False, default="", allow_blank=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """The limits too."""
        return super().get_fields() | {name: _limit(name, required=False) for name in LIMITS}


class ReasonSerializer(serializers.Serializer[Server]):
    """A reason, kept in the audit log."""

    reason = serializers.CharField(max_length=2000)


class IntrospectorSerializer(serializers.Serializer[Server]):
    """Which agent stands for a server and may ask what tokens for it are worth."""

    agent = serializers.CharField(max_length=255, allow_null=True)


class NamedIntrospectorSerializer(serializers.Serializer[Server]):
    """The agent that shall; empty: none."""

    agent = serializers.CharField(max_length=255, allow_blank=True)
    reason = serializers.CharField(max_length=2000)


class CallDaySerializer(serializers.Serializer[Any]):
    """The calls of one day (UTC) that were answered; of a day without any there is no duration."""

    day = serializers.DateField()
    calls = serializers.IntegerField()
    p50_ms = serializers.FloatField(source="p50", allow_null=True, help_text="Median, to within an eighth.")
    p95_ms = serializers.FloatField(source="p95", allow_null=True, help_text="95th percentile, to within an eighth.")


class LookDaySerializer(serializers.Serializer[Any]):
    """The looks at a server on one day (UTC); durations are those of the complete ones."""

    day = serializers.DateField()
    looks = serializers.IntegerField()
    complete = serializers.IntegerField()
    p50_ms = serializers.FloatField(source="p50", allow_null=True, help_text="Median, to within an eighth.")
    p95_ms = serializers.FloatField(source="p95", allow_null=True, help_text="95th percentile, to within an eighth.")


class HealthSerializer(serializers.Serializer[Any]):
    """How a server answered: each day, the oldest first."""

    looks = LookDaySerializer(many=True)
    calls = CallDaySerializer(
        many=True, allow_null=True, help_text="Null for who may not read the audit log of this server."
    )
