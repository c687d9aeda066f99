"""A database for one measurement, with Django beside it."""

import base64
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controlplane import devservices
from tests import databases


@contextmanager
def scratch_database() -> Iterator[None]:
    """A migrated PostgreSQL that is gone afterwards, reached as the application's role, and Django beside it."""
    with devservices.running({}) as found:
        os.environ.update(found.environment())
        make_up_keys()
        import django
        from django.test.utils import setup_test_environment

        django.setup()
        setup_test_environment()
        databases.start_run()
        with databases.fresh_copy():
            yield


@contextmanager
def kept_database(state: Path) -> Iterator[None]:
    """The same, with its data below `state` for the next run, which finds it migrated to what the code then asks."""
    with devservices.running({}, state=state.resolve()) as found:
        os.environ.update(found.environment())
        make_up_keys()
        os.environ[databases.RUN_VARIABLE] = "holdfast_kept"
        name = databases.template()
        for variable in ("DATABASE_URL", "DATABASE_ADMIN_URL"):
            os.environ[variable] = databases.url_for(os.environ[variable], name)
        owner = {**os.environ, "DATABASE_URL": os.environ["DATABASE_ADMIN_URL"]}
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=owner, check=True)
        import django
        from django.test.utils import setup_test_environment

        django.setup()
        setup_test_environment()
        yield


def make_up_keys() -> None:
    """Keys of this run, and where the settings are, for Django to load with."""
    for name in ("SECRET_KEY", "SECRETS_KEY", "TOKEN_KEY"):
        os.environ[name] = base64.b64encode(secrets.token_bytes(32)).decode()
    os.environ["DJANGO_SETTINGS_MODULE"] = "controlplane.settings"
