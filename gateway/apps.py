"""The gateway app."""

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """MCP endpoint."""

    name = "gateway"
    label = "gateway"
    verbose_name = "Gateway"

    def ready(self) -> None:
        """Say what a grant completes: the gateway knows who reaches which tool."""
        from access.completing import judge_grants_by
        from gateway.completing import completed_by

        judge_grants_by(completed_by)
