"""Console URLs of the audit log."""

from django.urls import URLPattern, path

from audit import views

app_name = "audit"
urlpatterns: list[URLPattern] = [
    path("audit/", views.records, name="records"),
    path("audit/export/", views.export, name="export"),
    path("audit/sinks/", views.sinks, name="sinks"),
    path("audit/sinks/add/", views.add_sink, name="add_sink"),
    path("audit/sinks/<uuid:sink_id>/enable/", views.enable_sink, name="enable_sink"),
    path("audit/sinks/<uuid:sink_id>/disable/", views.disable_sink, name="disable_sink"),
    path("audit/sinks/<uuid:sink_id>/remove/", views.remove_sink, name="remove_sink"),
    path("audit/<uuid:record_id>/", views.record_detail, name="record"),
]
