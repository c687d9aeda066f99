"""Entry point of the gateway process: `uvicorn gateway.asgi:application`.

Nothing of Django's request cycle runs here; Django is set up for the models behind `gateway.store` only.
"""

import gc
import os
from typing import Final

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
django.setup(set_prefix=False)

from gateway.application import from_settings as create_application  # noqa: E402 -- needs the models

__all__ = ["application", "create_application"]

application = create_application()

# What is loaded now stays, and a call makes a hundred objects that hold others and live until it ends: looking for
# garbage after every seven hundred of them, and through all that is loaded, took three percent of each call.
_NEW_OBJECTS: Final = 10_000
gc.collect()
gc.freeze()
gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
