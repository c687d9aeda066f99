"""The scopes that the toolkit knows of."""

from typing import Any

from oauth2_provider.scopes import BaseScopes

from core.scopes import CONNECT


class McpScopes(BaseScopes):
    """The baseline only. Which scopes a token request may name depends on its resource: see the validator."""

    def get_all_scopes(self) -> dict[str, str]:
        """Scope and description."""
        return {CONNECT: "Connect to a server and list what it offers"}

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        """What may be asked for without regard to a resource."""
        return [CONNECT]

    def get_default_scopes(self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any) -> list[str]:
        """What is given when nothing is asked for, without regard to a resource."""
        return [CONNECT]
