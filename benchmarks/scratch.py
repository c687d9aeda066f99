"""A database for one measurement, with Django beside it."""

import base64
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

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


def make_up_keys() -> None:
    """Keys of this run, and where the settings are, for Django to load with."""
    for name in ("SECRET_KEY", "SECRETS_KEY", "TOKEN_KEY"):
        os.environ[name] = base64.b64encode(secrets.token_bytes(32)).decode()
    os.environ["DJANGO_SETTINGS_MODULE"] = "controlplane.settings"
