"""Django application of the audit log."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The explicit label keeps table names stable."""

    name = "audit"
    label = "audit"
    default_auto_field = "django.db.models.BigAutoField"
