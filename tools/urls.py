"""Console URLs of reviews and of one server."""

from django.urls import URLPattern, path

from tools import views

app_name = "tools"
urlpatterns: list[URLPattern] = [
    path("", views.inbox, name="inbox"),
    path("definitions/", views.catalogue, name="catalogue"),
    path("definitions/<uuid:definition_id>/", views.definition, name="definition"),
    path("definitions/<uuid:definition_id>/compare/", views.compare, name="compare"),
    path("definitions/<uuid:definition_id>/end-glass/", views.end_glass, name="end_glass"),
    path("definitions/<uuid:definition_id>/return/", views.return_to, name="return_to"),
    path("definitions/<uuid:definition_id>/sensitive/", views.mark_sensitive, name="mark_sensitive"),
    path("definitions/<uuid:definition_id>/withdraw/", views.withdraw, name="withdraw"),
    path("policies/", views.policies, name="policies"),
    path("policies/write/", views.write_policy, name="write_policy"),
    path("policies/<uuid:policy_id>/", views.policy, name="policy"),
    path("policies/<uuid:policy_id>/disable/", views.disable_policy, name="disable_policy"),
    path("policies/<uuid:policy_id>/revise/", views.revise_policy, name="revise_policy"),
    path("policies/<uuid:policy_id>/revisions/<int:n>/confirm/", views.confirm_revision, name="confirm_revision"),
    path("policies/<uuid:policy_id>/revisions/<int:n>/enable/", views.enable_policy, name="enable_policy"),
    path("reviews/assign/", views.assign, name="assign"),
    path("reviews/decide/", views.decide_many, name="decide_many"),
    path("reviews/snooze/", views.snooze, name="snooze"),
    path("reviews/undo/", views.undo_many, name="undo_many"),
    path("reviews/views/save/", views.save_view, name="save_view"),
    path("reviews/views/<uuid:view_id>/remove/", views.remove_view, name="remove_view"),
    path("reviews/wake/", views.wake, name="wake"),
    path("reviews/<uuid:review_id>/", views.review, name="review"),
    path("reviews/<uuid:review_id>/break-glass/", views.break_glass, name="break_glass"),
    path("reviews/<uuid:review_id>/comment/", views.comment, name="comment"),
    path("reviews/<uuid:review_id>/reopen/", views.reopen, name="reopen"),
    path("right-sizing/", views.right_sizing, name="right_sizing"),
    path("right-sizing/narrow/", views.narrow, name="narrow"),
    path("servers/<slug:slug>/", views.server_detail, name="server_detail"),
    path("servers/<slug:slug>/poll/", views.poll, name="poll"),
    path("servers/<slug:slug>/retire/", views.retire, name="retire"),
    path("suppressions/", views.suppressions, name="suppressions"),
    path("suppressions/<uuid:suppression_id>/revoke/", views.revoke_suppression, name="revoke_suppression"),
    path("suspensions/", views.suspensions, name="suspensions"),
    path("suspensions/<uuid:suspension_id>/lift/", views.lift_suspension, name="lift_suspension"),
]
