"""Send a task by name once the current transaction has committed.

Services may not import tasks (tasks import services), so tasks are named by text; a test asserts that
every name used here is registered. A message is a hint: beat ticks find due work again, so a broker that
is away is logged and never an error to the caller.
"""

import logging
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string
from redis import RedisError

# A broker that accepts connections and answers nothing must not hold up who asked. The senders' own connections
# have it: a worker waits for its broker as long as it takes.
_IMPATIENT: Final = {
    "socket_timeout": 1.0,
    "socket_connect_timeout": 1.0,
    "max_retries": 1,
    "interval_start": 0.0,
    "interval_step": 0.0,
}
logger = logging.getLogger(__name__)


def enqueue(task: str, **kwargs: Any) -> None:
    """Queue task `task` with JSON-serialisable `kwargs` after commit."""
    transaction.on_commit(lambda: _send(task, kwargs))


def _send(task: str, kwargs: dict[str, Any]) -> None:
    # Loaded with the first task that is sent: a gateway sends none, and would hold six megabytes more.
    from kombu.exceptions import OperationalError

    application = import_string(settings.TASK_APPLICATION)
    try:
        with application.connection_for_write(transport_options=_IMPATIENT) as connection:
            application.send_task(task, kwargs=kwargs, retry=False, connection=connection)
    except (OperationalError, RedisError, OSError):
        logger.warning("broker away, task %s left to the next tick", task)
