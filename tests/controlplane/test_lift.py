"""`manage.py lift`: a second person's, or the host's own, which stays an open alert."""

import pytest
from django.core.management import CommandError, call_command

from access.models import Suspension
from alerts.models import Alert
from alerts.services import follow_records
from audit.models import Record
from audit.services import place_records
from tests.console.world import administrator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def people(db: None) -> None:
    for name in ("boss", "deputy"):
        administrator(username=name)
    call_command("suspend", "person", "deputy", reason="Stolen laptop.", username="boss")


def alert() -> Alert:
    place_records()
    follow_records()
    return Alert.objects.get(kind="suspended")


def test_the_host_lifts_alone_and_somebody_has_to_look_after_that(capsys: pytest.CaptureFixture[str]) -> None:
    assert alert().state == "open"
    call_command("lift", "person", "deputy", reason="There is nobody else.")
    assert capsys.readouterr().out.endswith("lifted: person deputy\n")
    assert not Suspension.objects.live().exists()
    assert (Record.objects.get(event="suspension.lifted").after or {})["on_the_host"] is True
    assert (alert().state, alert().reason) == ("open", "There is nobody else.")


def test_a_named_second_person_lifts_and_the_alert_ends() -> None:
    administrator(username="eve")
    assert alert().state == "open"
    call_command("lift", "person", "deputy", reason="Found again.", username="eve")
    assert alert().state == "resolved"


@pytest.mark.parametrize(
    ("words", "options", "sentence"),
    [
        (("person", "deputy"), {"reason": "x", "username": "boss"}, "Another person lifts it"),
        (("person", "deputy"), {"reason": "x", "username": "deputy"}, "There is no active person"),
        (("person", "eve"), {"reason": "x"}, "Not suspended: person eve"),
        (("everything",), {"reason": "x"}, "Not suspended: everything"),
        (("person", "deputy"), {"reason": " "}, "Give a reason"),
    ],
)
def test_what_does_not_fit_is_a_sentence(words: tuple[str, ...], options: dict[str, str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("lift", *words, **options)
    assert Suspension.objects.live().exists()
