"""A process that must not serve says why."""

import os
from typing import Any

import pytest
from django.db import connections

from access.checks import problems_at_start


@pytest.mark.django_db
def test_the_applications_own_role_may_serve() -> None:
    assert problems_at_start() == []


@pytest.mark.django_db
@pytest.mark.parametrize("life", [3601, 0, 36_000])
def test_long_lived_tokens_are_refused(settings: Any, life: int) -> None:
    settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, "ACCESS_TOKEN_EXPIRE_SECONDS": life}
    assert [problem for problem in problems_at_start() if "ACCESS_TOKEN_SECONDS" in problem]


@pytest.mark.django_db
@pytest.mark.parametrize("days", [91, 0])
def test_a_consent_without_end_is_refused(settings: Any, days: int) -> None:
    settings.REFRESH_TOKEN_DAYS = days
    assert [problem for problem in problems_at_start() if "REFRESH_TOKEN_DAYS" in problem]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["PUBLIC_URL", "GATEWAY_URL"])
@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("http://holdfast.example", True),
        ("http://10.0.0.1:8000", True),
        ("http://localhost.example/mcp", True),
        ("http://127.0.0.1.example", True),
        ("https://holdfast.example/mcp", False),
        ("http://127.0.0.1:8000/mcp", False),
        ("http://localhost:8000", False),
        ("http://[::1]:8000", False),
    ],
)
def test_secrets_travel_in_the_clear_on_this_computer_only(
    settings: Any, name: str, url: str, *, refused: bool
) -> None:
    setattr(settings, name, url)
    assert [problem.partition(" ")[0] for problem in problems_at_start()] == [name] * refused


@pytest.mark.django_db(transaction=True)
def test_a_role_that_owns_tables_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _connect_as_owner(monkeypatch)
    try:
        problems = problems_at_start()
    finally:
        connections["default"].close()
    assert any("owns" in problem and "tables" in problem for problem in problems)


@pytest.mark.django_db
def test_a_waiting_migration_is_refused_where_nobody_could_run_it(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db.migrations.recorder import MigrationRecorder

    applied = MigrationRecorder.applied_migrations
    monkeypatch.setattr(
        MigrationRecorder,
        "applied_migrations",
        lambda self: {key: row for key, row in applied(self).items() if key[0] != "sessions"},
    )
    assert problems_at_start() == []
    settings.DATABASE_ADMIN_URL = ""
    assert problems_at_start() == [
        "1 migrations wait and DATABASE_ADMIN_URL is not set; migrate as the owner role first."
    ]


def _connect_as_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    from psycopg.conninfo import conninfo_to_dict

    owner = conninfo_to_dict(os.environ["DATABASE_ADMIN_URL"])
    connection = connections["default"]
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "USER", str(owner["user"]))
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", str(owner.get("password", "")))
