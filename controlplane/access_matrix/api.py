"""API of the access matrix, and of what a change of a role would do. The change itself is `PATCH roles/{id}/`."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.api.serializers import ScopesField
from access.names import checked_scopes
from controlplane.access_matrix.changing import PREVIEW_NEEDED, Preview, preview
from controlplane.access_matrix.holding import held_on
from controlplane.access_matrix.reading import (
    NEEDED,
    Cell,
    Line,
    columns,
    lines,
    role_with,
    roles_of,
    server_named,
    tools_at,
)
from controlplane.flows.api import LimitSerializer
from core.api import filters_of, parsed, require
from core.names import SLUG_MAX
from core.needs import asks


class MatrixFilters(LimitSerializer):
    """What the matrix can be asked: one server, and from which of its tools on."""

    server = serializers.CharField(max_length=SLUG_MAX)
    offset = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False, default=0)


class MatrixRoleSerializer(serializers.Serializer[Any]):
    """A role. `whole`: it holds the server's whole scope, which reaches every tool that is not sensitive."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    builtin = serializers.BooleanField()
    whole = serializers.BooleanField()
    grants = serializers.IntegerField(
        allow_null=True,
        help_text="Live ones that count in the server's environment; null for who may not read grants.",
    )
    grants_on_conditions = serializers.IntegerField(
        allow_null=True, help_text="Those of them that hold from certain networks or at certain hours only."
    )


class MatrixLineSerializer(serializers.Serializer[Line]):
    """A tool. `by`: by which scope of its own each role reaches it, in the order of `roles`."""

    id = serializers.UUIDField(source="tool.public_id")
    name = serializers.CharField(source="tool.name")
    sensitive = serializers.BooleanField(source="tool.sensitive")
    by = serializers.ListField(child=serializers.ChoiceField(choices=[each.value for each in Cell]), source="cells")


class MatrixSerializer(serializers.Serializer[Any]):
    """Some tools of one server, how many there are, and all roles."""

    server = serializers.CharField()
    total = serializers.IntegerField()
    roles = MatrixRoleSerializer(many=True)
    results = MatrixLineSerializer(many=True)


class WantedScopesSerializer(serializers.Serializer[Any]):
    """The scopes that a role is to have."""

    scopes = ScopesField()


class PreviewSerializer(serializers.Serializer[Preview]):
    """What it would do. `is_partial`: made of the grants and tools that the reader may see."""

    added = serializers.ListField(child=serializers.CharField())
    removed = serializers.ListField(child=serializers.CharField())
    gaining = serializers.IntegerField(help_text="Principals that may call something then that they may not now.")
    losing = serializers.IntegerField(help_text="Principals that may no longer call something.")
    tools = serializers.IntegerField(help_text="Different tools that anybody gains or loses.")
    bound = serializers.IntegerField(help_text="Agents that act for people and that the role bounds.")
    is_partial = serializers.BooleanField()


class MatrixView(APIView):
    """Roles against the tools of one server."""

    needs: ClassVar = {"get": asks(*NEEDED)}

    @extend_schema(parameters=[MatrixFilters], responses=MatrixSerializer)
    def get(self, request: Request) -> Response:
        """What the scopes of each role say of each tool, by the function that judges every call."""
        actor, asked = require(request, *NEEDED), filters_of(MatrixFilters, request)
        server = server_named(actor, asked["server"])
        held, tools = columns(roles_of(actor)), tools_at(actor, server)
        roles = [
            {
                "id": each.role.public_id,
                "name": each.role.name,
                "builtin": each.role.builtin,
                "whole": each.whole(server.slug),
                "grants": found.grants if found else None,
                "grants_on_conditions": found.on_conditions if found else None,
            }
            for each, found in zip(held, held_on(server, [each.role for each in held], actor), strict=True)
        ]
        start = asked["offset"]
        shown = {
            "server": server.slug,
            "total": tools.count(),
            "roles": roles,
            "results": lines(server.slug, tools[start : start + asked["limit"]], held),
        }
        return Response(MatrixSerializer(shown).data)


class PreviewView(APIView):
    """What it would do to give a role other scopes."""

    needs: ClassVar = {"post": asks(*PREVIEW_NEEDED)}

    @extend_schema(request=WantedScopesSerializer, responses={200: PreviewSerializer})
    def post(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Who would gain or lose tools now. Nothing is changed."""
        actor = require(request, *PREVIEW_NEEDED)
        wanted = checked_scopes(parsed(WantedScopesSerializer, request)["scopes"])
        return Response(PreviewSerializer(preview(actor, role_with(actor, id), wanted)).data)
