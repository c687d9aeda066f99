"""Application configuration of `servers`."""

from django.apps import AppConfig


class ServersConfig(AppConfig):
    """Registered MCP servers, their observations and health."""

    name = "servers"
    label = "servers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Count the rows that say how a server is served."""
        from access.counted import count_for_servers
        from servers.rules import POLICY_ROWS

        count_for_servers(*POLICY_ROWS)
