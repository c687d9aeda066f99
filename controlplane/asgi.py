"""The web process: gateway paths first, then Django.

The gateway is dispatched before Django's ASGI handler, which alone costs more than a whole governed call
(docs/adr/0005-gateway-before-django.md).
"""

import gc
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

from django.core.asgi import get_asgi_application
from django.urls import get_resolver

django_application = get_asgi_application()

import controlplane.celery  # noqa: E402, F401 -- as below; and so that no page waits for it
from controlplane.bodies import BoundedBodies  # noqa: E402 -- models may only load after Django's set-up
from controlplane.dispatch import WebApplication  # noqa: E402 -- as above
from controlplane.live.hub import Hub  # noqa: E402 -- as above
from controlplane.live.streams import LiveStreams  # noqa: E402 -- as above
from gateway.asgi import create_application  # noqa: E402 -- as above

gateway = create_application()
live = LiveStreams(django_application, Hub(leaving=gateway.is_leaving))
application = WebApplication(django=BoundedBodies(live), gateway=gateway, owns=gateway.owns)

# What is loaded now stays: looking through it for garbage would hold up a page by 200 ms every few pages.
get_resolver().url_patterns  # noqa: B018 -- loads every view, form and serializer
gc.collect()
gc.freeze()
