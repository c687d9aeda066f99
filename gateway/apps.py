"""The gateway app."""

from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from access.completing import Completed
    from access.models import Grant


class GatewayConfig(AppConfig):
    """MCP endpoint."""

    name = "gateway"
    label = "gateway"
    verbose_name = "Gateway"

    def ready(self) -> None:
        """Say what a grant completes: the gateway knows who reaches which tool."""
        from access.completing import judge_grants_by

        judge_grants_by(_completed_by)


def _completed_by(grant: "Grant") -> "Completed | None":
    # What decides calls is loaded with the first question: most processes never ask one.
    from gateway.completing import completed_by

    return completed_by(grant)
