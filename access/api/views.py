"""The REST API of people, teams, agents, roles, grants and tokens: parse, call one service, answer."""

from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db import models
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from access import services
from access.api import serializers as shapes
from access.api.filters import AgentFilter, GrantFilter, PersonFilter
from access.models import Agent, ApiToken, Grant, Person, Role, Team
from core.actor import Actor
from core.api import actor_of, parsed, require
from core.needs import SIGNED_IN, asks
from core.permissions import Permission

M = TypeVar("M", bound=models.Model)
_UUID = r"[0-9a-fA-F-]{36}"
_NAME = r"[^/]+"
_NO_REASON = "No reason given."


class _ViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[M]):
    """A list and its items, of what the actor may see, for those who hold `reading`."""

    reading: Permission | None = None

    def reader(self) -> Actor:
        """Who reads. Raises `PermissionDenied` without the permission."""
        return require(self.request, self.reading) if self.reading else actor_of(self.request)

    def answer(
        self, row: M, *, code: int = status.HTTP_200_OK, shape: type[BaseSerializer[Any]] | None = None
    ) -> Response:
        """One row."""
        shown = (shape or self.get_serializer_class())(row, context=self.get_serializer_context())
        return Response(shown.data, status=code)


class PersonViewSet(_ViewSet[Person]):
    """People."""

    queryset = Person.objects.none()
    serializer_class = shapes.PersonSerializer
    filterset_class = PersonFilter
    lookup_field = "username"
    lookup_value_regex = _NAME
    reading = Permission.PERSON_READ
    needs: ClassVar = {
        "list": asks(Permission.PERSON_READ),
        "retrieve": asks(Permission.PERSON_READ),
        "create": asks(Permission.PERSON_MANAGE),
        "deactivate": asks(Permission.PERSON_MANAGE),
        "reactivate": asks(Permission.PERSON_MANAGE),
        "password": asks(Permission.PERSON_MANAGE, or_own=True),
        "end_sessions": asks(Permission.PERSON_MANAGE, or_own=True),
        "reset_second_factors": asks(Permission.PERSON_MANAGE),
    }

    def get_queryset(self) -> QuerySet[Person]:
        """Those the actor may see."""
        reader = self.reader()
        return Person.objects.visible_to(reader).prefetch_related(Grant.objects.visible_to(reader).as_live_grants())

    @extend_schema(request=shapes.NewPersonSerializer, responses={201: shapes.PersonSerializer})
    def create(self, request: Request) -> Response:
        """Create somebody who can sign in, holding `role` from the start if one is named."""
        person = services.create_person(**parsed(shapes.NewPersonSerializer, request), actor=actor_of(request))
        return self.answer(person, code=status.HTTP_201_CREATED)

    @extend_schema(request=shapes.StatedReasonSerializer, responses=shapes.PersonSerializer)
    @action(detail=True, methods=["post"])
    def deactivate(self, request: Request, username: str) -> Response:
        """Sign somebody out for good; their tokens end."""
        reason = parsed(shapes.StatedReasonSerializer, request)["reason"]
        return self.answer(services.deactivate_person(username=username, actor=actor_of(request), reason=reason))

    @extend_schema(request=shapes.StatedReasonSerializer, responses=shapes.PersonSerializer)
    @action(detail=True, methods=["post"])
    def reactivate(self, request: Request, username: str) -> Response:
        """Let somebody sign in again."""
        reason = parsed(shapes.StatedReasonSerializer, request)["reason"]
        return self.answer(services.reactivate_person(username=username, actor=actor_of(request), reason=reason))

    @extend_schema(request=shapes.PasswordSerializer, responses={204: None})
    @action(detail=True, methods=["post"])
    def password(self, request: Request, username: str) -> Response:
        """Set a password; the person's console sessions end."""
        password = parsed(shapes.PasswordSerializer, request)["password"]
        services.set_password(username=username, password=password, actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"], url_path="end-sessions")
    def end_sessions(self, request: Request, username: str) -> Response:
        """Sign the person out of the console everywhere: oneself, or anybody with `person:manage`."""
        services.end_sessions(username=username, actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=shapes.StatedReasonSerializer, responses={204: None})
    @action(detail=True, methods=["post"], url_path="reset-second-factors")
    def reset_second_factors(self, request: Request, username: str) -> Response:
        """Take away the second factors of somebody who lost theirs; their password alone signs them in again."""
        reason = parsed(shapes.StatedReasonSerializer, request)["reason"]
        services.reset_second_factors(username=username, actor=actor_of(request), reason=reason)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TokenViewSet(_ViewSet[ApiToken]):
    """API tokens: one's own, and everybody's with `token:manage`."""

    queryset = ApiToken.objects.none()
    serializer_class = shapes.TokenSerializer
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_regex = _UUID
    needs: ClassVar = {
        "list": SIGNED_IN,
        "retrieve": asks(Permission.TOKEN_MANAGE, or_own=True),
        "create": asks(Permission.TOKEN_MANAGE, or_own=True),
        "revoke": asks(Permission.TOKEN_MANAGE, or_own=True),
    }

    def get_queryset(self) -> QuerySet[ApiToken]:
        """Those the actor may see."""
        return ApiToken.objects.visible_to(self.reader()).select_related("person")

    @extend_schema(request=shapes.NewTokenSerializer, responses={201: shapes.IssuedTokenSerializer})
    def create(self, request: Request) -> Response:
        """Make a token. The answer shows it, once."""
        wanted, actor = parsed(shapes.NewTokenSerializer, request), actor_of(request)
        wanted["username"] = wanted["username"] or actor.name
        row, token = services.create_api_token(**wanted, actor=actor)
        row.token = token  # type: ignore[attr-defined]  # to be shown
        return self.answer(row, code=status.HTTP_201_CREATED, shape=shapes.IssuedTokenSerializer)

    @extend_schema(request=shapes.OptionalReasonSerializer, responses=shapes.TokenSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """End a token now."""
        reason = parsed(shapes.OptionalReasonSerializer, request)["reason"]
        return self.answer(services.revoke_api_token(token_id=_uuid(id), actor=actor_of(request), reason=reason))


class TeamViewSet(_ViewSet[Team]):
    """Teams."""

    queryset = Team.objects.none()
    serializer_class = shapes.TeamSerializer
    lookup_field = "slug"
    lookup_value_regex = _NAME
    reading = Permission.TEAM_READ
    needs: ClassVar = {
        "list": asks(Permission.TEAM_READ),
        "retrieve": asks(Permission.TEAM_READ),
        "create": asks(Permission.TEAM_MANAGE),
        "members": asks(Permission.TEAM_MANAGE),
        "member": asks(Permission.TEAM_MANAGE),
    }

    def get_queryset(self) -> QuerySet[Team]:
        """Those the actor may see."""
        reader = self.reader()
        members = Prefetch("members", Person.objects.visible_to(reader), to_attr="shown_members")
        return Team.objects.visible_to(reader).prefetch_related(members)

    @extend_schema(request=shapes.NewTeamSerializer, responses={201: shapes.TeamSerializer})
    def create(self, request: Request) -> Response:
        """Make a team."""
        team = services.create_team(**parsed(shapes.NewTeamSerializer, request), actor=actor_of(request))
        return self.answer(team, code=status.HTTP_201_CREATED)

    @extend_schema(request=shapes.MemberSerializer, responses={201: shapes.TeamSerializer})
    @action(detail=True, methods=["post"])
    def members(self, request: Request, slug: str) -> Response:
        """Put a person into the team."""
        username = parsed(shapes.MemberSerializer, request)["username"]
        membership = services.add_member(team=slug, username=username, actor=actor_of(request))
        return self.answer(membership.team, code=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    @action(detail=True, methods=["delete"], url_path=r"members/(?P<username>[^/]+)")
    def member(self, request: Request, slug: str, username: str) -> Response:
        """Take a person out of the team."""
        services.remove_member(team=slug, username=username, actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class RoleViewSet(_ViewSet[Role]):
    """Roles."""

    queryset = Role.objects.none()
    serializer_class = shapes.RoleSerializer
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_regex = _UUID
    reading = Permission.ROLE_READ
    needs: ClassVar = {
        "list": asks(Permission.ROLE_READ),
        "retrieve": asks(Permission.ROLE_READ),
        "create": asks(Permission.ROLE_MANAGE),
        "partial_update": asks(Permission.ROLE_MANAGE),
    }

    def get_queryset(self) -> QuerySet[Role]:
        """Those the actor may see."""
        return Role.objects.visible_to(self.reader())

    @extend_schema(request=shapes.NewRoleSerializer, responses={201: shapes.RoleSerializer})
    def create(self, request: Request) -> Response:
        """Make a role of permissions and MCP scopes."""
        role = services.create_role(**parsed(shapes.NewRoleSerializer, request), actor=actor_of(request))
        return self.answer(role, code=status.HTTP_201_CREATED)

    @extend_schema(request=shapes.RoleChangeSerializer, responses=shapes.ChangedRoleSerializer)
    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """Give a role other scopes. More for one that somebody holds takes `grant:manage` too."""
        change = parsed(shapes.RoleChangeSerializer, request)
        role = services.change_role(role_id=_uuid(id), **change, actor=actor_of(request))
        return self.answer(role, shape=shapes.ChangedRoleSerializer)


class AgentViewSet(_ViewSet[Agent]):
    """Agents."""

    queryset = Agent.objects.none()
    serializer_class = shapes.AgentSerializer
    filterset_class = AgentFilter
    lookup_field = "client_id"
    lookup_value_regex = _NAME
    reading = Permission.AGENT_READ
    needs: ClassVar = {
        "list": asks(Permission.AGENT_READ),
        "retrieve": asks(Permission.AGENT_READ),
        "create": asks(Permission.AGENT_MANAGE),
        "suspend": asks(Permission.AGENT_MANAGE),
        "resume": asks(Permission.AGENT_MANAGE),
        "rotate_secret": asks(Permission.AGENT_MANAGE),
    }

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Take an agent's `id` for its client id too: one that is a document's URL fits in no path."""
        super().initial(request, *args, **kwargs)
        if (public_id := _uuid(self.kwargs.get("client_id", ""))).int:
            named = Agent.objects.visible_to(actor_of(request)).filter(public_id=public_id).first()
            self.kwargs["client_id"] = named.client_id if named else self.kwargs["client_id"]

    def get_queryset(self) -> QuerySet[Agent]:
        """Those the actor may see."""
        reader = self.reader()
        visible = Agent.objects.visible_to(reader).select_related("owner_team", "use")
        return visible.prefetch_related(Grant.objects.visible_to(reader).as_live_grants())

    @extend_schema(request=shapes.NewAgentSerializer, responses={201: shapes.RegisteredAgentSerializer})
    def create(self, request: Request) -> Response:
        """Register an agent. The answer shows its secret, once."""
        wanted = parsed(shapes.NewAgentSerializer, request)
        wanted["owner_team"] = wanted.pop("team")
        registered = services.register_agent(**wanted, actor=actor_of(request))
        return self._with_secret(registered, status.HTTP_201_CREATED)

    @extend_schema(request=shapes.StatedReasonSerializer, responses=shapes.AgentSerializer)
    @action(detail=True, methods=["post"])
    def suspend(self, request: Request, client_id: str) -> Response:
        """Stop an agent at once; its tokens end."""
        reason = parsed(shapes.StatedReasonSerializer, request)["reason"]
        return self.answer(services.suspend_agent(client_id=client_id, actor=actor_of(request), reason=reason))

    @extend_schema(request=shapes.StatedReasonSerializer, responses=shapes.AgentSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, client_id: str) -> Response:
        """Let a suspended agent get tokens again."""
        reason = parsed(shapes.StatedReasonSerializer, request)["reason"]
        return self.answer(services.resume_agent(client_id=client_id, actor=actor_of(request), reason=reason))

    @extend_schema(request=shapes.StatedReasonSerializer, responses=shapes.RegisteredAgentSerializer)
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, client_id: str) -> Response:
        """Replace the secret; the old one and its tokens end now."""
        reason = parsed(shapes.StatedReasonSerializer, request)["reason"]
        rotated = services.rotate_secret(client_id=client_id, actor=actor_of(request), reason=reason)
        return self._with_secret(rotated, status.HTTP_200_OK)

    def _with_secret(self, registered: services.RegisteredAgent, code: int) -> Response:
        registered.agent.issued_secret = registered.secret
        return self.answer(registered.agent, code=code, shape=shapes.RegisteredAgentSerializer)


class GrantViewSet(_ViewSet[Grant]):
    """Grants, ended ones included."""

    queryset = Grant.objects.none()
    serializer_class = shapes.GrantSerializer
    filterset_class = GrantFilter
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_regex = _UUID
    reading = Permission.GRANT_READ
    needs: ClassVar = {
        "list": asks(Permission.GRANT_READ),
        "retrieve": asks(Permission.GRANT_READ),
        "create": asks(Permission.GRANT_MANAGE),
        "revoke": asks(Permission.GRANT_MANAGE),
    }

    def get_queryset(self) -> QuerySet[Grant]:
        """Those the actor may see."""
        visible = Grant.objects.visible_to(self.reader())
        return visible.select_related("role", "agent", "person", "team", "granted_by")

    @extend_schema(request=shapes.NewGrantSerializer, responses={201: shapes.GivenGrantSerializer})
    def create(self, request: Request) -> Response:
        """Give a role to an agent, a person or a team. The answer says which toxic flow that completes, if any."""
        wanted = parsed(shapes.NewGrantSerializer, request)
        grant = services.give_grant(
            role=wanted["role"],
            holder=services.Holder(*(wanted[kind] or "" for kind in ("agent", "person", "team"))),
            environment=wanted["environment"] or "",
            expires_at=wanted["expires_at"],
            conditions=wanted["conditions"],
            reason=wanted["reason"] or _NO_REASON,
            actor=actor_of(request),
        )
        return self.answer(grant, code=status.HTTP_201_CREATED, shape=shapes.GivenGrantSerializer)

    @extend_schema(request=shapes.OptionalReasonSerializer, responses=shapes.GrantSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, id: str) -> Response:  # noqa: A002 -- the route's name for it
        """End a grant now."""
        reason = parsed(shapes.OptionalReasonSerializer, request)["reason"] or _NO_REASON
        return self.answer(services.revoke_grant(grant_id=_uuid(id), actor=actor_of(request), reason=reason))


def _uuid(text: str) -> UUID:
    # The route lets 36 characters of hex and hyphens through, which need not be one.
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)
