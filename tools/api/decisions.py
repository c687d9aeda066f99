"""API of decisions beside approving and rejecting: dismiss, open again, break the glass; withdraw, go back, end."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import F
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.actor import Actor
from core.api import actor_of, parsed
from core.needs import asks
from core.permissions import Permission
from servers.api.serializers import ReasonSerializer
from tools import services
from tools.api.serializers import DefinitionDetailSerializer, RejectionSerializer, ReviewDetailSerializer
from tools.models import Definition, Review
from tools.rules import REASON_MAX, Verdict


class EmergencySerializer(serializers.Serializer[Any]):
    """Until when exactly this version is served without its approvals: 24 hours from now at most."""

    digest = serializers.CharField(max_length=80)
    reason = serializers.CharField(max_length=REASON_MAX)
    until = serializers.DateTimeField()


class ReturnSerializer(serializers.Serializer[Any]):
    """The version to go back to; `expected_pin` is the digest that was shown as approved, or empty."""

    digest = serializers.CharField(max_length=80)
    expected_pin = serializers.CharField(max_length=80, allow_blank=True)
    reason = serializers.CharField(max_length=REASON_MAX)


class DismissView(APIView):
    """Explaining what only some principals were shown."""

    needs: ClassVar = {"post": asks(Permission.REVIEW_DECIDE)}

    @extend_schema(request=RejectionSerializer, responses=ReviewDetailSerializer)
    def post(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Dismiss exactly the digest that only some were shown: it is explained, and the pin stands."""
        data = parsed(RejectionSerializer, request)
        review = services.decide_review(review_id=id, verdict=Verdict.DISMISS, actor=actor_of(request), **data)
        return _review(review)


class ReopenView(APIView):
    """Opening a rejection again."""

    needs: ClassVar = {"post": asks(Permission.REVIEW_DECIDE)}

    @extend_schema(request=ReasonSerializer, responses=ReviewDetailSerializer)
    def post(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Let what was rejected wait again; the answer is the new review. 409 when something else is shown by now."""
        data = parsed(ReasonSerializer, request)
        return _review(services.reopen_review(review_id=id, actor=actor_of(request), **data))


class BreakGlassView(APIView):
    """Serving what waits, in an emergency."""

    needs: ClassVar = {"post": asks(Permission.REVIEW_BREAK_GLASS)}

    @extend_schema(request=EmergencySerializer, responses=ReviewDetailSerializer)
    def post(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Serve exactly this digest for a time, on one person's word. Everybody who may decide hears of it at once."""
        data = parsed(EmergencySerializer, request)
        return _review(services.break_glass(review_id=id, actor=actor_of(request), **data).review)


class WithdrawView(APIView):
    """Taking an approval back."""

    needs: ClassVar = {"post": asks(Permission.REVIEW_DECIDE)}

    @extend_schema(request=RejectionSerializer, responses=DefinitionDetailSerializer)
    def post(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Withdraw the approval of exactly this digest; 409 when another one is approved."""
        data = parsed(RejectionSerializer, request)
        services.withdraw_approval(definition_id=id, actor=actor_of(request), **data)
        return _definition(id, actor_of(request))


class ReturnView(APIView):
    """Going back to an earlier approved version."""

    needs: ClassVar = {"post": asks(Permission.REVIEW_DECIDE)}

    @extend_schema(request=ReturnSerializer, responses=DefinitionDetailSerializer)
    def post(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Pin a version that was approved before; 409 when its approvals are no longer good, or the pin has moved."""
        data = parsed(ReturnSerializer, request)
        services.return_to_version(definition_id=id, actor=actor_of(request), **data)
        return _definition(id, actor_of(request))


class EndGlassView(APIView):
    """Ending an emergency."""

    needs: ClassVar = {"post": asks(Permission.REVIEW_DECIDE)}

    @extend_schema(request=ReasonSerializer, responses=DefinitionDetailSerializer)
    def post(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """End an emergency before its time."""
        data = parsed(ReasonSerializer, request)
        services.end_glass_now(definition_id=id, actor=actor_of(request), **data)
        return _definition(id, actor_of(request))


def _review(review: Review) -> Response:
    """What the service let the actor decide about, so they may read it."""
    return Response(ReviewDetailSerializer(Review.objects.for_page().get(pk=review.pk)).data)


def _definition(definition_id: UUID, actor: Actor) -> Response:
    rows = (
        Definition.objects.for_list()
        .with_use(actor)
        .with_namesakes(actor)
        .annotate(pin_text=F("live_pin__version__text"))
    )
    return Response(DefinitionDetailSerializer(rows.get(public_id=definition_id)).data)
