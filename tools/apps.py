"""Application configuration of `tools`."""

from django.apps import AppConfig


class ToolsConfig(AppConfig):
    """Definitions and the decisions on them."""

    name = "tools"
    label = "tools"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Count the rows that say what of a server is served."""
        from access.counted import count_for_servers
        from tools.rules import POLICY_ROWS

        count_for_servers(*POLICY_ROWS)
