"""Where the authorization server answers; included at the root of the site.

RFC 8414, 3.1 puts the metadata at the root, before the issuer's path; ours has none.
"""

from django.urls import URLPattern, URLResolver, path

from access.oauth import authorize, introspect, views
from access.oauth.limits import limited
from access.oauth.register import RegistrationEndpoint

app_name = "access_oauth"
urlpatterns: list[URLPattern | URLResolver] = [
    path("oauth/token/", limited(views.TokenEndpoint.as_view()), name="token"),
    path("oauth/revoke/", limited(views.RevocationEndpoint.as_view()), name="revoke"),
    path("oauth/introspect/", limited(introspect.IntrospectionEndpoint.as_view()), name="introspect"),
    path("oauth/authorize/", limited(authorize.AuthorizationEndpoint.as_view()), name="authorize"),
    path("oauth/register/", limited(RegistrationEndpoint.as_view()), name="register"),
    path(".well-known/oauth-authorization-server", views.ServerMetadata.as_view(), name="metadata"),
    path(".well-known/oauth-authorization-server/<path:issuer_path>", views.ServerMetadata.as_view()),
]
