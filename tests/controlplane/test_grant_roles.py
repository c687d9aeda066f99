import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from controlplane.management.commands.grant_roles import privileges_on

pytestmark = pytest.mark.django_db


def may(table: str, privilege: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege(current_user, %s, %s)", [f"public.{table}", privilege])
        return bool(cursor.fetchone()[0])


def tables() -> list[str]:
    return connection.introspection.table_names()


def test_the_application_owns_nothing():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
        assert cursor.fetchone() == (0,)


def test_every_table_has_exactly_the_privileges_that_are_named():
    for table in tables():
        expected = privileges_on(table).split(", ")
        for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"):
            assert may(table, privilege) == (privilege in expected), (table, privilege)


def test_audit_records_cannot_be_changed_and_migrations_only_be_read():
    assert privileges_on("audit_record") == "SELECT, INSERT"
    assert privileges_on("django_migrations") == "SELECT"


def test_it_refuses_to_run_as_the_application_itself():
    with pytest.raises(CommandError, match="is the role 'holdfast_app' itself"):
        call_command("grant_roles", role="holdfast_app")


def test_a_missing_role_is_a_sentence():
    with pytest.raises(CommandError, match="no database role 'nobody_here'"):
        call_command("grant_roles", role="nobody_here")
