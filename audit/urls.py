"""Console URLs of the audit log."""

from django.urls import URLPattern, path

from audit import exports, payload_views, proof_views, pruning_views, views

app_name = "audit"
urlpatterns: list[URLPattern] = [
    path("audit/", views.records, name="records"),
    path("audit/export/", exports.export, name="export"),
    path("audit/proof/", proof_views.proof, name="proof"),
    path("audit/verify/", proof_views.verify_now, name="verify_now"),
    path("audit/verifier/", proof_views.verifier, name="verifier"),
    path("audit/sinks/", exports.sinks, name="sinks"),
    path("audit/sinks/add/", exports.add_sink, name="add_sink"),
    path("audit/sinks/<uuid:sink_id>/enable/", exports.enable_sink, name="enable_sink"),
    path("audit/sinks/<uuid:sink_id>/disable/", exports.disable_sink, name="disable_sink"),
    path("audit/sinks/<uuid:sink_id>/remove/", exports.remove_sink, name="remove_sink"),
    path("audit/searches/save/", views.save_search, name="save_search"),
    path("audit/searches/<uuid:search_id>/remove/", views.remove_search, name="remove_search"),
    path("audit/payloads/<uuid:call_id>/read/", payload_views.read_payload, name="read_payload"),
    path("audit/payloads/<uuid:call_id>/erase/", payload_views.request_erasure, name="request_erasure"),
    path("audit/payloads/<uuid:call_id>/confirm-erasure/", payload_views.confirm_erasure, name="confirm_erasure"),
    path("audit/months/", pruning_views.months_page, name="months"),
    path("audit/months/<int:shard>/prune/", pruning_views.request_pruning, name="request_pruning"),
    path("audit/months/<int:shard>/confirm-pruning/", pruning_views.confirm_pruning, name="confirm_pruning"),
    path("audit/<uuid:record_id>/proof/", proof_views.record_proof, name="record_proof"),
    path("audit/<uuid:record_id>/", views.record_detail, name="record"),
]
