"""Saved views of the review inbox: a person's own filters under a name. They stand with the searches of the log."""

from collections.abc import Mapping
from uuid import UUID

from audit.models import Listed, SavedSearch
from audit.permit import audited_denials, refuse_unless
from audit.services import drop_search, keep_search
from core.actor import Actor
from core.names import subject
from core.permissions import Permission


@audited_denials
def save_view(*, name: str, query: Mapping[str, str], actor: Actor) -> SavedSearch:
    """Keep filters of the inbox under a name of the actor's own.

    Raises `PermissionDenied`, `Invalid` (name, query), `Conflict` for a name that the actor uses already.
    """
    allowed = actor.may_somewhere(Permission.REVIEW_READ)
    refuse_unless(allowed, actor=actor, permission=Permission.REVIEW_READ, subject=subject("search", "new"))
    return keep_search(listed=Listed.REVIEWS, name=name, query=query, actor=actor)


def remove_view(*, view_id: UUID, actor: Actor) -> None:
    """Remove a view of the actor's own. Raises `NotFound`."""
    drop_search(listed=Listed.REVIEWS, search_id=view_id, actor=actor)
