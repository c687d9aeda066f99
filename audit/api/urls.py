"""Routes of the audit log in the API."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from audit.api.exports import ExportView
from audit.api.sinks import SinkViewSet
from audit.api.views import RecordViewSet, SavedSearchViewSet

router = SimpleRouter()
router.register("audit/records", RecordViewSet, basename="record")
router.register("audit/searches", SavedSearchViewSet, basename="search")
router.register("audit/sinks", SinkViewSet, basename="sink")

urlpatterns = [*router.urls, path("audit/export/", ExportView.as_view(), name="audit-export")]
