"""The gateway app. It has no tables."""

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """MCP endpoint."""

    name = "gateway"
    label = "gateway"
    verbose_name = "Gateway"
