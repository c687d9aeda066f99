"""Roles that one person may not hold together. The table's trigger decides; here its refusal is put into words."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from access.models import Person, RoleSeparation
from access.names import checked_reason
from access.services.lookups import locked, role_named
from access.services.recording import changed, refuse_without, subject_of
from audit.events import Event
from audit.permit import audited_denials
from core.actor import Actor, ActorKind
from core.errors import Conflict, Invalid
from core.names import subject
from core.permissions import Permission

_KEPT_APART = "roles_kept_apart"  # the trigger's name for its refusal


@audited_denials
def separate_roles(*, roles: Iterable[str], actor: Actor, reason: str) -> RoleSeparation:
    """From now on no person holds both of two `roles`, whether by themselves or by their teams.

    Raises `Invalid` (not two roles), `NotFound`, `Conflict` (they are separated, or somebody holds both),
    `PermissionDenied`.
    """
    names = list(roles)
    refuse_without(actor, Permission.ROLE_MANAGE, subject("separation", "new"))
    found = {role.pk: role for role in (role_named(name, field="roles") for name in names[:3])}
    if len(names) != 2 or len(found) != 2:
        raise Invalid("Name two different roles.", field="roles")
    first, second = (found[key] for key in sorted(found))
    separation = RoleSeparation(first=first, second=second, reason=checked_reason(reason), created_by=_person(actor))
    _insert(separation)
    after = {"roles": [first.name, second.name]}
    _record(Event.SEPARATION_MADE, separation, actor, separation.reason, after=after)
    return separation


@audited_denials
def end_separation(*, separation_id: UUID, actor: Actor, reason: str) -> None:
    """Let people hold both roles again. Raises `NotFound`, `Invalid` (no reason), `PermissionDenied`."""
    separation = locked(RoleSeparation, separation_id, "separation")
    refuse_without(actor, Permission.ROLE_MANAGE, subject_of(separation))
    before = {"roles": [separation.first.name, separation.second.name]}
    _record(Event.SEPARATION_ENDED, separation, actor, checked_reason(reason), before=before)
    separation.delete()


@contextmanager
def kept_apart(field: str) -> Iterator[None]:
    """Writes within, of which one may give somebody two roles that are kept apart. Raises `Conflict` then."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        refusal = getattr(error.__cause__, "diag", None)
        if refusal is None or refusal.constraint_name != _KEPT_APART:
            raise
        raise Conflict(str(refusal.message_primary), field=field) from error


def _insert(separation: RoleSeparation) -> None:
    pair = RoleSeparation.objects.filter(first=separation.first, second=separation.second)
    if pair.exists():
        raise Conflict("These roles are kept apart already.", field="roles")
    with kept_apart("roles"):
        separation.save()


def _person(actor: Actor) -> Person | None:
    return Person.objects.filter(public_id=actor.id).first() if actor.kind is ActorKind.PERSON else None


def _record(event: Event, separation: RoleSeparation, actor: Actor, reason: str, **values: Any) -> None:
    changed(event, actor=actor, subject=subject_of(separation), reason=reason, **values)
