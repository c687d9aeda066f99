"""Routes of the audit log in the API."""

from rest_framework.routers import SimpleRouter

from audit.api.views import RecordViewSet

router = SimpleRouter()
router.register("audit/records", RecordViewSet, basename="record")

urlpatterns = router.urls
