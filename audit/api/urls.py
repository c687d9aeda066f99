"""Routes of the audit log in the API."""

from rest_framework.routers import SimpleRouter

from audit.api.views import RecordViewSet, SavedSearchViewSet

router = SimpleRouter()
router.register("audit/records", RecordViewSet, basename="record")
router.register("audit/searches", SavedSearchViewSet, basename="search")

urlpatterns = router.urls
