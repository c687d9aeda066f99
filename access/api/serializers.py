"""Shapes of people, teams, agents, roles, grants and tokens in the API. Rules of the values live in the services."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from access.api.suspended import SuspendedField
from access.completing import Completed
from access.conditions import DAYS, NETWORKS_MAX
from access.models import Agent, AgentState, ApiToken, Grant, NameStyle, Person, Reach, Role, Team
from access.names import NAME_MAX, REASON_MAX, SCOPE_LENGTH_MAX, SCOPES_MAX, USERNAME_MAX
from access.redirects import URI_MAX, URIS_MAX
from core.actor import Actor
from core.api import actor_of
from core.names import SLUG_MAX
from core.permissions import Permission

GRANT_TYPES = ("client_credentials", "authorization_code")
_SOURCES = ("manual", "document", "dynamic")
_GRANT_ENVIRONMENTS = ("", "development", "staging", "production")


def _names(enum: Any) -> list[str]:
    return [member.value for member in enum]


class ScopesField(serializers.ListField):
    """Permissions and MCP scopes."""

    def __init__(self, **kwargs: Any) -> None:
        child = serializers.CharField(max_length=SCOPE_LENGTH_MAX, trim_whitespace=False)
        super().__init__(child=child, max_length=SCOPES_MAX, **kwargs)


class PersonSerializer(serializers.ModelSerializer[Person]):
    """A person. `roles` are those given to them directly, as far as the reader may see grants."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    active = serializers.BooleanField(source="is_active", read_only=True)
    suspended = SuspendedField("person", "public_id")
    roles = serializers.SerializerMethodField()

    class Meta:
        model = Person
        fields = ("id", "username", "display_name", "email", "active", "suspended", "roles", "last_login", "created_at")
        read_only_fields = fields

    def get_roles(self, person: Person) -> list[str]:
        """Names of the roles that live grants give."""
        return _roles(person, actor_of(self.context["request"]))


class NewPersonSerializer(serializers.Serializer[Person]):
    """What `POST people/` takes."""

    username = serializers.CharField(max_length=USERNAME_MAX)
    password = serializers.CharField(max_length=1024, write_only=True, trim_whitespace=False)
    role = serializers.CharField(max_length=NAME_MAX, required=False, default="", allow_blank=True)
    display_name = serializers.CharField(max_length=NAME_MAX, required=False, default="", allow_blank=True)
    email = serializers.EmailField(required=False, default="", allow_blank=True)


class PasswordSerializer(serializers.Serializer[Person]):
    """A new password."""

    password = serializers.CharField(max_length=1024, write_only=True, trim_whitespace=False)


class StatedReasonSerializer(serializers.Serializer[Any]):
    """A reason, kept in the audit log."""

    reason = serializers.CharField(max_length=REASON_MAX)


class OptionalReasonSerializer(serializers.Serializer[Any]):
    """A reason, kept in the audit log, where one may be left out."""

    reason = serializers.CharField(max_length=REASON_MAX, required=False, default="", allow_blank=True)


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """An API token without the token itself. No scopes: all that its person may do."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    username = serializers.CharField(source="person.username", read_only=True)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=_names(Permission)), read_only=True)

    class Meta:
        model = ApiToken
        fields = ("id", "username", "name", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")
        read_only_fields = fields


class IssuedTokenSerializer(TokenSerializer):
    """An API token with the token, shown this once."""

    token = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = ("id", "token", *TokenSerializer.Meta.fields[1:])  # type: ignore[assignment]  # one more
        read_only_fields = fields  # type: ignore[assignment]  # as above


class NewTokenSerializer(serializers.Serializer[ApiToken]):
    """What `POST tokens/` takes. Without `username` the token is for whoever asks."""

    username = serializers.CharField(max_length=USERNAME_MAX, required=False, default="", allow_blank=True)
    scopes = ScopesField(required=False, default=list)
    name = serializers.CharField(max_length=NAME_MAX, required=False, default="", allow_blank=True)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class TeamSerializer(serializers.ModelSerializer[Team]):
    """A team and its people, as far as the reader may see them."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    members = serializers.SerializerMethodField()

    class Meta:
        model = Team
        fields = ("id", "slug", "name", "members", "created_at")
        read_only_fields = fields

    def get_members(self, team: Team) -> list[str]:
        """User names."""
        rows = getattr(team, "shown_members", None)
        if rows is None:
            rows = Person.objects.visible_to(actor_of(self.context["request"])).filter(teams=team)
        return sorted(person.username for person in rows)


