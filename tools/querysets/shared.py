"""What the QuerySets of this app share."""

from typing import Any, TypeVar

from django.apps import apps
from django.db import models
from django.db.models import Case, F, Func, OuterRef, Q, Value, When
from django.db.models.expressions import Combinable

from core.actor import Actor
from core.permissions import Permission

Q_ = TypeVar("Q_", bound="models.QuerySet[Any]")
SQUASHED_MAX = 128
VOICES = ("decisions__person", "decisions__policy__policy", "decisions__policy__written_by")


def rows_of(model: str) -> Any:
    """The manager of a model that is not imported, because models import this module."""
    return apps.get_model("tools", model)._default_manager  # noqa: SLF001 -- a public name in Django


def squashed_name(of: F | OuterRef = F("name")) -> Func:  # noqa: B008 -- what says where a name stands never changes
    """A definition's name without case and separators, cut; there is an index on exactly this."""
    template = "left(lower(regexp_replace(%(expressions)s, '[^a-zA-Z0-9]+', '', 'g') COLLATE \"C\"), 128)"
    return Func(of, template=template, output_field=models.TextField())


def true_when(condition: Q | Combinable) -> Case:
    """A column that says whether `condition` holds."""
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=models.BooleanField())


def narrowed(queryset: Q_, actor: Actor, permission: Permission, team_lookup: str) -> Q_:
    """All rows, those of the actor's teams, or none."""
    if actor.may(permission):
        return queryset.all()
    if actor.may_somewhere(permission):
        return queryset.filter(**{team_lookup: actor.team_ids})
    return queryset.none()
