"""Routes of `access` in the API."""

from django.urls import URLPattern, URLResolver, path
from rest_framework.routers import SimpleRouter

from access.api import (
    consents,
    inspecting,
    openapi,  # noqa: F401 -- importing it registers it
    separations,
    views,
)

router = SimpleRouter()
router.register("people", views.PersonViewSet, basename="person")
router.register("tokens", views.TokenViewSet, basename="token")
router.register("teams", views.TeamViewSet, basename="team")
router.register("roles", views.RoleViewSet, basename="role")
router.register("agents", views.AgentViewSet, basename="agent")
router.register("consents", consents.ConsentViewSet, basename="consent")
router.register("grants", views.GrantViewSet, basename="grant")
router.register("separations", separations.SeparationViewSet, basename="separation")

urlpatterns: list[URLPattern | URLResolver] = [
    path("tokens/inspect/", inspecting.InspectTokenView.as_view(), name="token-inspect"),
    *router.urls,
]
