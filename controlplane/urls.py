"""The URL map: console at the root, API under /api/v1/, OAuth, health."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from controlplane import health

api_urlpatterns: list[URLPattern | URLResolver] = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("", include("access.api.urls")),
    path("", include("servers.api.urls")),
    path("", include("tools.api.urls")),
    path("", include("audit.api.urls")),
    path("", include("alerts.api.urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("api/v1/", include((api_urlpatterns, "api"))),
    path("", include("access.oauth_urls")),
    path("", include("access.urls")),
    path("", include("servers.urls")),
    path("", include("tools.urls")),
    path("", include("audit.urls")),
    path("", include("alerts.urls")),
]

handler403 = "controlplane.views.forbidden"
handler404 = "controlplane.views.not_found"
handler500 = "controlplane.views.server_error"
