"""Console URLs of alerts."""

from django.urls import URLPattern, path

from alerts import views

app_name = "alerts"
urlpatterns: list[URLPattern] = [
    path("alerts/", views.alert_list, name="list"),
    path("alerts/<uuid:alert_id>/acknowledge/", views.acknowledge, name="acknowledge"),
    path("alerts/channels/", views.channels, name="channels"),
    path("alerts/channels/add/", views.add_channel, name="add_channel"),
    path("alerts/channels/<uuid:channel_id>/test/", views.test_channel, name="test_channel"),
    path("alerts/channels/<uuid:channel_id>/disable/", views.disable_channel, name="disable_channel"),
    path("alerts/channels/<uuid:channel_id>/enable/", views.enable_channel, name="enable_channel"),
]
