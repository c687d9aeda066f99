"""The Celery application. Tasks are hints: every piece of periodic work claims its rows by lease."""

import os
import sys
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import beat_init, worker_init, worker_shutting_down

from core import stopping

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

app = Celery("holdfast")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_configure.connect
def read_hours(sender: Celery, **_kwargs: Any) -> None:
    """Make a schedule of an hour and a minute that the settings name."""
    for entry in sender.conf.beat_schedule.values():
        if isinstance(entry["schedule"], dict):
            entry["schedule"] = crontab(**entry["schedule"])


@worker_init.connect
@beat_init.connect
def refuse_a_bad_start(**_kwargs: Any) -> None:
    """End the process where its database role could rewrite the log, or its tables are not those it expects."""
    from django.db import connections

    from access.checks import problems_at_start

    problems = problems_at_start()
    connections.close_all()  # workers fork: no child may share this connection
    if problems:
        sys.exit("\n".join(problems))


@worker_shutting_down.connect
def tell_what_lasts(**_kwargs: Any) -> None:
    """A worker that stops waits for its tasks, so those that last a minute end early."""
    stopping.stop()
