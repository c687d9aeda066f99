"""One look asks once which known versions share numbers with what it shows, and never reads without bound."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import Person
from core.actor import Actor
from servers.models import Server
from tests.tools.making import make_server, poll, reject, waiting
from tests.tools.test_services_resembling import WORDS, reading
from tools.models import DefinitionVersion, Resemblance, Sketch
from tools.services import knowing
from tools.services.knowing import Shared, by_number

pytestmark = pytest.mark.django_db


def overlaps(captured: CaptureQueriesContext) -> int:
    return sum("&&" in each["sql"] for each in captured.captured_queries)


def test_a_look_asks_once_which_versions_are_like_what_it_shows(server: Server, registrant: Person) -> None:
    poll(make_server("other", registered_by=registrant), reading("fetch_document"))
    with CaptureQueriesContext(connection) as captured:
        poll(server, reading("read"), reading("read_too"))
    assert overlaps(captured) == 1
    assert Resemblance.objects.filter(review__definition__server=server).count() == 4


def test_what_is_too_much_to_remember_is_asked_for_again(
    server: Server, registrant: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowing, "_SHARED_MAX", 0)
    poll(make_server("other", registered_by=registrant), reading("fetch_document"))
    with CaptureQueriesContext(connection) as captured:
        poll(server, reading("read"), reading("read_too"))
    assert overlaps(captured) == 2
    assert Resemblance.objects.filter(review__definition__server=server).count() == 4


def test_what_somebody_rejected_comes_first(server: Server, registrant: Person, reviewer: Actor) -> None:
    poll(server, reading("evil"))
    reject(waiting("evil"), reviewer)
    poll(make_server("other", registered_by=registrant), reading("newer", f"{WORDS} Slowly."))
    keys = Sketch.objects.get(version__definition__name="evil").keys
    shared = Shared()
    for _ in range(2):  # asked, and remembered
        known = shared.having(keys)
        assert [each.rank for each in known] == [knowing.REJECTED, 1]
        assert by_number(known)[keys[0]][0].digest == DefinitionVersion.objects.get(definition__name="evil").digest


def test_what_shares_nothing_is_not_known_by_it(server: Server) -> None:
    poll(server, reading())
    assert Shared().having([1, 2, 3]) == []
