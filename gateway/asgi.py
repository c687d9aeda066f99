"""Entry point of the gateway process: `uvicorn gateway.asgi:application`.

Nothing of Django's request cycle runs here; Django is set up for the models behind `gateway.store` only.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
django.setup(set_prefix=False)

from gateway.application import from_settings as create_application  # noqa: E402 -- needs the models

__all__ = ["application", "create_application"]

application = create_application()
