"""Startup checks: what must hold before a process of ours serves anybody. Each speaks in a sentence.

The checks tagged `startup` look at the database as the application's role sees it. They are not Django's `database`
checks, because `migrate` runs those too, and it rightly connects as the owner. A process asks `problems_at_start()`.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register, run_checks
from django.db import Error as DatabaseError
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from core.addresses import literal

LIFE_MAX: Final = 3600  # seconds
FAMILY_MAX: Final = 90  # days
STARTUP: Final = "startup"


@register(Tags.security)
def tokens_are_short_lived(**_kwargs: Any) -> list[CheckMessage]:
    """An access token that was stolen must not be of use for long."""
    life = settings.OAUTH2_PROVIDER["ACCESS_TOKEN_EXPIRE_SECONDS"]
    if 0 < life <= LIFE_MAX:
        return []
    message = f"Access tokens would live {life} seconds; at most {LIFE_MAX} are allowed. Lower ACCESS_TOKEN_SECONDS."
    return [Error(message, id="access.E001")]


@register(Tags.security)
def people_are_asked_again(**_kwargs: Any) -> list[CheckMessage]:
    """What a person allowed must not go on for ever because an agent keeps refreshing."""
    days = settings.REFRESH_TOKEN_DAYS
    if 0 < days <= FAMILY_MAX:
        return []
    message = f"Refresh tokens would live {days} days; at most {FAMILY_MAX} are allowed. Lower REFRESH_TOKEN_DAYS."
    return [Error(message, id="access.E006")]


@register(Tags.security)
def addresses_are_encrypted(**_kwargs: Any) -> list[CheckMessage]:
    """Passwords, secrets, codes and tokens travel to these addresses; in the clear they may only on this computer."""
    found: list[CheckMessage] = []
    for name in ("PUBLIC_URL", "GATEWAY_URL"):
        url = urlsplit(getattr(settings, name))
        address = literal(url.hostname or "")
        on_loopback = url.hostname == "localhost" or (address is not None and address.is_loopback)
        if url.scheme != "https" and not on_loopback:
            message = f"{name} is neither https nor on this computer. Put TLS in front and name its https address."
            found.append(Error(message, id="access.E007"))
    return found


def problems_at_start() -> list[str]:
    """Why this process must not serve, as sentences; empty when it may. Needs the database."""
    found = run_checks(tags=[STARTUP, Tags.security], include_deployment_checks=True, databases=["default"])
    return [message.msg for message in found if message.is_serious() and str(message.id).startswith("access.")]


@register(STARTUP, deploy=True)
def application_owns_nothing(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """The audit log's rules bind the application only while its role owns no table and is no superuser."""
    if "default" not in (databases or ()):
        return []
    try:
        superuser, tables = _rights()
    except DatabaseError as error:
        return [_unreachable(error)]
    found: list[CheckMessage] = []
    if superuser:
        found.append(Error("DATABASE_URL names a superuser; name a role that owns nothing.", id="access.E003"))
    if tables:
        shown = ", ".join(tables[:3])
        message = f"The role in DATABASE_URL owns {len(tables)} tables ({shown}); name a role that owns nothing."
        found.append(Error(message, id="access.E004"))
    return found


@register(STARTUP, deploy=True)
def no_migration_waits(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """Code that expects another schema must not run. With an admin URL whoever starts us migrates first."""
    if "default" not in (databases or ()) or settings.DATABASE_ADMIN_URL:
        return []
    try:
        executor = MigrationExecutor(connections["default"])
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return [_unreachable(error)]
    if not waiting:
        return []
    message = f"{len(waiting)} migrations wait and DATABASE_ADMIN_URL is not set; migrate as the owner role first."
    return [Error(message, id="access.E005")]


def _rights() -> tuple[bool, list[str]]:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        superuser = bool(cursor.fetchone()[0])
        # Owned by the role itself or by one that it is a member of, whose rights it has as well.
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
            "AND pg_has_role(current_user, relowner, 'USAGE') ORDER BY relname"
        )
        return superuser, [name for (name,) in cursor.fetchall()]


def _unreachable(error: DatabaseError) -> Error:
    return Error(f"The database does not answer: {str(error).strip()}", id="access.E002")
