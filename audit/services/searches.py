"""Saved searches: keeping and removing them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from audit.events import Event, RecordType
from audit.filters import Filters
from audit.models import SavedSearch, Subject
from audit.models.searches import NAME_MAX, Listed
from audit.services.permitting import permit
from audit.services.recording import record
from audit.subjects import principal_of
from core.actor import Actor
from core.errors import Conflict, Invalid
from core.names import subject
from core.permissions import Permission

MOST: Final = 100  # of one person's
_READING: Final = {Listed.LOG: Permission.AUDIT_READ, Listed.REVIEWS: Permission.REVIEW_READ}


def save_search(*, name: str, filters: Filters, shared: bool, actor: Actor) -> SavedSearch:
    """Keep filters under a name of the actor's own; `shared` shows it to everybody who may read the log.

    Raises `PermissionDenied`, `Invalid`, `Conflict` for a name that the actor uses already.
    """
    permit(actor, Permission.AUDIT_READ, about=subject("search", name[:NAME_MAX]), somewhere=True)
    return keep_search(listed=Listed.LOG, name=name, query=filters.canonical(), shared=shared, actor=actor)


def keep_search(
    *, listed: Listed, name: str, query: Mapping[str, str], actor: Actor, shared: bool = False
) -> SavedSearch:
    """Keep the filters of one list under a name of the actor's own. Who may see that list is the caller's to ask.

    Raises `Invalid`, `Conflict` for a name that the actor uses already.
    """
    name = _valid_name(name)
    if not query:
        raise Invalid("A search needs a filter.", field="query")
    with transaction.atomic():
        owner = principal_of(actor)
        if SavedSearch.objects.filter(owner=owner, listed=listed.value).count() >= MOST:
            raise Conflict(f"You keep {MOST} searches: remove one first.")
        search = SavedSearch(owner=owner, listed=listed.value, name=name, query=dict(query), shared=shared)
        _insert(search)
        _record(Event.SEARCH_SAVED, search, actor)
    return search


def drop_search(*, listed: Listed, search_id: UUID, actor: Actor) -> None:
    """Remove a search of one list: one's own, or a shared one for who may read the whole list.

    Raises `NotFound`, `PermissionDenied`.
    """
    with transaction.atomic():
        search = SavedSearch.objects.of_list(actor, listed.value).locked(search_id)
        if may_remove(actor, search, principal_of(actor)):
            _record(Event.SEARCH_REMOVED, search, actor)
            search.delete()
            return
    permit(actor, _READING[listed], about=subject("search", str(search_id)))


def remove_search(*, search_id: UUID, actor: Actor) -> None:
    """Remove a search of the log: one's own, or a shared one for who may read the whole log.

    Raises `NotFound`, `PermissionDenied`.
    """
    permit(actor, Permission.AUDIT_READ, about=subject("search", str(search_id)), somewhere=True)
    drop_search(listed=Listed.LOG, search_id=search_id, actor=actor)


def may_remove(actor: Actor, search: SavedSearch, me: str) -> bool:
    """Whether `actor`, who stands in records as `me`, may remove a search that they see."""
    return search.owner == me or actor.may(_READING[Listed(search.listed)])


def shown_searches(
    found: Iterable[SavedSearch], actor: Actor, address: Callable[[Mapping[str, str]], str]
) -> list[tuple[SavedSearch, str, str, bool]]:
    """Each with its address, its owner's name where that is somebody else, and whether `actor` may remove it."""
    searches = list(found)
    (me,) = (Subject.objects.standing_for(actor) if searches else []) or [""]
    names = Subject.objects.shown_names({search.owner for search in searches} - {me})
    return [
        (search, address(search.query), names.get(search.owner, ""), may_remove(actor, search, me))
        for search in searches
    ]


def _valid_name(text: str) -> str:
    name = text.strip()
    if not name.isprintable() or not 1 <= len(name) <= NAME_MAX:
        raise Invalid(f"A name is 1 to {NAME_MAX} printable characters.", field="name")
    return name


def _insert(search: SavedSearch) -> None:
    try:
        with transaction.atomic():
            search.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("You keep a search under this name.", field="name") from error


def _record(event: Event, search: SavedSearch, actor: Actor) -> None:
    said = {"name": search.name, "query": search.query, "shared": search.shared}
    if search.listed != Listed.LOG.value:
        said["listed"] = search.listed
    gone = event is Event.SEARCH_REMOVED
    record(
        type=RecordType.ADMIN,
        event=event,
        actor=actor,
        subject=subject("search", str(search.public_id)),
        before=said if gone else None,
        after=None if gone else said,
    )
