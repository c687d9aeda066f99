"""What a token is that somebody found, in the API. It comes in the body, and stands in no answer and no record."""

from typing import Any, ClassVar, Final

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access import services
from access.names import TOKEN_MAX
from access.services import InspectedToken, TokenState
from access.token_format import TokenKind
from core.api import actor_of, parsed
from core.needs import asks
from core.permissions import Permission

_KINDS: Final = {TokenKind.ACCESS: "access", TokenKind.REFRESH: "refresh", TokenKind.API: "api"}
_UNKNOWN: Final = "unknown"


class FoundTokenSerializer(serializers.Serializer[Any]):
    """What `POST tokens/inspect/` takes."""

    token = serializers.CharField(max_length=TOKEN_MAX, write_only=True)


class InspectedTokenSerializer(serializers.Serializer[Any]):
    """What a token is; all but `active` and `state` are null where it is unknown.

    `subject` is how the audit log names it. `person` is null where it acts for nobody (`for_person`), or for somebody
    whom the reader may not see. `scopes` of an API token are permissions: none means all that its person may do.
    `last_used_at` of a refresh token is when it was exchanged.
    """

    active = serializers.BooleanField()
    state = serializers.ChoiceField(choices=(*(state.value for state in TokenState), _UNKNOWN))
    kind = serializers.ChoiceField(choices=tuple(_KINDS.values()), allow_null=True)
    id = serializers.UUIDField(allow_null=True)
    subject = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_null=True)
    agent = serializers.CharField(allow_null=True)
    for_person = serializers.BooleanField(allow_null=True)
    person = serializers.CharField(allow_null=True)
    resource = serializers.CharField(allow_null=True)
    scopes = serializers.ListField(child=serializers.CharField(), allow_null=True)
    issued_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class InspectTokenView(APIView):
    """Look into a token."""

    needs: ClassVar = {"post": asks(Permission.AGENT_READ)}

    @extend_schema(request=FoundTokenSerializer, responses=InspectedTokenSerializer)
    def post(self, request: Request) -> Response:
        """Say what a token is that turned up: whose, alive or not and why, and what it is good for. On record.

        One that is not ours, is kept no more, or is not the reader's to see is `unknown`.
        """
        actor = actor_of(request)
        found = services.inspect_token(token=parsed(FoundTokenSerializer, request)["token"], actor=actor)
        return Response(InspectedTokenSerializer(_told(found)).data)


def _told(found: InspectedToken | None) -> dict[str, Any]:
    names = list(InspectedTokenSerializer().get_fields())
    if found is None:
        return {**dict.fromkeys(names), "active": False, "state": _UNKNOWN}
    own = {
        "active": found.state is TokenState.ACTIVE,
        "kind": _KINDS[found.kind],
        "id": found.public_id,
        "agent": found.agent.client_id if found.agent else None,
        "person": found.person.username if found.person else None,
        "resource": found.resource or None,
    }
    return {name: own[name] if name in own else getattr(found, name) for name in names}
