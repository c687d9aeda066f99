"""The URL map: console at the root, API under /api/v1/, OAuth, health."""

from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.decorators.csrf import csrf_exempt

from controlplane import health, openapi, views
from controlplane.access_matrix import api as matrix_api
from controlplane.access_matrix import views as matrix_views
from controlplane.callers import api as callers_api
from controlplane.callers import views as callers_views
from controlplane.finding import api as finding_api
from controlplane.finding import views as finding_views
from controlplane.flows import api as flows_api
from controlplane.flows import views as flows_views
from controlplane.live import views as live_views

api_urlpatterns: list[URLPattern | URLResolver] = [
    path("schema/", openapi.schema, name="schema"),
    path("access-matrix/", matrix_api.MatrixView.as_view(), name="access-matrix"),
    path("agents/<str:client_id>/flows/", flows_api.AgentFlowsView.as_view(), name="agent-flows"),
    path("definitions/<uuid:id>/callers/", callers_api.CallersView.as_view(), name="definition-callers"),
    path("find/", finding_api.FindView.as_view(), name="find"),
    path("reviews/<uuid:id>/reach/", callers_api.BlastView.as_view(), name="review-reach"),
    path("flows/", flows_api.FlowsView.as_view(), name="flows"),
    path("people/<str:username>/flows/", flows_api.PersonFlowsView.as_view(), name="person-flows"),
    path("roles/<uuid:id>/preview/", matrix_api.PreviewView.as_view(), name="role-preview"),
    path("separations/suggested/", flows_api.SuggestedSeparationsView.as_view(), name="separation-suggested"),
    path("", include("access.api.urls")),
    path("", include("servers.api.urls")),
    path("", include("tools.api.urls")),
    path("", include("audit.api.urls")),
    path("", include("alerts.api.urls")),
    # Routes that names in a path do not reach end here too: a slash or a space in a slug, for example.
    re_path(r"^(?P<rest>[\s\S]*)\Z", csrf_exempt(views.no_such_route), name="no-such-route"),
]

matrix_urlpatterns: list[URLPattern | URLResolver] = [
    path("", matrix_views.matrix, name="matrix"),
    path("export/", matrix_views.export, name="export"),
    path("<str:slug>/<uuid:role_id>/", matrix_views.change, name="change"),
]

flows_urlpatterns: list[URLPattern | URLResolver] = [
    path("", flows_views.overview, name="overview"),
    path("agents/<uuid:agent_id>/", flows_views.of_agent, name="agent"),
    path("people/<uuid:person_id>/", flows_views.of_person, name="person"),
]

live_urlpatterns: list[URLPattern | URLResolver] = [
    path("calls/", live_views.calls, name="calls"),
    path("live/", live_views.stream, name="stream"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("api/v1/", include((api_urlpatterns, "api"))),
    path("find/", finding_views.find, name="find"),
    path("access/", include((matrix_urlpatterns, "matrix"))),
    path("flows/", include((flows_urlpatterns, "flows"))),
    path("", include((live_urlpatterns, "live"))),
    path("definitions/<uuid:definition_id>/callers/", callers_views.who_may_call, name="who_may_call"),
    path("reviews/<uuid:review_id>/reach/", callers_views.how_far, name="how_far"),
    path("servers/onboard/", include("controlplane.onboarding.urls")),
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
