"""The installation never loses its last administrator."""

from django.db.models import Q

from access.models import Grant, Person, Role
from access.services.builtin import ADMINISTRATOR
from core.errors import Conflict


def lock_administrators() -> None:
    """Make changes that could remove the last administrator wait for each other; call before such a change."""
    Role.objects.select_for_update().filter(name=ADMINISTRATOR).first()


def refuse_without_administrator() -> None:
    """Raise `Conflict` when no active person holds the administrator's role for good; call after the change."""
    forever = Grant.objects.live().unconditional().filter(role__name=ADMINISTRATOR, expires_at__isnull=True)
    holders = Q(pk__in=forever.values("person_id")) | Q(memberships__team_id__in=forever.values("team_id"))
    if not Person.objects.active().filter(holders).exists():
        raise Conflict("Nobody would be left who is an administrator.")
