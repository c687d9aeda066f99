"""Saved views of the review inbox: filters under a name, own or shared. They stand with the searches of the log."""

from collections.abc import Mapping
from uuid import UUID

from audit.models import Listed, SavedSearch
from audit.permit import audited_denials, refuse_unless
from audit.services import drop_search, keep_search
from core.actor import Actor
from core.names import subject
from core.permissions import Permission


@audited_denials
def save_view(*, name: str, query: Mapping[str, str], actor: Actor, shared: bool = False) -> SavedSearch:
    """Keep filters of the inbox under a name of the actor's own; `shared` shows it to everybody who may read reviews.

    Raises `PermissionDenied`, `Invalid` (name, query), `Conflict` for a name that the actor uses already.
    """
    allowed = actor.may_somewhere(Permission.REVIEW_READ)
    refuse_unless(allowed, actor=actor, permission=Permission.REVIEW_READ, subject=subject("search", "new"))
    return keep_search(listed=Listed.REVIEWS, name=name, query=query, actor=actor, shared=shared)


def remove_view(*, view_id: UUID, actor: Actor) -> None:
    """Remove a view: one's own, or a shared one for who may read all reviews. Raises `NotFound`, `PermissionDenied`."""
    drop_search(listed=Listed.REVIEWS, search_id=view_id, actor=actor)
