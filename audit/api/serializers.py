"""How records look to programs, and what their list can be filtered by."""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from rest_framework import serializers

from audit.events import Event, RecordType
from audit.filters import DECISIONS, LONGEST
from audit.models import Record, SavedSearch
from audit.models.searches import NAME_MAX
from core.names import canonical_name


def _text(help_text: str) -> serializers.CharField:
    return serializers.CharField(required=False, max_length=LONGEST, help_text=help_text)


class RecordFilters(serializers.Serializer[dict[str, Any]]):
    """The list's query parameters, for its description; `audit.filters` reads them. All given ones must fit."""

    call_id = serializers.UUIDField(required=False, help_text="Intent and outcome, or denial, of one call.")
    trace_id = _text("All records of one W3C trace.")
    principal = _text("User name, pseudonym, or client id of an agent.")
    agent = _text("Client id.")
    server = _text("Slug.")
    tool = _text("`files/read`, or `read` anywhere.")
    type = serializers.ChoiceField(required=False, choices=[item.value for item in RecordType])
    event = serializers.ChoiceField(required=False, choices=[item.value for item in Event])
    decision = serializers.ChoiceField(required=False, choices=list(DECISIONS))
    reason = _text("Whole: what a denial is called, such as `no_grant`, or a person's words.")
    intention = _text('Words of a call\'s intention, as in a search engine: `"a phrase"`, `or`, `-without`.')
    since = serializers.DateTimeField(required=False, help_text="Inclusive.")
    until = serializers.DateTimeField(required=False, help_text="Exclusive.")


class SavedSearchSerializer(serializers.ModelSerializer[SavedSearch]):
    """A saved search. `records` is the list of what it finds, for whoever asks."""

    id = serializers.UUIDField(source="public_id")
    owner = serializers.SerializerMethodField(help_text="User name.")
    query = RecordFilters()
    records = serializers.SerializerMethodField()

    class Meta:
        model = SavedSearch
        fields = ("id", "name", "owner", "shared", "created_at", "query", "records")
        read_only_fields = fields

    def get_owner(self, search: SavedSearch) -> str:
        """The name that people know."""
        return str(self.context["names"].get(search.owner, search.owner))

    def get_records(self, search: SavedSearch) -> str:
        """Where its records are."""
        return f"{reverse('api:record-list')}?{urlencode(search.query)}"

    def to_representation(self, search: SavedSearch) -> dict[str, Any]:
        """The query is what was kept, whatever this release would make of it."""
        return {**super().to_representation(search), "query": search.query}


class NewSearchSerializer(serializers.Serializer[dict[str, Any]]):
    """What `POST audit/searches/` takes."""

    name = serializers.CharField(max_length=NAME_MAX)
    query = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=LONGEST),
        help_text="The list's query parameters.",
    )
    shared = serializers.BooleanField(default=False, help_text="With everybody who may read the log.")


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
