"""Which requests of the web process go to the gateway. Pure routing, no logic."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

Application = Callable[..., Awaitable[None]]  # ASGI 3; Django and we differ in how we spell its mappings
_GATEWAY_PATHS: Final = ("/mcp", "/.well-known/oauth-protected-resource/mcp")


class WebApplication:
    """Hands MCP endpoints and their metadata to the gateway, everything else to Django.

    The lifespan belongs to the gateway, which has things to start and to drain; Django has none.
    """

    def __init__(self, *, django: Application, gateway: Application):
        self._django = django
        self._gateway = gateway

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        """ASGI 3 entry point."""
        application = self._gateway if _is_for_gateway(scope) else self._django
        await application(scope, receive, send)


def _is_for_gateway(scope: dict[str, Any]) -> bool:
    if scope["type"] == "lifespan":
        return True
    if scope["type"] != "http":
        return False
    path = scope["path"]
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in _GATEWAY_PATHS)
