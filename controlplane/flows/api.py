"""API of toxic flows: of one principal, of all, and of roles that are better kept apart."""

from contextlib import suppress
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.models import Agent
from access.names import USERNAME_MAX
from controlplane.flows.reading import (
    NEEDED,
    PAIRS_NEEDED,
    Reading,
    flows_of,
    in_words,
    is_partial,
    person_named,
    reason_for,
)
from core.actor import Actor
from core.api import filters_of, require
from core.errors import NotFound
from core.needs import asks
from core.permissions import Permission
from tools.flows import Flows, Path, Tool

LIMIT, LIMIT_MAX = 100, 1000


class LimitSerializer(serializers.Serializer[Any]):
    """What a list of flows can be asked."""

    limit = serializers.IntegerField(
        min_value=1, max_value=LIMIT_MAX, required=False, default=LIMIT, help_text="Entries of each list."
    )


class AgentFlowsFilters(LimitSerializer):
    """What the flows of an agent can be asked."""

    person = serializers.CharField(
        max_length=USERNAME_MAX,
        required=False,
        default="",
        allow_blank=True,
        help_text="For whom, by user name, if it acts for people.",
    )


class FlowToolSerializer(serializers.Serializer[Tool]):
    """A tool."""

    server = serializers.CharField()
    name = serializers.CharField()


class PathSerializer(serializers.Serializer[Path]):
    """One way: what the first brings in can ask the second for what is private, and the third leads it out."""

    untrusted = FlowToolSerializer()
    private = FlowToolSerializer()
    out = FlowToolSerializer()
    sentence = serializers.SerializerMethodField()

    def get_sentence(self, path: Path) -> str:
        """The same in words."""
        return in_words(path)


class LegSerializer(serializers.Serializer[Any]):
    """The tools of one leg: the first of them, and how many there are."""

    total = serializers.IntegerField()
    results = FlowToolSerializer(many=True)


class LegsSerializer(serializers.Serializer[Any]):
    """What each leg is made of."""

    private = LegSerializer()
    untrusted = LegSerializer()
    out = LegSerializer()


class FlowsSerializer(serializers.Serializer[Any]):
    """What somebody's tools give together. `is_partial`: made of the grants and tools that the reader may see."""

    whole = serializers.BooleanField(help_text="Whether all three legs are there, so that there is a path.")
    is_partial = serializers.BooleanField()
    legs = LegsSerializer()
    paths = PathSerializer(many=True, help_text="Over the fewest tools and servers first.")
    ways = serializers.IntegerField(help_text="How many paths there are.")
    is_cut = serializers.BooleanField(help_text="Whether there are more than are shown.")


class HeldSerializer(serializers.Serializer[Any]):
    """A principal that holds a whole flow, with its shortest path."""

    kind = serializers.ChoiceField(choices=("agent", "person"), source="principal.kind")
    id = serializers.UUIDField(source="principal.id")
    name = serializers.CharField(source="principal.name")
    path = PathSerializer(source="flows.shortest")
    ways = serializers.IntegerField(source="flows.ways")


class HeldFlowsSerializer(serializers.Serializer[Any]):
    """Who holds a whole flow, worst first, among how many to whom any server is given."""

    principals = serializers.IntegerField()
    is_partial = serializers.BooleanField()
    total = serializers.IntegerField()
    results = HeldSerializer(many=True)


class PairSerializer(serializers.Serializer[Any]):
    """Two roles to keep apart. `roles` and `reason` are what `POST separations/` takes; `people` hold both now."""

    roles = serializers.ListField(child=serializers.CharField(), min_length=2, max_length=2)
    reason = serializers.CharField()
    path = PathSerializer()
    people = serializers.IntegerField()


class PairsSerializer(serializers.Serializer[Any]):
    """Roles to keep apart: the first of them, and how many pairs there are."""

    total = serializers.IntegerField()
    results = PairSerializer(many=True)


class FlowsView(APIView):
    """Who holds a whole flow."""

    needs: ClassVar = {"get": asks(*NEEDED)}

    @extend_schema(parameters=[LimitSerializer], responses=HeldFlowsSerializer)
    def get(self, request: Request) -> Response:
        """Agents that act on their own and people, worst first."""
        actor, limit = require(request, *NEEDED), filters_of(LimitSerializer, request)["limit"]
        reading = Reading(actor)
        held, asked = reading.held()
        shown = {"principals": asked, "is_partial": reading.is_partial, "total": len(held), "results": held[:limit]}
        return Response(HeldFlowsSerializer(shown).data)


class AgentFlowsView(APIView):
    """The flows of an agent, by client id or id."""

    needs: ClassVar = {"get": asks(Permission.AGENT_READ, *NEEDED)}

    @extend_schema(parameters=[AgentFlowsFilters], responses=FlowsSerializer)
    def get(self, request: Request, client_id: str) -> Response:
        """What its tools give together: on its own, or for the person that it acts for."""
        actor, asked = require(request, Permission.AGENT_READ, *NEEDED), filters_of(AgentFlowsFilters, request)
        agent = _agent(actor, client_id)
        person = person_named(actor, asked["person"]) if asked["person"] else None
        return _answer(flows_of(actor, agent=agent, person=person), actor, asked["limit"])


class PersonFlowsView(APIView):
    """The flows of a person."""

    needs: ClassVar = {"get": asks(Permission.PERSON_READ, *NEEDED)}

    @extend_schema(parameters=[LimitSerializer], responses=FlowsSerializer)
    def get(self, request: Request, username: str) -> Response:
        """What their tools give together, through an agent that nothing of its own holds back."""
        actor, limit = require(request, Permission.PERSON_READ, *NEEDED), filters_of(LimitSerializer, request)["limit"]
        return _answer(flows_of(actor, person=person_named(actor, username)), actor, limit)


class SuggestedSeparationsView(APIView):
    """Roles that are better kept apart."""

    needs: ClassVar = {"get": asks(*PAIRS_NEEDED)}

    @extend_schema(parameters=[LimitSerializer], responses=PairsSerializer)
    def get(self, request: Request) -> Response:
        """Pairs of roles that complete a toxic flow together and not alone, and are not kept apart yet."""
        actor, limit = require(request, *PAIRS_NEEDED), filters_of(LimitSerializer, request)["limit"]
        found = Reading(actor).suggested(limit)
        rows = [
            {"roles": pair.roles, "reason": reason_for(pair), "path": pair.path, "people": pair.people}
            for pair in found.pairs
        ]
        return Response(PairsSerializer({"total": found.total, "results": rows}).data)


def _agent(actor: Actor, name: str) -> Agent:
    named = Q(client_id=name)
    with suppress(ValueError):
        named |= Q(public_id=UUID(name))
    found = Agent.objects.visible_to(actor).filter(named).first() if "\0" not in name else None
    if found is None:
        raise NotFound("There is no such agent.")
    return found


def _answer(flows: Flows, actor: Actor, limit: int) -> Response:
    legs = {leg.value: {"total": len(tools), "results": tools[:limit]} for leg, tools in flows.legs.items()}
    paths = flows.paths[:limit]
    shown = {
        "whole": bool(flows.paths),
        "is_partial": is_partial(actor),
        "legs": legs,
        "paths": paths,
        "ways": flows.ways,
        "is_cut": flows.ways > len(paths),
    }
    return Response(FlowsSerializer(shown).data)
