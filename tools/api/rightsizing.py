"""API of what was given and is not used, and the one thing to do about it that changes nothing yet."""

from typing import Any, ClassVar

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.api.serializers import GrantSerializer, RoleSerializer
from access.models import Grant
from access.names import NAME_MAX
from access.sizing import Sizing, Wide
from core.api import actor_of, filters_of, parsed, require
from core.needs import asks
from core.permissions import Permission
from tools import services
from tools.rightsizing import DAYS_MAX, NEEDED, PerTool, Report, Roles, SizedRole, report

LIMIT, LIMIT_MAX = 100, 1000


class RightSizingFilters(serializers.Serializer[Any]):
    """What `GET right-sizing/` can be asked."""

    days = serializers.IntegerField(min_value=1, max_value=DAYS_MAX, required=False, help_text="Default: UNUSED_DAYS.")
    limit = serializers.IntegerField(
        min_value=1, max_value=LIMIT_MAX, required=False, default=LIMIT, help_text="Entries of each list."
    )


class UsedGrantSerializer(GrantSerializer):
    """A grant with its use. `last_used`: when it last carried a call of a definition; null: never since counting."""

    last_used = serializers.DateTimeField(read_only=True, allow_null=True)
    last_connected = serializers.DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = Grant
        fields = (*GrantSerializer.Meta.fields, "last_used", "last_connected")
        read_only_fields = fields


class GrantListSerializer(serializers.Serializer[Any]):
    """Grants: the first of them, and how many there are."""

    total = serializers.IntegerField()
    results = UsedGrantSerializer(many=True)


class WideSerializer(serializers.Serializer[Wide]):
    """A broad scope of a role: how many of the definitions that it reaches were used through it, and their scopes."""

    scope = serializers.CharField()
    used = serializers.IntegerField()
    offered = serializers.IntegerField()
    instead = serializers.ListField(child=serializers.CharField())


class SizingSerializer(serializers.Serializer[Sizing]):
    """What a role holds too much. `narrower`: scopes that would have done; empty where there is nothing to narrow."""

    unused = serializers.ListField(child=serializers.CharField())
    wide = WideSerializer(many=True)
    narrower = serializers.ListField(child=serializers.CharField())


class SizedRoleSerializer(serializers.Serializer[SizedRole]):
    """A role about which there is something to say. `sizing` is null while it is too young to be judged."""

    id = serializers.UUIDField(source="role.public_id")
    name = serializers.CharField(source="role.name")
    grants = serializers.IntegerField(help_text="How many hold now.")
    wildcard = serializers.ListField(
        child=serializers.CharField(), help_text="Servers of which it may call every tool, if those are many."
    )
    sizing = SizingSerializer(allow_null=True)


class PerToolSerializer(serializers.Serializer[PerTool]):
    """How many scopes of roles that are held reach a tool that agents are served. The target is an average below it."""

    average = serializers.FloatField(allow_null=True)
    target = serializers.IntegerField()
    count = serializers.IntegerField(help_text="Served tools.")
    tools = serializers.DictField(child=serializers.IntegerField(), help_text="Number of scopes to number of tools.")


class SizedRolesSerializer(serializers.Serializer[Roles]):
    """Roles that are held: how many, how many are too young to be judged, and what is wrong with the others."""

    total = serializers.IntegerField()
    held = serializers.IntegerField()
    young = serializers.IntegerField()
    results = SizedRoleSerializer(many=True)


class RightSizingSerializer(serializers.Serializer[Any]):
    """What was given and is not used. `roles` and `scopes_per_tool` are null for who does not see every grant."""

    days = serializers.IntegerField()
    counted_since = serializers.DateTimeField(allow_null=True)
    records_to_read = serializers.IntegerField(help_text="Records of the audit log that are not counted yet.")
    live_grants = serializers.IntegerField()
    uncounted_grants = serializers.IntegerField(help_text="Their roles hold permissions, whose use is not counted.")
    unused_grants = GrantListSerializer()
    ending_grants = GrantListSerializer()
    roles = SizedRolesSerializer(allow_null=True)
    scopes_per_tool = PerToolSerializer(allow_null=True)


class NarrowSerializer(serializers.Serializer[Any]):
    """Which role to make a narrower one of, and its name."""

    role = serializers.UUIDField()
    name = serializers.CharField(max_length=NAME_MAX)
    days = serializers.IntegerField(min_value=1, max_value=DAYS_MAX, required=False, help_text="Default: UNUSED_DAYS.")


class RightSizingView(APIView):
    """Grants and scopes that nobody used, roles wider than their use, scopes per tool."""

    needs: ClassVar = {"get": asks(*NEEDED)}

    @extend_schema(parameters=[RightSizingFilters], responses=RightSizingSerializer)
    def get(self, request: Request) -> Response:
        """What was not used for so many days."""
        actor, asked = require(request, *NEEDED), filters_of(RightSizingFilters, request)
        found = report(actor, days=asked.get("days", settings.UNUSED_DAYS))
        return Response(RightSizingSerializer(_shown(found, asked["limit"])).data)


class NarrowView(APIView):
    """Make the narrower role that is proposed. It is given to nobody, and the wider one stays as it is."""

    needs: ClassVar = {"post": asks(Permission.ROLE_MANAGE, *NEEDED)}

    @extend_schema(request=NarrowSerializer, responses={201: RoleSerializer})
    def post(self, request: Request) -> Response:
        """Refused (409) where there is nothing to narrow."""
        data = parsed(NarrowSerializer, request)
        days = data.get("days", settings.UNUSED_DAYS)
        made = services.narrow_role(role_id=data["role"], name=data["name"], days=days, actor=actor_of(request))
        return Response(RoleSerializer(made).data, status=status.HTTP_201_CREATED)


def _shown(found: Report, limit: int) -> dict[str, Any]:
    roles = found.roles
    lists = {"unused_grants": found.unused, "ending_grants": found.ending}
    judged = roles and {
        "total": len(roles.found), "held": roles.held, "young": roles.young, "results": roles.found[:limit]
    }  # fmt: skip
    return {
        "days": found.days,
        "counted_since": found.counted.since,
        "records_to_read": found.counted.to_read,
        "live_grants": found.live,
        "uncounted_grants": found.uncounted,
        **{name: {"total": rows.count(), "results": rows[:limit]} for name, rows in lists.items()},
        "roles": judged,
        "scopes_per_tool": roles and roles.count_per_tool(),
    }
