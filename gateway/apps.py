"""The gateway app."""

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """MCP endpoint."""

    name = "gateway"
    label = "gateway"
    verbose_name = "Gateway"
