"""Saved searches: whose they are, who sees them, what is recorded."""

from dataclasses import replace
from uuid import UUID

import pytest

from audit import services, subjects
from audit.filters import Filters, read_filters
from audit.models import Record, SavedSearch
from core.actor import Actor
from core.errors import Conflict, Invalid, NotFound, PermissionDenied
from core.ids import new_id
from core.permissions import Permission

pytestmark = pytest.mark.django_db
DENIED = Filters(decision="denied", server="files")


@pytest.fixture
def eve(ada: Actor) -> Actor:
    """A person who may read the records of one team."""
    held = frozenset({Permission.AUDIT_READ.value})
    return Actor(kind=ada.kind, id=str(new_id()), name="eve", own_team_permissions=held, team_ids=frozenset({1}),
                 team_slugs=frozenset({"red"}))  # fmt: skip


def save(actor: Actor, name: str = "denied", *, shared: bool = False, filters: Filters = DENIED) -> SavedSearch:
    return services.save_search(name=name, filters=filters, shared=shared, actor=actor)


def names(actor: Actor) -> list[str]:
    return [search.name for search in SavedSearch.objects.visible_to(actor).by_name()]


def test_own_searches_are_one_s_own_and_shared_ones_everybody_s_who_may_read_the_log(
    ada: Actor, bob: Actor, eve: Actor
) -> None:
    save(ada, "mine")
    save(ada, "ours", shared=True)
    save(eve, "hers")
    assert names(ada) == ["mine", "ours"]
    assert names(eve) == ["hers", "ours"]
    assert names(bob) == []


def test_what_is_kept_is_read_again_and_recorded(ada: Actor) -> None:
    search = save(ada, " denied ", shared=True)
    assert search.query == {"decision": "denied", "server": "files"}
    assert read_filters(SavedSearch.objects.get().query) == DENIED
    services.remove_search(search_id=search.public_id, actor=ada)
    assert not SavedSearch.objects.exists()
    saved, removed = Record.objects.order_by("id")
    said = {"name": "denied", "query": search.query, "shared": True}
    assert (saved.event, saved.after, saved.before) == ("search.saved", said, None)
    assert (removed.event, removed.before, removed.after) == ("search.removed", said, None)
    assert saved.subject == removed.subject == f"search:{search.public_id}"


def test_a_shared_search_shows_its_reader_no_more_than_they_may_see(ada: Actor, eve: Actor) -> None:
    save(ada, shared=True, filters=Filters(event="search.saved"))
    (search,) = SavedSearch.objects.visible_to(eve)
    assert Record.objects.visible_to(ada).matching(read_filters(search.query)).count() == 1
    assert Record.objects.visible_to(eve).matching(read_filters(search.query)).count() == 0


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb", "a\0b", "\u202egnp", "\ud800"])
def test_a_name_is_short_and_printable(ada: Actor, name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        save(ada, name)
    assert refusal.value.field == "name"


def test_a_search_needs_a_filter_a_name_of_its_own_and_has_its_number(
    ada: Actor, eve: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Invalid):
        save(ada, filters=Filters())
    save(ada)
    with pytest.raises(Conflict):
        save(ada)
    save(eve)
    monkeypatch.setattr("audit.services.searches.MOST", 1)
    with pytest.raises(Conflict, match="remove one first"):
        save(ada, "another")


def test_who_may_not_read_the_log_keeps_and_removes_nothing(ada: Actor, bob: Actor) -> None:
    search = save(ada, shared=True)
    with pytest.raises(PermissionDenied):
        save(bob)
    with pytest.raises(PermissionDenied):
        services.remove_search(search_id=search.public_id, actor=bob)
    assert Record.objects.filter(event="action.denied").count() == 2
    assert SavedSearch.objects.count() == 1


def test_another_s_search_is_removed_by_who_reads_the_whole_log_where_it_is_shared(ada: Actor, eve: Actor) -> None:
    own, shared, ours = save(eve, "own"), save(eve, "shared", shared=True), save(ada, "ours", shared=True)
    with pytest.raises(NotFound):
        services.remove_search(search_id=own.public_id, actor=ada)
    services.remove_search(search_id=shared.public_id, actor=ada)
    with pytest.raises(PermissionDenied):
        services.remove_search(search_id=ours.public_id, actor=eve)
    assert names(eve) == ["ours", "own"]
    assert Record.objects.filter(event="action.denied", subject=f"search:{ours.public_id}").count() == 1


def test_a_search_follows_its_person_to_a_new_name_and_goes_when_they_are_forgotten(ada: Actor) -> None:
    save(ada, "mine")
    save(ada, "ours", shared=True)
    assert names(replace(ada, name="ada.l")) == ["mine", "ours"]
    subjects.forget(public_id=UUID(ada.id))
    assert [search.name for search in SavedSearch.objects.all()] == ["ours"]
