"""Routes of definitions, reviews and polling in the API."""

from django.urls import URLPattern, URLResolver, path
from rest_framework.routers import SimpleRouter

from tools.api.views import DefinitionViewSet, PollView, RetireView, ReviewViewSet

router = SimpleRouter(use_regex_path=False)
router.register("definitions", DefinitionViewSet, basename="definition")
router.register("reviews", ReviewViewSet, basename="review")

urlpatterns: list[URLPattern | URLResolver] = [
    path("servers/<str:slug>/poll/", PollView.as_view(), name="server-poll"),
    path("servers/<str:slug>/retire/", RetireView.as_view(), name="server-retire"),
    *router.urls,
]
