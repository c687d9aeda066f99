"""Django's configuration of `access`."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """People, agents, roles, grants and OAuth."""

    name = "access"
    label = "access"
    verbose_name = "Access"

    def ready(self) -> None:
        """Register the startup checks."""
        from access import checks  # noqa: F401 -- importing registers them, and needs loaded apps
