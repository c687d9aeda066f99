"""Send a task by name once the current transaction has committed.

Services may not import tasks (tasks import services), so tasks are named by text; a test asserts that
every name used here is registered. A message is a hint: beat ticks find due work again, so a broker that
is away is logged and never an error to the caller.
"""

import logging
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def enqueue(task: str, **kwargs: Any) -> None:
    """Queue task `task` with JSON-serialisable `kwargs` after commit."""
    transaction.on_commit(lambda: _send(task, kwargs))


def _send(task: str, kwargs: dict[str, Any]) -> None:
    try:
        current_app.send_task(task, kwargs=kwargs, retry=False)
    except (OperationalError, OSError):
        logger.warning("broker away, task %s left to the next tick", task)