class NewTeamSerializer(serializers.Serializer[Team]):
    """What `POST teams/` takes."""

    slug = serializers.CharField(max_length=SLUG_MAX)
    name = serializers.CharField(max_length=NAME_MAX, required=False, default="", allow_blank=True)


class MemberSerializer(serializers.Serializer[Any]):
    """Who is to be in a team."""

    username = serializers.CharField(max_length=USERNAME_MAX)


class RoleSerializer(serializers.ModelSerializer[Role]):
    """A role."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    scopes = serializers.ListField(child=serializers.CharField(), read_only=True)
    reach = serializers.ChoiceField(choices=_names(Reach), read_only=True)

    class Meta:
        model = Role
        fields = ("id", "name", "description", "scopes", "reach", "builtin", "created_at", "updated_at")
        read_only_fields = fields


class NewRoleSerializer(serializers.Serializer[Role]):
    """What `POST roles/` takes."""

    name = serializers.CharField(max_length=NAME_MAX)
    scopes = ScopesField()
    description = serializers.CharField(max_length=2000, required=False, default="", allow_blank=True)
    reach = serializers.ChoiceField(choices=_names(Reach), default=Reach.INSTALLATION.value)


class RoleChangeSerializer(serializers.Serializer[Role]):
    """What `PATCH roles/{id}/` takes. `unchanged_since`: the role's `updated_at`, refused with 409 when it is later."""

    scopes = ScopesField()
    unchanged_since = serializers.DateTimeField(required=False, default=None, allow_null=True)
    reason = serializers.CharField(max_length=REASON_MAX, required=False, default="", allow_blank=True)
    description = serializers.CharField(
        max_length=2000, required=False, default=None, allow_blank=True, allow_null=True
    )


class AgentSerializer(serializers.ModelSerializer[Agent]):
    """An agent, which is an OAuth client. `roles` are those it holds, as far as the reader may see grants."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    state = serializers.ChoiceField(choices=_names(AgentState), read_only=True)
    suspended = SuspendedField("agent", "client_id")
    name_style = serializers.ChoiceField(choices=_names(NameStyle), read_only=True)
    grant_types = serializers.SerializerMethodField()
    public = serializers.BooleanField(source="is_public", read_only=True)
    redirect_uris = serializers.SerializerMethodField()
    registration = serializers.ChoiceField(choices=_SOURCES, source="source", read_only=True)
    team = serializers.CharField(source="owner_team.slug", default=None, read_only=True, allow_null=True)
    roles = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(source="created", read_only=True)
    last_used = serializers.DateTimeField(
        source="use.last_used",
        default=None,
        read_only=True,
        allow_null=True,
        help_text="When it was last let through to call, list or connect; null: never, as far as was counted.",
    )

    class Meta:
        model = Agent
        fields = (
            "id",
            "client_id",
            "name",
            "state",
            "suspended",
            "grant_types",
            "public",
            "redirect_uris",
            "registration",
            "name_style",
            "team",
            "roles",
            "created_at",
            "last_used",
        )
        read_only_fields = fields

    def get_grant_types(self, agent: Agent) -> list[str]:
        """OAuth's spelling of what the agent may use."""
        return [str(agent.authorization_grant_type).replace("-", "_")]

    def get_redirect_uris(self, agent: Agent) -> list[str]:
        """Where people are sent back to, if the agent acts for people."""
        return str(agent.redirect_uris).split()

    def get_roles(self, agent: Agent) -> list[str]:
        """Names of the roles that live grants give."""
        return _roles(agent, actor_of(self.context["request"]))


class RegisteredAgentSerializer(AgentSerializer):
    """An agent with its secret, shown this once; empty for a public agent, which has none."""

    client_secret = serializers.CharField(source="issued_secret", read_only=True)

    class Meta(AgentSerializer.Meta):
        fields = ("id", "client_id", "client_secret", *AgentSerializer.Meta.fields[2:])  # type: ignore[assignment]  # one more
        read_only_fields = fields  # type: ignore[assignment]  # as above


