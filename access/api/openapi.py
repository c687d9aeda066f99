"""How OpenAPI describes API tokens.

Apart from `authentication`, which REST framework's settings import: the schema generator imports those settings.
"""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


class ApiTokenScheme(OpenApiAuthenticationExtension):
    """An HTTP bearer scheme."""

    target_class = "access.api.authentication.ApiTokenAuthentication"
    name = "apiToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """The entry of `securitySchemes`."""
        return {"type": "http", "scheme": "bearer", "description": "An API token, made at `POST /api/v1/tokens/`."}
