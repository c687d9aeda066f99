"""Project shell: settings, URLs, ASGI, Celery, dashboard, management commands. The only layer above the gateway."""

from controlplane.celery import app as celery_app

__all__ = ["celery_app"]
