"""People stand in records under a pseudonym; who is no person needs none."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import pytest
from django.db import connections

from audit import services, subjects
from audit.events import Event, RecordType
from audit.models import Record, Subject
from core.actor import Actor, ActorKind


@pytest.mark.parametrize("kind", [ActorKind.AGENT, ActorKind.SYSTEM, ActorKind.ANONYMOUS])
def test_who_is_no_person_needs_no_pseudonym(db: None, kind: ActorKind) -> None:
    expected = "anonymous" if kind is ActorKind.ANONYMOUS else f"{kind}:x"
    assert subjects.principal_of(Actor(kind=kind, id="x", name="X")) == expected
    assert not Subject.objects.exists()


@pytest.mark.django_db
def test_a_person_keeps_one_pseudonym_under_every_name(ada: Actor) -> None:
    pseudonym = subjects.principal_of(ada)
    assert subjects.principal_of(replace(ada, name="ada.l")) == pseudonym
    assert Subject.objects.get().name == "ada.l"
    assert pseudonym != ada.id


@pytest.mark.django_db
def test_a_forgotten_person_leaves_records_but_no_name(ada: Actor) -> None:
    row = services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=ada)
    subjects.forget(public_id=UUID(ada.id))
    assert Record.objects.get().principal == row.principal
    assert Subject.objects.shown_names([row.principal]) == {row.principal: "forgotten"}
    assert subjects.principal_of(ada) != row.principal


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_meet_a_person_at_once_agree_on_the_pseudonym(ada: Actor) -> None:
    def meet(_number: int) -> str:
        try:
            return subjects.principal_of(ada)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(meet, range(8)))) == 1
