"""How records look to programs, and what their list can be filtered by."""

from typing import Any

from rest_framework import serializers

from audit.events import Event, RecordType
from audit.models import Record
from core.names import canonical_name

_LONGEST_FILTER = 2000


class RecordFilters(serializers.Serializer[dict[str, Any]]):
    """The list's query parameters; all given ones must fit."""

    call_id = serializers.UUIDField(required=False, help_text="Intent and outcome, or denial, of one call.")
    principal = serializers.CharField(
        required=False, max_length=_LONGEST_FILTER, help_text="User name, pseudonym, or client id of an agent."
    )
    agent = serializers.CharField(required=False, max_length=_LONGEST_FILTER, help_text="Client id.")
    server = serializers.CharField(required=False, max_length=_LONGEST_FILTER, help_text="Slug.")
    tool = serializers.CharField(
        required=False, max_length=_LONGEST_FILTER, trim_whitespace=False, help_text="`files/read`, or `read` anywhere."
    )
    type = serializers.ChoiceField(required=False, choices=[item.value for item in RecordType])
    event = serializers.ChoiceField(required=False, choices=[item.value for item in Event])
    decision = serializers.ChoiceField(required=False, choices=["allowed", "denied"])
    since = serializers.DateTimeField(required=False, help_text="Inclusive.")
    until = serializers.DateTimeField(required=False, help_text="Exclusive.")


class RecordSerializer(serializers.ModelSerializer[Record]):
    """One record. `index` is its place in the log, null for the moment until it has one."""

    index = serializers.IntegerField(allow_null=True, read_only=True)
    type = serializers.ChoiceField(choices=[item.value for item in RecordType])
    principal = serializers.SerializerMethodField(help_text="User name, client id, or `system:<name>`.")
    principal_id = serializers.CharField(source="principal", help_text="As recorded: people under a pseudonym.")
    actor = serializers.SerializerMethodField(help_text="Who acted, where that is not the principal.")
    tool = serializers.SerializerMethodField(help_text="Canonical name, such as `files/read`.")
    subject = serializers.SerializerMethodField(help_text="What it is about, such as `server:files`, `person:ada`.")
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)

    class Meta:
        model = Record
        fields = (
            "id",
            "index",
            "time",
            "type",
            "event",
            "call_id",
            "parent_call_id",
            "batch_id",
            "principal",
            "principal_id",
            "actor",
            "agent",
            "server",
            "method",
            "kind",
            "tool",
            "tool_hash",
            "decision",
            "reason",
            "rule_ids",
            "scopes_used",
            "subject",
            "environment",
            "owner_team",
            "intention",
            "status",
            "error_class",
            "latency_ms",
            "bytes",
            "client_ip",
            "trace_id",
            "writer",
            "seq",
            "before",
            "after",
        )
        read_only_fields = fields

    def get_principal(self, record: Record) -> str:
        """The name that people know."""
        return self._name(record.principal)

    def get_actor(self, record: Record) -> str:
        """The name that people know."""
        return self._name(record.actor)

    def get_tool(self, record: Record) -> str:
        """Canonical where the server is known."""
        return canonical_name(record.server, record.tool) if record.server and record.tool else record.tool

    def get_subject(self, record: Record) -> str:
        """A person by name; the record itself holds their pseudonym."""
        kind, colon, name = record.subject.partition(":")
        return f"{kind}:{self._name(name)}" if kind == "person" and colon else record.subject

    def _name(self, principal: str) -> str:
        names: dict[str, str] = self.context["names"]
        return names.get(principal, principal)
