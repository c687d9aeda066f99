"""API of reviews and polling. Views parse, call one service and render."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

import django_filters
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api import actor_of, parsed, require
from core.errors import Invalid
from core.ids import new_id
from core.needs import asks
from core.permissions import Permission
from core.refusal import mark_refused
from servers.api.serializers import ReasonSerializer, ServerSerializer
from servers.surface import Kind
from tools import services
from tools.api.serializers import (
    BulkDecisionSerializer,
    BulkResultSerializer,
    ListedReviewSerializer,
    PollResultSerializer,
    QueuedSerializer,
    RejectionSerializer,
    ReviewDetailSerializer,
    ReviewSerializer,
    UndoSerializer,
    VerdictSerializer,
)
from tools.classify import Risk
from tools.inbox import ME, NOBODY, identical, like_change, like_look
from tools.models import Review
from tools.querysets import ReviewQuerySet
from tools.rules import ReviewState, Verdict
from tools.scanner import Severity
from tools.whys import Why

_WAIT = OpenApiParameter("wait", OpenApiTypes.BOOL, description="Answer only when the poll is done.")


class ReviewFilter(django_filters.FilterSet):
    """Filters of the list of reviews."""

    server = django_filters.CharFilter(field_name="definition__server__slug")
    tag = django_filters.CharFilter(method="tagged", help_text="Of servers that are marked with this tag.")
    kind = django_filters.ChoiceFilter(
        field_name="definition__kind", choices=[(kind.value, kind.value) for kind in Kind]
    )
    state = django_filters.ChoiceFilter(choices=[(state.value, state.value) for state in ReviewState])

    risk = django_filters.ChoiceFilter(choices=[(risk.value, risk.value) for risk in Risk])
    why = django_filters.ChoiceFilter(
        choices=[(why.value, why.value) for why in Why], method="because", help_text="What about it draws the eye."
    )
    finding = django_filters.ChoiceFilter(
        choices=[(each.value, each.value) for each in Severity],
        method="found",
        help_text="With a finding of this severity or a worse one.",
    )
    assignee = django_filters.CharFilter(method="looked_at_by", help_text="A user name, `me` or `nobody`.")
    snoozed = django_filters.BooleanFilter(method="put_off", help_text="Whether it waits and is put off now.")
    overdue = django_filters.BooleanFilter(method="late")
    digest = django_filters.CharFilter(field_name="version__digest")
    identical_to = django_filters.UUIDFilter(
        method="about_the_same", help_text="The same change as of the review with this id, at any server."
    )
    look = django_filters.UUIDFilter(
        method="of_one_look", help_text="What came with the review of this id, at one look at its server."
    )

    class Meta:
        model = Review
        fields = ("server", "tag", "kind", "state")

    def tagged(self, rows: ReviewQuerySet, _name: str, value: str) -> ReviewQuerySet:
        """By a tag of the server."""
        return rows.tagged(value)

    def because(self, rows: ReviewQuerySet, _name: str, value: str) -> ReviewQuerySet:
        """By what draws the eye."""
        return rows.because_of(Why(value))

    def found(self, rows: ReviewQuerySet, _name: str, value: str) -> ReviewQuerySet:
        """By the worst finding."""
        return rows.found_at_least(value)

    def looked_at_by(self, rows: ReviewQuerySet, _name: str, value: str) -> ReviewQuerySet:
        """By who looks at it."""
        given = {ME: actor_of(self.request).name, NOBODY: ""}
        return rows.assigned_to(given.get(value, value))

    def put_off(self, rows: ReviewQuerySet, _name: str, value: bool) -> ReviewQuerySet:  # noqa: FBT001 -- django-filter's
        """What is out of sight, or what is not."""
        waiting = rows.waiting()
        return waiting.snoozed(timezone.now()) if value else waiting.awake(timezone.now())

    def about_the_same(self, rows: ReviewQuerySet, _name: str, value: UUID) -> ReviewQuerySet:
        """By the change."""
        return like_change(rows, value, actor_of(self.request))

    def of_one_look(self, rows: ReviewQuerySet, _name: str, value: UUID) -> ReviewQuerySet:
        """By the look."""
        return like_look(rows, value, actor_of(self.request))

    def late(self, rows: ReviewQuerySet, _name: str, value: bool) -> ReviewQuerySet:  # noqa: FBT001 -- django-filter's
        """What waits for longer than its risk allows; the others when false."""
        late = rows.overdue(timezone.now())
        return late if value else rows.exclude(pk__in=late.order_by().values("pk"))


class ReviewViewSet(viewsets.GenericViewSet[Review]):
    """Decisions that wait, and those that were made."""

    queryset = Review.objects.none()
    serializer_class = ReviewSerializer
    filterset_class = ReviewFilter
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_converter = "uuid"
    needs: ClassVar = {
        "list": asks(Permission.REVIEW_READ),
        "retrieve": asks(Permission.REVIEW_READ),
        "approve": asks(Permission.REVIEW_DECIDE),
        "reject": asks(Permission.REVIEW_DECIDE),
        "decide": asks(Permission.REVIEW_DECIDE),
        "undo": asks(Permission.REVIEW_DECIDE),
    }

    def get_queryset(self) -> QuerySet[Review]:
        """What the actor may see, without texts."""
        return Review.objects.visible_to(require(self.request, Permission.REVIEW_READ)).for_list()

    @extend_schema(responses=ListedReviewSerializer(many=True))
    def list(self, request: Request) -> Response:
        """Decisions that wait, and those that were made."""
        page: Any = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        context = {"identical": identical(page, actor_of(request))}
        return self.get_paginated_response(ListedReviewSerializer(page, many=True, context=context).data)

    @extend_schema(responses=ReviewDetailSerializer)
    def retrieve(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """One review with both texts and what differs."""
        actor = require(request, Permission.REVIEW_READ)
        return Response(ReviewDetailSerializer(Review.objects.visible_to(actor).for_page().by_id(id)).data)

    @extend_schema(request=VerdictSerializer, responses=ReviewDetailSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Approve exactly the digest that was shown; 409 when anything else waits by now."""
        return self._decide(request, id, Verdict.APPROVE, parsed(VerdictSerializer, request))

    @extend_schema(request=RejectionSerializer, responses=ReviewDetailSerializer)
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Reject exactly the digest that was shown; it stays withheld."""
        return self._decide(request, id, Verdict.REJECT, parsed(RejectionSerializer, request))

    @extend_schema(request=BulkDecisionSerializer, responses=BulkResultSerializer)
    @action(detail=False, methods=["post"])
    def decide(self, request: Request) -> Response:
        """Decide several reviews with one reason; each item has its own result."""
        actor = require(request, Permission.REVIEW_DECIDE)
        data, batch = parsed(BulkDecisionSerializer, request), new_id()
        results = services.decide_reviews(
            choices=_choices(data), verdict=data["decision"], reason=data["reason"], actor=actor, batch_id=batch
        )
        return _answer(request, results, batch)

    @extend_schema(request=UndoSerializer, responses=BulkResultSerializer)
    @action(detail=False, methods=["post"])
    def undo(self, request: Request) -> Response:
        """Take decisions back: approvals are withdrawn, rejections opened again, each as an event of its own."""
        actor = require(request, Permission.REVIEW_DECIDE)
        data, batch = parsed(UndoSerializer, request), new_id()
        results = services.undo_decisions(choices=_choices(data), reason=data["reason"], actor=actor, batch_id=batch)
        return _answer(request, results, batch)

    def _decide(self, request: Request, id: UUID, verdict: Verdict, data: dict[str, Any]) -> Response:  # noqa: A002
        actor = actor_of(request)
        review = services.decide_review(review_id=id, verdict=verdict, actor=actor, **data)
        return Response(ReviewDetailSerializer(Review.objects.for_page().get(pk=review.pk)).data)


class PollView(APIView):
    """Looking at a server at once."""

    needs: ClassVar = {"post": asks(Permission.SERVER_POLL)}

    @extend_schema(request=None, parameters=[_WAIT], responses={200: PollResultSerializer, 202: QueuedSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Poll a server now; with `wait=true` the answer says what came of it."""
        wait = request.query_params.get("wait", "false").lower()
        if wait not in ("true", "false"):
            raise Invalid("Must be true or false.", field="wait")
        if wait == "false":
            services.poll_soon(slug=slug, actor=actor_of(request))
            return Response({"queued": True}, status=status.HTTP_202_ACCEPTED)
        result = services.poll_now(slug=slug, actor=actor_of(request))
        return Response(PollResultSerializer(result).data)


class RetireView(APIView):
    """Taking a server out of use."""

    needs: ClassVar = {"post": asks(Permission.SERVER_RETIRE)}

    @extend_schema(request=ReasonSerializer, responses=ServerSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Retire a server for good: its pins end, its slug stays its own."""
        reason = parsed(ReasonSerializer, request)["reason"]
        server = services.retire(slug=slug, actor=actor_of(request), reason=reason)
        return Response(ServerSerializer(server, context={"gateway_url": settings.GATEWAY_URL}).data)


def _choices(data: Mapping[str, Any]) -> list[services.Choice]:
    return [services.Choice(item["id"], item["digest"]) for item in data["reviews"]]


def _answer(request: Request, results: Sequence[services.ItemResult], batch: UUID) -> Response:
    errors = [result.error for result in results if result.error]
    if errors and len(errors) == len(results):
        mark_refused(request, errors[0].code)
    return Response({"batch_id": str(batch), "results": [_item(result) for result in results]})


def _item(result: services.ItemResult) -> dict[str, Any]:
    if result.error is None:
        return {"id": str(result.review_id), "result": result.state}
    return {"id": str(result.review_id), "error": {"code": result.error.code, "message": result.error.message}}
