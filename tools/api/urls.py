"""Routes of definitions, reviews and polling in the API."""

from django.urls import URLPattern, URLResolver, path
from rest_framework.routers import SimpleRouter

from tools.api.decisions import (
    BreakGlassView,
    DismissView,
    EndGlassView,
    ReopenView,
    ReturnView,
    WithdrawView,
)
from tools.api.definitions import DefinitionViewSet
from tools.api.policies import PolicyViewSet
from tools.api.rightsizing import NarrowView, RightSizingView
from tools.api.sightings import SightingsView, UnlistedView
from tools.api.suppressions import ServerRiskView, SuppressionViewSet
from tools.api.suspensions import SuspensionViewSet
from tools.api.triage import AssignView, CommentsView, SavedViewViewSet, SnoozeView, WakeView
from tools.api.views import PollView, RetireView, ReviewViewSet

router = SimpleRouter(use_regex_path=False)
router.register("definitions", DefinitionViewSet, basename="definition")
router.register("policies", PolicyViewSet, basename="policy")
router.register("reviews/views", SavedViewViewSet, basename="view")
router.register("reviews", ReviewViewSet, basename="review")
router.register("suppressions", SuppressionViewSet, basename="suppression")
router.register("suspensions", SuspensionViewSet, basename="suspension")

urlpatterns: list[URLPattern | URLResolver] = [
    path("definitions/<uuid:id>/end-glass/", EndGlassView.as_view(), name="definition-end-glass"),
    path("definitions/<uuid:id>/return/", ReturnView.as_view(), name="definition-return"),
    path("definitions/<uuid:id>/withdraw/", WithdrawView.as_view(), name="definition-withdraw"),
    path("reviews/<uuid:id>/assign/", AssignView.as_view(), name="review-assign"),
    path("reviews/<uuid:id>/break-glass/", BreakGlassView.as_view(), name="review-break-glass"),
    path("reviews/<uuid:id>/comments/", CommentsView.as_view(), name="review-comments"),
    path("reviews/<uuid:id>/dismiss/", DismissView.as_view(), name="review-dismiss"),
    path("reviews/<uuid:id>/reopen/", ReopenView.as_view(), name="review-reopen"),
    path("reviews/<uuid:id>/snooze/", SnoozeView.as_view(), name="review-snooze"),
    path("reviews/<uuid:id>/wake/", WakeView.as_view(), name="review-wake"),
    path("right-sizing/", RightSizingView.as_view(), name="right-sizing"),
    path("right-sizing/narrow/", NarrowView.as_view(), name="right-sizing-narrow"),
    path("servers/<str:slug>/poll/", PollView.as_view(), name="server-poll"),
    path("servers/<str:slug>/retire/", RetireView.as_view(), name="server-retire"),
    path("servers/<str:slug>/risk/", ServerRiskView.as_view(), name="server-risk"),
    path("servers/<str:slug>/sightings/", SightingsView.as_view(), name="server-sightings"),
    path("servers/<str:slug>/unlisted/", UnlistedView.as_view(), name="server-unlisted"),
    *router.urls,
]
