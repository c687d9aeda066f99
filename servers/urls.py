"""Console URLs of servers."""

from django.urls import URLPattern, path

from servers import views

app_name = "servers"
urlpatterns: list[URLPattern] = [
    path("servers/", views.server_list, name="list"),
    path("servers/register/", views.register, name="register"),
    path("servers/<slug:slug>/connect/", views.connect, name="connect"),
    path("servers/<slug:slug>/edit/", views.edit, name="edit"),
    path("servers/<slug:slug>/suspend/", views.suspend, name="suspend"),
    path("servers/<slug:slug>/resume/", views.resume, name="resume"),
]
