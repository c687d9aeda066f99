"""What is kept of definitions that keep changing: every digest, the texts of what was decided, the newest others."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.db.models import Exists, F, OuterRef, Q, Window
from django.db.models.expressions import Combinable
from django.db.models.functions import RowNumber

from tools.models import BreakGlass, Definition, DefinitionVersion, Pin, Review, Sighting
from tools.rules import TEXTS_KEPT, ReviewState

_FEW: Final = 500  # texts let go in one go; the next change takes the rest


def let_texts_go(definitions: Collection[int], *, now: datetime) -> int:
    """Let the oldest texts of definitions (primary keys) go that nobody decided about and nobody is shown.

    Answers how many. The digests stay, and a text that is shown again is stored again.
    """
    kept = DefinitionVersion.objects.filter(definition_id__in=definitions, let_go_at__isnull=True)
    newest_first = Window(RowNumber(), partition_by=[F("definition")], order_by=F("id").desc())
    places = kept.exclude(_needed()).annotate(place=newest_first)
    old = list(places.filter(place__gt=TEXTS_KEPT).values_list("pk", flat=True)[:_FEW])
    return DefinitionVersion.objects.filter(pk__in=old).update(text="", let_go_at=now)


def _needed() -> Combinable:
    """What the trigger `tools_definitionversion_guard` keeps as well."""
    itself = OuterRef("pk")
    reviews = Review.objects.filter(Q(version=itself) | Q(base=itself))
    decided = reviews.exclude(state=ReviewState.SUPERSEDED.value, decisions__isnull=True)
    return (
        Exists(Pin.objects.filter(version=itself))
        | Exists(BreakGlass.objects.filter(version=itself))
        | Exists(Definition.objects.filter(observed=itself))
        | Exists(Sighting.objects.filter(version=itself))
        | Exists(decided)
    )
