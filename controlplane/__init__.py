"""Project shell: settings, URLs, ASGI, Celery, dashboard, management commands. The only layer above the gateway."""
