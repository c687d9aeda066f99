"""Routes of the audit log in the API."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from audit.api.exports import ExportView
from audit.api.payloads import ConfirmErasureView, ErasePayloadView, ReadPayloadView
from audit.api.proofs import RecordProofView, VerificationView, VerifierView
from audit.api.shards import ConfirmPruningView, PruneShardView, ShardsView
from audit.api.sinks import SinkViewSet
from audit.api.views import RecordViewSet, SavedSearchViewSet

router = SimpleRouter()
router.register("audit/records", RecordViewSet, basename="record")
router.register("audit/searches", SavedSearchViewSet, basename="search")
router.register("audit/sinks", SinkViewSet, basename="sink")

_CALL = "audit/payloads/<uuid:call_id>"
_SHARD = "audit/shards/<str:shard>"
urlpatterns = [
    *router.urls,
    path("audit/records/<uuid:id>/proof/", RecordProofView.as_view(), name="record-proof"),
    path("audit/verification/", VerificationView.as_view(), name="verification"),
    path("audit/verifier/", VerifierView.as_view(), name="verifier"),
    path("audit/export/", ExportView.as_view(), name="audit-export"),
    path(f"{_CALL}/read/", ReadPayloadView.as_view(), name="payload-read"),
    path(f"{_CALL}/erase/", ErasePayloadView.as_view(), name="payload-erase"),
    path(f"{_CALL}/confirm-erasure/", ConfirmErasureView.as_view(), name="payload-confirm-erasure"),
    path("audit/shards/", ShardsView.as_view(), name="shard-list"),
    path(f"{_SHARD}/prune/", PruneShardView.as_view(), name="shard-prune"),
    path(f"{_SHARD}/confirm-pruning/", ConfirmPruningView.as_view(), name="shard-confirm-pruning"),
]