class NewAgentSerializer(serializers.Serializer[Agent]):
    """What `POST agents/` takes."""

    name = serializers.CharField(max_length=NAME_MAX)
    grant_types = serializers.ListField(
        child=serializers.ChoiceField(choices=GRANT_TYPES),
        default=lambda: [GRANT_TYPES[0]],
        min_length=1,
        max_length=1,
    )
    redirect_uris = serializers.ListField(
        child=serializers.CharField(max_length=URI_MAX, trim_whitespace=False),
        required=False,
        default=list,
        max_length=URIS_MAX,
    )
    public = serializers.BooleanField(required=False, default=False)
    team = serializers.CharField(max_length=NAME_MAX, required=False, default="", allow_blank=True)
    name_style = serializers.ChoiceField(choices=_names(NameStyle), default=NameStyle.DOUBLE_UNDERSCORE.value)


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "networks": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": NETWORKS_MAX},
            "hours": {
                "type": "object",
                "additionalProperties": False,
                "required": ["from", "to"],
                "properties": {
                    "days": {"type": "array", "items": {"type": "string", "enum": list(DAYS)}, "minItems": 1},
                    "from": {"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}$"},
                    "to": {"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}$"},
                },
            },
        },
    }
)
class ConditionsField(serializers.JSONField):
    """Conditions of a grant; `access.conditions` reads them."""


class GrantSerializer(serializers.ModelSerializer[Grant]):
    """That an agent, a person or a team holds a role."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    role = serializers.CharField(source="role.name", read_only=True)
    agent = serializers.CharField(source="agent.client_id", default=None, read_only=True, allow_null=True)
    person = serializers.CharField(source="person.username", default=None, read_only=True, allow_null=True)
    team = serializers.CharField(source="team.slug", default=None, read_only=True, allow_null=True)
    granted_by = serializers.CharField(source="granted_by.username", default=None, read_only=True, allow_null=True)
    environment = serializers.ChoiceField(choices=_GRANT_ENVIRONMENTS, read_only=True)
    conditions = ConditionsField(read_only=True)

    class Meta:
        model = Grant
        fields = (
            "id",
            "role",
            "agent",
            "person",
            "team",
            "environment",
            "expires_at",
            "conditions",
            "granted_by",
            "reason",
            "created_at",
            "revoked_at",
        )
        read_only_fields = fields


class CompletedSerializer(serializers.Serializer[Completed]):
    """The tools of a toxic flow that a grant completes (null for who may not read tools), and for how many it does."""

    untrusted = serializers.CharField(allow_null=True)
    private = serializers.CharField(allow_null=True)
    out = serializers.CharField(allow_null=True)
    principals = serializers.IntegerField()

    def to_representation(self, instance: Completed) -> dict[str, Any]:
        """Without names for who may not read tools."""
        reads = actor_of(self.context["request"]).may(Permission.TOOL_READ)
        shown: dict[str, Any] = super().to_representation(instance)
        return shown if reads else {**dict.fromkeys(shown), "principals": instance.principals}


class GivenGrantSerializer(GrantSerializer):
    """A grant that was just given, with the toxic flow that it completes, if any."""

    completes_flow = CompletedSerializer(source="completes", read_only=True, allow_null=True)

    class Meta(GrantSerializer.Meta):
        fields = (*GrantSerializer.Meta.fields, "completes_flow")  # type: ignore[assignment]  # one more
        read_only_fields = fields  # type: ignore[assignment]  # as above


class ChangedRoleSerializer(RoleSerializer):
    """A role that was just changed, with the toxic flow that the change completes, if any."""

    completes_flow = CompletedSerializer(source="completes", read_only=True, allow_null=True)

    class Meta(RoleSerializer.Meta):
        fields = (*RoleSerializer.Meta.fields, "completes_flow")  # type: ignore[assignment]  # one more
        read_only_fields = fields  # type: ignore[assignment]  # as above


class NewGrantSerializer(serializers.Serializer[Grant]):
    """What `POST grants/` takes: a role, and exactly one of agent, person and team."""

    role = serializers.CharField(max_length=NAME_MAX)
    agent = serializers.CharField(max_length=255, required=False, default="", allow_blank=True, allow_null=True)
    person = serializers.CharField(
        max_length=USERNAME_MAX, required=False, default="", allow_blank=True, allow_null=True
    )
    team = serializers.CharField(max_length=NAME_MAX, required=False, default="", allow_blank=True, allow_null=True)
    environment = serializers.ChoiceField(
        choices=_GRANT_ENVIRONMENTS, required=False, default="", allow_blank=True, allow_null=True
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    conditions = ConditionsField(required=False, allow_null=True, default=None)
    reason = serializers.CharField(max_length=REASON_MAX, required=False, default="", allow_blank=True)


def _roles(holder: Agent | Person, reader: Actor) -> list[str]:
    rows = getattr(holder, "live_grants", None)
    if rows is None:
        visible = Grant.objects.visible_to(reader).live()
        rows = visible.filter(pk__in=holder.grants.values_list("pk", flat=True)).select_related("role")
    return sorted({grant.role.name for grant in rows})
