"""Console URLs of the audit log."""

from django.urls import URLPattern, path

from audit import views

app_name = "audit"
urlpatterns: list[URLPattern] = [
    path("audit/", views.records, name="records"),
    path("audit/export/", views.export, name="export"),
    path("audit/<uuid:record_id>/", views.record_detail, name="record"),
]
