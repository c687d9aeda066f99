"""Console URLs of reviews and of one server."""

from django.urls import URLPattern, path

from tools import views

app_name = "tools"
urlpatterns: list[URLPattern] = [
    path("", views.inbox, name="inbox"),
    path("reviews/decide/", views.decide_many, name="decide_many"),
    path("reviews/<uuid:review_id>/", views.review, name="review"),
    path("servers/<slug:slug>/", views.server_detail, name="server_detail"),
    path("servers/<slug:slug>/poll/", views.poll, name="poll"),
    path("servers/<slug:slug>/retire/", views.retire, name="retire"),
]
