"""`manage.py suspend`, which works when the console does not."""

import pytest
from django.core.management import CommandError, call_command

from access.models import Suspension
from audit.models import Record
from tests.console.world import administrator
from tests.factories import AgentFactory, PersonFactory
from tests.tools.making import make_server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def boss(db: None) -> None:
    administrator(username="boss")


def test_the_host_suspends_and_the_record_says_who_that_was(capsys: pytest.CaptureFixture[str]) -> None:
    make_server("files")
    call_command("suspend", "server", "files", reason="It leaks.")
    row = Suspension.objects.get()
    assert capsys.readouterr().out == f"suspended: server files ({row.public_id})\n"
    written = Record.objects.get(event="suspension.set")
    assert (written.actor, written.reason, (written.after or {})["on_the_host"]) == ("system:host", "It leaks.", True)


def test_a_named_person_suspends_with_what_they_may() -> None:
    call_command("suspend", "everything", reason="It leaks.", username="boss")
    assert Suspension.objects.get().suspended_by is not None
    PersonFactory.create(username="nobody")
    agent = AgentFactory.create()
    with pytest.raises(CommandError, match="suspension:set"):
        call_command("suspend", "agent", agent.client_id, reason="x", username="nobody")
    assert Record.objects.filter(event="action.denied").exists()


@pytest.mark.parametrize(
    ("words", "options", "sentence"),
    [
        (("house",), {"reason": "x"}, "invalid choice"),
        (("server",), {"reason": "x"}, "There is no server"),
        (("server", "files"), {}, "--reason"),
        (("everything",), {"reason": " "}, "Give a reason"),
        (("everything",), {"reason": "x", "username": "absent"}, "There is no active person"),
        (("person", "boss"), {"reason": "x"}, "Nobody would be left"),
    ],
)
def test_what_does_not_fit_is_a_sentence(words: tuple[str, ...], options: dict[str, str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("suspend", *words, **options)
    assert not Suspension.objects.exists()
