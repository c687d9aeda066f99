"""Console URLs of the audit log."""

from django.urls import URLPattern, path

from audit import payload_views, views

app_name = "audit"
urlpatterns: list[URLPattern] = [
    path("audit/", views.records, name="records"),
    path("audit/searches/save/", views.save_search, name="save_search"),
    path("audit/searches/<uuid:search_id>/remove/", views.remove_search, name="remove_search"),
    path("audit/export/", views.export, name="export"),
    path("audit/payloads/<uuid:call_id>/read/", payload_views.read_payload, name="read_payload"),
    path("audit/payloads/<uuid:call_id>/erase/", payload_views.request_erasure, name="request_erasure"),
    path("audit/payloads/<uuid:call_id>/confirm-erasure/", payload_views.confirm_erasure, name="confirm_erasure"),
    path("audit/<uuid:record_id>/", views.record_detail, name="record"),
]
