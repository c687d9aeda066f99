"""One PostgreSQL per run and one Valkey per process, started before Django loads; sockets blocked except where a test
says so.

DATABASE_URL (with DATABASE_ADMIN_URL for the owner role) and REDIS_URL win over the bundled servers.
"""

import base64
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from redis import Redis

from controlplane import devservices, devvalkey
from tests import databases
from tests.features import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest_plugins = ["tests.workers"]

# Tests with one of these marks may open TCP connections, to 127.0.0.1 and nowhere else.
_NETWORK_MARKS = ("network", "browser", "conformance", "story")
_stack = pytest.StashKey[ExitStack]()
_own_valkey = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start the servers (in xdist's controller; workers inherit the environment), then load Django."""
    stack = config.stash[_stack] = ExitStack()
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    if not worker:
        databases.start_run()
        config.stash[_own_valkey] = not devservices.named(os.environ, "REDIS_URL")
        if not config.option.collectonly:
            _start_services(stack)
        _set_environment()
    else:
        os.environ["REDIS_URL"] = config.workerinput["redis_url"]  # type: ignore[attr-defined]  # xdist's
    os.environ["DJANGO_SETTINGS_MODULE"] = "controlplane.settings"
    import django

    django.setup()
    import controlplane.celery  # noqa: F401 -- tasks are sent by it, and tests ask for it as the current application

    if worker:
        _use_own_redis()
    _hash_quickly()
    _find_static_files_once()
    _give_properties_time()


def _find_static_files_once() -> None:
    """Each test client builds its own middleware, and the one for static files looks at every file of every app."""
    from servestatic.middleware import ServeStaticMiddleware

    find = ServeStaticMiddleware.add_files_from_finders
    found: list[Any] = []

    def add_files(self: Any) -> None:
        if not found:
            find(self)
            found.extend((self.files, self.directories))
        self.files, self.directories = (known.copy() for known in found)

    ServeStaticMiddleware.add_files_from_finders = add_files


def _hash_quickly() -> None:
    """People's passwords as in production but for the work: tests hash hundreds, and theirs are no secrets."""
    from django.contrib.auth.hashers import ScryptPasswordHasher

    ScryptPasswordHasher.work_factor = 2**4


def _give_properties_time() -> None:
    """A machine that stands still for a moment must not fail a property; `@settings` in the tests add to this."""
    from hypothesis import HealthCheck, settings

    settings.register_profile("holdfast", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("holdfast")


def _use_own_redis() -> None:
    """In a worker pytest-django has loaded the settings before this file, with the REDIS_URL that all of them share."""
    from django.conf import settings

    from controlplane.env import broker_url

    settings.REDIS_URL = os.environ["REDIS_URL"]
    settings.CELERY_BROKER_URL = broker_url(settings.REDIS_URL)


def _start_services(stack: ExitStack) -> None:
    try:
        services = stack.enter_context(devservices.running(os.environ))
    except devservices.ServiceError as error:
        raise pytest.UsageError(str(error)) from error
    if not services.database_admin_url:
        raise pytest.UsageError("DATABASE_URL is set, so DATABASE_ADMIN_URL must name the owner role's connection.")
    os.environ.update(services.environment())
    stack.callback(databases.drop_all)


def _set_environment() -> None:
    """Secrets of this run; what a developer's shell may hold must not decide a test."""
    unwanted = (
        "AUDIT_ALARM_SECRET",
        "AUDIT_ALARM_SECRET_FILE",
        "AUDIT_ALARM_URL",
        "PUBLIC_URL",
        "GATEWAY_URL",
        "OUTBOUND_CA_FILE",
        "INSTALLATION_ID",
        "NOTICE_SECONDS",
        "POLL_TICK_SECONDS",
        "SESSION_IDLE_MINUTES",
    )
    otel = [name for name in os.environ if name.startswith("OTEL_")]
    urls = ("DATABASE_URL", "DATABASE_ADMIN_URL", "REDIS_URL")
    keys = ("SECRET_KEY", "SECRETS_KEY", "TOKEN_KEY", "AUDIT_KEY", "PAYLOAD_KEY")
    for name in (*unwanted, *otel, "METRICS_TOKEN", "METRICS_TOKEN_FILE", *(f"{name}_FILE" for name in (*urls, *keys))):
        os.environ.pop(name, None)
    for name in urls:  # with --collect-only there are no servers, and settings must load all the same
        os.environ.setdefault(name, "postgresql://nobody@/none?host=/nonexistent")
    for name in keys:
        os.environ[name] = base64.b64encode(secrets.token_bytes(32)).decode()
    os.environ["OUTBOUND_ALLOW"] = "127.0.0.0/8"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In xdist's controller, before a worker starts: it gets a Valkey of its own, for channels are of a whole server.

    Of a server that is not ours it gets a numbered database, which keeps keys apart and no channels.
    """
    url, worker = os.environ["REDIS_URL"], str(node.workerinput["workerid"])
    if node.config.stash[_own_valkey]:
        node.workerinput["redis_url"] = _start_valkey(node.config.stash[_stack])
    else:
        node.workerinput["redis_url"] = _numbered(url, worker)


def _numbered(url: str, worker: str) -> str:
    """The database of one worker; there are 16, and the first is the controller's."""
    number = 1 + int(worker.removeprefix("gw")) % 15
    return f"{url}?db={number}" if url.startswith("unix:") else f"{url.rstrip('/').removesuffix('/0')}/{number}"


def _start_valkey(stack: ExitStack) -> str:
    runtime = stack.enter_context(devservices.runtime_directory())
    log = runtime / "valkey.log"
    return stack.enter_context(devvalkey.running(runtime=runtime, data=None, log=log, environment=os.environ)).url


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove our databases and stop the servers that we started."""
    stack = config.stash.get(_stack, None)
    if stack is not None:
        stack.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the marked tests reach 127.0.0.1."""
    for item in items:
        if any(item.get_closest_marker(name) for name in _NETWORK_MARKS):
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1"]))


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Nothing: instead of pytest-django's `test_` names we use our own copies."""


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: Any, request: pytest.FixtureRequest
) -> Iterator[None]:
    """This process's copy of the migrated template, as the application's role."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch, databases.fresh_copy():
        databases.copy_instead_of_flush(patch)
        yield


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A Chromium. Not for the whole run: while it is there a loop is kept in this thread, and others want their own."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    # Chromium's own sandbox does not work for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        # Because of the loop Django would refuse the tests' own queries, which are synchronous.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        started = playwright.chromium.launch(executable_path=path, args=arguments)
        patch.setattr(started, "new_context", _patient(started.new_context))
        yield started
        started.close()


def _patient(new_context: Any) -> Any:
    """What waits for a page gives a busy machine a minute."""

    def made(**options: Any) -> Any:
        context = new_context(**options)
        context.set_default_timeout(60_000)
        return context

    return made


@pytest.fixture
def owner_connection(transactional_db: None) -> "Iterator[psycopg.Connection[Any]]":
    """The test's own database as the owner role, in autocommit: for tampering, which the application cannot."""
    with databases.owner_connection() as connection:
        yield connection


@pytest.fixture
def valkey_url() -> Iterator[str]:
    """An empty Valkey database of this process."""
    url = os.environ["REDIS_URL"]
    with Redis.from_url(url) as client:
        client.flushdb()
    yield url
