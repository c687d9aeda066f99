"""Who reads payloads: a person whom two others made an auditor, and nobody in any other way (ADR 0020)."""

from typing import Any

from django.db.models import Count, F, QuerySet

from access.models import Grant, Person
from access.querysets import GrantQuerySet
from access.services.builtin import AUDITOR

GIVERS = 2


def appointing() -> GrantQuerySet:
    """The live grants that speak for an auditor: to a person directly, on no condition, by a person other than they."""
    unconditional = Grant.objects.live().unconditional()
    direct = unconditional.filter(role__name=AUDITOR, role__builtin=True, person__isnull=False)
    return direct.filter(granted_by__isnull=False).exclude(granted_by=F("person"))


def appointed() -> "QuerySet[Any, Any]":
    """Primary keys of the people whom enough others made auditors, for a filter."""
    counted = appointing().order_by().values("person").annotate(givers=Count("granted_by", distinct=True))
    return counted.filter(givers__gte=GIVERS).values("person")


def is_appointed(person: Person) -> bool:
    """Whether `payload:read` counts for this person now."""
    return appointed().filter(person=person).exists()


def is_spoken_for(person: Person) -> bool:
    """Whether one more giver may be all that is missing: whoever then acts as the person comes to read payloads."""
    return appointing().filter(person=person).exists()
