"""Console URLs of `access`."""

from django.urls import URLPattern, path

from access import views
from access.account import people, security, signing_in, teams, tokens
from access.oauth import consents, inspecting
from access.oauth.preview import consent_preview

app_name = "access"
urlpatterns: list[URLPattern] = [
    path("sign-in/", signing_in.sign_in, name="sign_in"),
    path("login/", signing_in.sign_in, name="login"),  # under the name that programs which drive a browser look for
    path("sign-in/second-step/", signing_in.second_step, name="second_step"),
    path("sign-in/passkey/", signing_in.sign_in_by_passkey, name="sign_in_by_passkey"),
    path("sign-in/passkey/options/", signing_in.passkey_options, name="passkey_options"),
    path("sign-out/", signing_in.sign_out, name="sign_out"),
    path("preferences/", views.preferences, name="preferences"),
    path("applications/", consents.applications, name="applications"),
    path("applications/<uuid:consent_id>/revoke/", consents.revoke_consent, name="revoke_consent"),
    path("account/security/", security.security, name="security"),
    path("account/security/app/", security.add_app, name="add_app"),
    path("account/security/app/remove/", security.remove_app, name="remove_app"),
    path("account/security/passkeys/add/", security.add_passkey, name="add_passkey"),
    path("account/security/passkeys/<int:passkey_id>/remove/", security.remove_passkey, name="remove_passkey"),
    path("account/security/recovery-codes/", security.renew_recovery_codes, name="renew_recovery_codes"),
    path("account/sessions/end-others/", security.end_other_sessions, name="end_other_sessions"),
    path("account/sessions/<uuid:session_id>/end/", security.end_session, name="end_session"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/create/", tokens.create_token, name="create_token"),
    path("tokens/inspect/", inspecting.inspect_token, name="inspect_token"),
    path("tokens/<uuid:token_id>/revoke/", tokens.revoke_token, name="revoke_token"),
    path("teams/", teams.teams, name="teams"),
    path("teams/create/", teams.create_team, name="create_team"),
    path("teams/<str:team>/", teams.one_team, name="team"),
    path("teams/<str:team>/members/", teams.add_member, name="add_member"),
    path("teams/<str:team>/members/<str:username>/remove/", teams.remove_member, name="remove_member"),
    path("agents/", views.agents, name="agents"),
    path("agents/register/", views.register_agent, name="register_agent"),
    path("agents/<uuid:agent_id>/", views.agent, name="agent"),
    path("agents/<uuid:agent_id>/consent/", consent_preview, name="consent_preview"),
    path("agents/<uuid:agent_id>/suspend/", views.suspend_agent, name="suspend_agent"),
    path("agents/<uuid:agent_id>/resume/", views.resume_agent, name="resume_agent"),
    path("agents/<uuid:agent_id>/rotate-secret/", views.rotate_secret, name="rotate_secret"),
    path("roles/", views.roles, name="roles"),
    path("roles/create/", views.create_role, name="create_role"),
    path("roles/separate/", views.separate_roles, name="separate_roles"),
    path("separations/<uuid:separation_id>/end/", views.end_separation, name="end_separation"),
    path("grants/give/", views.give_grant, name="give_grant"),
    path("grants/<uuid:grant_id>/revoke/", views.revoke_grant, name="revoke_grant"),
    path("people/", views.people, name="people"),
    path("people/create/", views.create_person, name="create_person"),
    path("people/<uuid:person_id>/deactivate/", views.deactivate_person, name="deactivate_person"),
    path("people/<uuid:person_id>/sign-in/", people.person_sign_in, name="person_sign_in"),
    path("people/<uuid:person_id>/sessions/end/", people.end_sessions, name="end_sessions"),
    path("people/<uuid:person_id>/second-factors/reset/", people.reset_second_factors, name="reset_second_factors"),
]
