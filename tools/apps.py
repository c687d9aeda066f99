"""Application configuration of `tools`."""

from django.apps import AppConfig


class ToolsConfig(AppConfig):
    """Definitions and the decisions on them."""

    name = "tools"
    label = "tools"
    default_auto_field = "django.db.models.BigAutoField"
