"""API of sharing the work on reviews: who looks at one, until when it is put off, what is said; and saved views."""

from collections.abc import Iterable
from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.names import USERNAME_MAX
from audit.models import Listed, SavedSearch, Subject
from core.api import actor_of, parsed, require
from core.errors import Invalid
from core.needs import SIGNED_IN, asks
from core.permissions import Permission
from tools import services
from tools.api.serializers import ReviewSerializer
from tools.inbox_forms import InboxFilterForm
from tools.models import Review, ReviewComment
from tools.rules import COMMENT_MAX


class AssignSerializer(serializers.Serializer[Any]):
    """To whom a review is given: a user name, or empty for nobody."""

    assignee = serializers.CharField(max_length=USERNAME_MAX, allow_blank=True)


class SnoozeSerializer(serializers.Serializer[Any]):
    """Until when a review is put off; null: until it changes again."""

    until = serializers.DateTimeField(allow_null=True, default=None)


class CommentSerializer(serializers.ModelSerializer[ReviewComment]):
    """What somebody said about a review, as plain text."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    person = serializers.CharField(source="person.username", read_only=True)
    time = serializers.DateTimeField(read_only=True)

    class Meta:
        model = ReviewComment
        fields = ("id", "person", "text", "time")


class NewCommentSerializer(serializers.Serializer[Any]):
    """What to say."""

    text = serializers.CharField(max_length=COMMENT_MAX)


class SavedViewSerializer(serializers.ModelSerializer[SavedSearch]):
    """Filters of the inbox under a name."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    query = serializers.DictField(
        child=serializers.CharField(max_length=200), help_text="The inbox's query parameters."
    )
    inbox = serializers.SerializerMethodField(help_text="Where the console shows it.")
    owner = serializers.SerializerMethodField(help_text="User name.")
    shared = serializers.BooleanField(default=False, help_text="With everybody who may read reviews.")

    class Meta:
        model = SavedSearch
        fields = ("id", "name", "owner", "shared", "query", "inbox", "created_at")
        read_only_fields = ("created_at",)

    def get_inbox(self, view: SavedSearch) -> str:
        """The page."""
        return f"{reverse('tools:inbox')}?{urlencode(view.query)}"

    def get_owner(self, view: SavedSearch) -> str:
        """The name that people know."""
        return str(self.context["names"].get(view.owner, view.owner))


class AssignView(APIView):
    """Giving a review to somebody."""

    needs: ClassVar = {"post": asks(Permission.REVIEW_DECIDE)}

    @extend_schema(request=AssignSerializer, responses=ReviewSerializer)
    def post(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Say who looks at a waiting review: somebody who may decide it, or nobody. It decides nothing."""
        data = parsed(AssignSerializer, request)
        return _review(services.assign_review(review_id=id, actor=actor_of(request), **data))


class SnoozeView(APIView):
    """Putting a review off."""

    needs: ClassVar = {"post": asks(Permission.REVIEW_DECIDE)}

    @extend_schema(request=SnoozeSerializer, responses=ReviewSerializer)
    def post(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Put a waiting review off, 90 days at most or until it changes. What waits is withheld all the same."""
        data = parsed(SnoozeSerializer, request)
        return _review(services.snooze_review(review_id=id, actor=actor_of(request), **data))


class WakeView(APIView):
    """Bringing back what was put off."""

    needs: ClassVar = {"post": asks(Permission.REVIEW_DECIDE)}

    @extend_schema(request=None, responses=ReviewSerializer)
    def post(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Bring a review back that was put off; 409 where it is not."""
        return _review(services.wake_review(review_id=id, actor=actor_of(request)))


class CommentsView(APIView):
    """What people said about one review."""

    needs: ClassVar = {"get": asks(Permission.REVIEW_READ), "post": asks(Permission.REVIEW_COMMENT)}

    @extend_schema(responses=CommentSerializer(many=True))
    def get(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """All of it, oldest first."""
        actor = require(request, Permission.REVIEW_READ)
        review = Review.objects.visible_to(actor).by_id(id)
        return Response({"results": CommentSerializer(ReviewComment.objects.thread(review), many=True).data})

    @extend_schema(request=NewCommentSerializer, responses={201: CommentSerializer})
    def post(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Say something. It cannot be changed or taken back."""
        data = parsed(NewCommentSerializer, request)
        made = services.comment_on_review(review_id=id, actor=actor_of(request), **data)
        return Response(CommentSerializer(made).data, status=status.HTTP_201_CREATED)


class SavedViewViewSet(viewsets.GenericViewSet[SavedSearch]):
    """Views of the inbox that the caller keeps, and those that others share."""

    queryset: QuerySet[SavedSearch] = SavedSearch.objects.none()
    serializer_class = SavedViewSerializer
    filter_backends = ()
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_converter = "uuid"
    needs: ClassVar = {
        "list": asks(Permission.REVIEW_READ),
        "create": asks(Permission.REVIEW_READ),
        "destroy": SIGNED_IN,
    }

    @extend_schema(responses=SavedViewSerializer(many=True))
    def list(self, request: Request) -> Response:
        """The caller's views and shared ones, newest first."""
        actor = require(request, Permission.REVIEW_READ)
        page: Any = self.paginate_queryset(SavedSearch.objects.of_list(actor, Listed.REVIEWS.value))
        return self.get_paginated_response(_views(page))

    @extend_schema(request=SavedViewSerializer, responses={201: SavedViewSerializer})
    def create(self, request: Request) -> Response:
        """Keep filters of the inbox under a name."""
        data = parsed(SavedViewSerializer, request)
        made = services.save_view(
            name=data["name"], query=_query(data["query"]), shared=data["shared"], actor=actor_of(request)
        )
        return Response(_views([made])[0], status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Remove one, of one's own or a shared one for who may read all reviews. The reviews stay as they are."""
        services.remove_view(view_id=id, actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _views(found: Iterable[SavedSearch]) -> Any:
    rows = list(found)
    names = Subject.objects.shown_names({row.owner for row in rows})
    return SavedViewSerializer(rows, many=True, context={"names": names}).data


def _query(given: dict[str, str]) -> dict[str, str]:
    """The filters as the inbox reads them. Raises `Invalid` for one that it does not have or that does not fit."""
    form = InboxFilterForm(given)
    wrong = dict.fromkeys(sorted(given.keys() - form.fields.keys()), "There is no such filter.")
    if not form.is_valid():
        wrong |= dict.fromkeys(form.errors, "There is no such value.")
    if wrong:
        raise Invalid("A filter does not fit.", details={f"query.{name}": text for name, text in wrong.items()})
    return form.query


def _review(review: Review) -> Response:
    """What the service let the actor decide about, so they may read it."""
    return Response(ReviewSerializer(Review.objects.for_list().get(pk=review.pk)).data)
