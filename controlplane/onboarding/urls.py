"""Console URLs of the onboarding."""

from django.urls import URLPattern, path

from controlplane.onboarding import views

app_name = "onboarding"
urlpatterns: list[URLPattern] = [
    path("", views.start, name="start"),
    path("<slug:slug>/", views.server, name="server"),
    path("<slug:slug>/access/", views.access, name="access"),
    path("<slug:slug>/address/", views.address, name="address"),
    path("<slug:slug>/approve/", views.approve, name="approve"),
]
