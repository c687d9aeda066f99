"""Which requests of the web process go to the gateway. Pure routing, no logic."""

from collections.abc import Awaitable, Callable
from typing import Any

Application = Callable[..., Awaitable[None]]  # ASGI 3; Django and we differ in how we spell its mappings


class WebApplication:
    """Hands the gateway its own paths (`owns`) and Django everything else.

    The lifespan belongs to the gateway, which has things to start and to drain; Django has none.
    """

    def __init__(self, *, django: Application, gateway: Application, owns: Callable[[str], bool]):
        self._django = django
        self._gateway = gateway
        self._owns = owns

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        """ASGI 3 entry point."""
        for_gateway = scope["type"] == "lifespan" or (scope["type"] == "http" and self._owns(scope["path"]))
        await (self._gateway if for_gateway else self._django)(scope, receive, send)
