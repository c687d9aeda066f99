"""Django application of the alerts."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Alerts, channels and deliveries."""

    name = "alerts"
    label = "alerts"
    default_auto_field = "django.db.models.BigAutoField"
