"""Which decisions are worth asking again who somebody is: those about production servers. For `fresh_where`."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from core.console import actor_of
from servers.rules import Environment
from tools.inbox_forms import BulkForm
from tools.models import Definition, Review

_PRODUCTION = Environment.PRODUCTION.value


def review_in_production(request: HttpRequest, review_id: UUID) -> bool:
    """Whether this review is about a production server."""
    return (
        Review.objects.visible_to(actor_of(request))
        .filter(public_id=review_id, definition__server__environment=_PRODUCTION)
        .exists()
    )


def definition_in_production(request: HttpRequest, definition_id: UUID) -> bool:
    """Whether this definition is a production server's."""
    return (
        Definition.objects.visible_to(actor_of(request))
        .filter(public_id=definition_id, server__environment=_PRODUCTION)
        .exists()
    )


def any_in_production(request: HttpRequest, **_named: Any) -> bool:
    """Whether one of the reviews that are decided now, not only shown before, is about a production server."""
    if "confirmed" not in request.POST:
        return False
    form = BulkForm(request.POST)
    form.is_valid()
    chosen = [choice.id for choice in form.cleaned_data.get("review", ())]
    return (
        Review.objects.visible_to(actor_of(request))
        .filter(public_id__in=chosen, definition__server__environment=_PRODUCTION)
        .exists()
    )
