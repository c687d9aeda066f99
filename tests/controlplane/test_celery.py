"""The Celery application."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from celery import current_app
from celery.schedules import crontab
from django.conf import settings
from django.utils.module_loading import import_string

from controlplane.celery import app

ROOT = Path(__file__).resolve().parents[2]


def test_every_scheduled_task_is_registered_and_routed_to_a_queue() -> None:
    app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled <= set(app.tasks)
    routed = {pattern.removesuffix("*") for pattern in settings.CELERY_TASK_ROUTES}
    assert all(task.startswith(tuple(routed)) for task in scheduled)


def test_the_log_is_verified_at_the_hour_that_the_settings_name() -> None:
    assert app.conf.beat_schedule["verify-log"]["schedule"] == crontab(hour="3", minute="17")


def test_what_sends_tasks_is_what_workers_run() -> None:
    assert import_string(settings.TASK_APPLICATION) is app
    assert current_app.main == app.main  # by which tests ask for it


@pytest.mark.parametrize("process", ["worker", "beat"])
def test_a_process_whose_role_owns_the_tables_does_not_start(
    process: str, owner_connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    options = {"worker": ["-Q", "poll", "-c", "1"], "beat": ["-s", str(tmp_path / "schedule"), "--pidfile="]}
    ended = subprocess.run(
        [sys.executable, "-m", "celery", "--quiet", "-A", "controlplane", process, *options[process]],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": owner_connection.info.dsn},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode != 0
    assert "name a role that owns nothing" in ended.stderr
