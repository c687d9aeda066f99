"""Console URLs of `access`."""

from django.urls import URLPattern, path

from access import views
from access.oauth import consents

app_name = "access"
urlpatterns: list[URLPattern] = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("login/", views.sign_in, name="login"),  # under the name that programs which drive a browser look for
    path("sign-out/", views.sign_out, name="sign_out"),
    path("preferences/", views.preferences, name="preferences"),
    path("applications/", consents.applications, name="applications"),
    path("applications/<uuid:consent_id>/revoke/", consents.revoke_consent, name="revoke_consent"),
    path("agents/", views.agents, name="agents"),
    path("agents/register/", views.register_agent, name="register_agent"),
    path("agents/<uuid:agent_id>/", views.agent, name="agent"),
    path("agents/<uuid:agent_id>/suspend/", views.suspend_agent, name="suspend_agent"),
    path("agents/<uuid:agent_id>/resume/", views.resume_agent, name="resume_agent"),
    path("roles/", views.roles, name="roles"),
    path("roles/create/", views.create_role, name="create_role"),
    path("roles/separate/", views.separate_roles, name="separate_roles"),
    path("separations/<uuid:separation_id>/end/", views.end_separation, name="end_separation"),
    path("grants/give/", views.give_grant, name="give_grant"),
    path("grants/<uuid:grant_id>/revoke/", views.revoke_grant, name="revoke_grant"),
    path("people/", views.people, name="people"),
    path("people/create/", views.create_person, name="create_person"),
    path("people/<uuid:person_id>/deactivate/", views.deactivate_person, name="deactivate_person"),
]
