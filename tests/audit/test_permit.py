"""A denial survives the rollback of what it denied."""

import pytest
from django.db import connection, transaction

from audit import services
from audit.events import Event, RecordType
from audit.models import Record, Subject
from audit.permit import audited_denials, refuse_unless
from core.actor import Actor
from core.errors import Conflict, PermissionDenied


@audited_denials
def rename(*, actor: Actor, allowed: bool) -> str:
    services.record(type=RecordType.ADMIN, event=Event.TEAM_CHANGED, actor=actor, subject="team:red")
    refuse_unless(allowed, actor=actor, permission="team:manage", subject="server:files")
    return "done"


@audited_denials
def rename_twice(*, actor: Actor) -> None:
    rename(actor=actor, allowed=True)
    rename(actor=actor, allowed=False)


@audited_denials
def refuse_in_words(*, actor: Actor) -> None:
    raise PermissionDenied("Not on a Sunday.")


@audited_denials
def fail(*, actor: Actor) -> None:
    services.record(type=RecordType.ADMIN, event=Event.TEAM_CHANGED, actor=actor)
    raise Conflict("no")


@pytest.mark.django_db(transaction=True)
def test_a_denial_is_recorded_after_the_rollback(bob: Actor) -> None:
    with pytest.raises(PermissionDenied, match="team:manage"):
        rename(actor=bob, allowed=False)
    assert not connection.in_atomic_block
    (only,) = Record.objects.all()
    assert (only.type, only.event, only.decision) == ("deny", "action.denied", "denied")
    assert (only.subject, only.server, only.after) == ("server:files", "files", {"permission": "team:manage"})
    assert only.principal == only.actor == str(Subject.objects.get(name="bob").pseudonym)


@pytest.mark.django_db
def test_what_is_allowed_is_done_and_recorded(bob: Actor) -> None:
    assert rename(actor=bob, allowed=True) == "done"
    assert Record.objects.get().event == "team.changed"


@pytest.mark.django_db(transaction=True)
def test_a_denial_inside_a_nested_service_takes_everything_back_and_is_recorded_once(bob: Actor) -> None:
    with pytest.raises(PermissionDenied):
        rename_twice(actor=bob)
    assert [row.event for row in Record.objects.all()] == ["action.denied"]


@pytest.mark.django_db
def test_a_denial_in_words_is_recorded_with_its_words(bob: Actor) -> None:
    with pytest.raises(PermissionDenied):
        refuse_in_words(actor=bob)
    only = Record.objects.get()
    assert (only.reason, only.after) == ("Not on a Sunday.", None)


@pytest.mark.django_db
def test_another_error_rolls_back_and_records_nothing(bob: Actor) -> None:
    with pytest.raises(Conflict):
        fail(actor=bob)
    assert not Record.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_inside_a_foreign_transaction_neither_service_nor_denial_runs(bob: Actor) -> None:
    with transaction.atomic():
        with pytest.raises(RuntimeError):
            rename(actor=bob, allowed=True)
        with pytest.raises(RuntimeError):
            services.denied(actor=bob, permission="team:manage", subject="team:red")
