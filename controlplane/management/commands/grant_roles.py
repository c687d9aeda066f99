"""Give the application's database role exactly what it needs; run by the owner role after every `migrate`.

It may be run again at any time. The audit tables can be read and added to, never changed: triggers enforce
that as well, but a missing privilege cannot be disabled by mistake in a migration.
"""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from psycopg import sql

from audit.models import Retention

READ_ONLY = frozenset({"audit_retention", "django_migrations"})
# Tables of `audit` whose rows may change, each with its reason.
AUDIT_MUTABLE = frozenset(
    {
        "audit_boot",  # how far a gateway process is: a hint, and no part of the log
        "audit_exportcursor",  # goes on with what was sent, and by a trigger never back
        "audit_savedsearch",  # searches that people keep are no part of the log
        "audit_sink",  # is set, changed and removed by people; each time is on record
        "audit_subject",  # forgetting a person removes the name behind a pseudonym
    }
)
_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY c.relname
"""


class Command(BaseCommand):
    """`manage.py grant_roles --role holdfast_app`."""

    help = "Grant the application's database role what it needs and nothing more (run as the owner role)."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare `--role`."""
        parser.add_argument("--role", required=True, help="the role that the application connects as")

    def handle(self, *, role: str, **_options: Any) -> None:
        """Revoke everything, then grant, in one transaction: a running application never sees a gap."""
        with transaction.atomic(), connection.cursor() as cursor:
            _refuse_impossible(cursor, role)
            cursor.execute(_TABLES)
            tables = [name for (name,) in cursor.fetchall()]
            for statement in _statements(role, tables, connection.settings_dict["NAME"]):
                cursor.execute(statement)
            # What the application could not be trusted to tell the function that prunes the log.
            Retention.objects.update_or_create(pk=1, defaults={"months": settings.LOG_RETENTION_MONTHS})
        self.stdout.write(f"{role}: privileges on {len(tables)} tables")


def privileges_on(table: str) -> str:
    """The privileges of the application's role on `table`."""
    if table in READ_ONLY:
        return "SELECT"
    if table.startswith("audit_") and table not in AUDIT_MUTABLE:
        return "SELECT, INSERT"
    return "SELECT, INSERT, UPDATE, DELETE"


def _refuse_impossible(cursor: Any, role: str) -> None:
    cursor.execute("SELECT current_user, EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [role])
    user, exists = cursor.fetchone()
    if not exists:
        raise CommandError(f"There is no database role '{role}'. Create it first: CREATE ROLE {role} LOGIN")
    if user == role:
        raise CommandError(
            f"This connection is the role '{role}' itself. Run the command with DATABASE_URL set to the owner's "
            "connection (DATABASE_ADMIN_URL)."
        )


def _statements(role: str, tables: list[str], database: str) -> Iterator[sql.Composed]:
    who, where = sql.Identifier(role), sql.Identifier(database)
    yield sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(where)
    yield sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC, {}").format(who)
    yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(who)
    yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(who)
    for table in tables:
        privileges = sql.SQL(privileges_on(table))
        yield sql.SQL("GRANT {} ON public.{} TO {}").format(privileges, sql.Identifier(table), who)
    yield sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(who)
    yield sql.SQL("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {}").format(who)
