"""What the tables of this app share."""

from typing import Any, Final

from django.db import models
from django.db.models import Q

DIGEST_LENGTH: Final = 80


def one_of(field: str, values: Any, name: str) -> models.CheckConstraint:
    """Constrain `field` to the values of an enumeration."""
    return models.CheckConstraint(condition=Q(**{f"{field}__in": [str(member.value) for member in values]}), name=name)


def said(field: str, name: str) -> models.CheckConstraint:
    """Constrain `field` to text that says something."""
    return models.CheckConstraint(condition=Q(**{f"{field}__regex": r"\S"}), name=name)


def paired(first: str, second: str, name: str) -> models.CheckConstraint:
    """Constrain two nullable fields to be given together or not at all."""
    neither = Q(**{f"{first}__isnull": True, f"{second}__isnull": True})
    both = Q(**{f"{first}__isnull": False, f"{second}__isnull": False})
    return models.CheckConstraint(condition=neither | both, name=name)
