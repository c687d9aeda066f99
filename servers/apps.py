"""Application configuration of `servers`."""

from django.apps import AppConfig


class ServersConfig(AppConfig):
    """Registered MCP servers, their observations and health."""

    name = "servers"
    label = "servers"
    default_auto_field = "django.db.models.BigAutoField"
