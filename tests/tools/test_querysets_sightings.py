"""What excuses a server for showing agents something else than the poller: an approval that stands, or people."""

import pytest

from core.actor import Actor
from servers.models import Server
from tests.tools.making import approve, decide, poll, reject, served, surface, tool, waiting
from tools import services
from tools.models import Pin, Review, Sighting
from tools.services.polling import POLLING

pytestmark = pytest.mark.django_db

OLD, NEW, ODD = (tool(description=text) for text in ("Old.", "New.", "Odd."))


def sight(server: Server, *items: object, vantage: str = "agent:robot") -> None:
    services.sight(server=server, surface=surface(*items, vantage=vantage), actor=POLLING)  # type: ignore[arg-type]


@pytest.fixture
def replaced(server: Server, reviewer: Actor) -> Server:
    """A server whose old version was approved, and then the new one."""
    for item in (OLD, NEW):
        poll(server, item)
        approve(waiting(), reviewer)
    server.refresh_from_db()
    return server


def withdraw(actor: Actor) -> None:
    pin = Pin.objects.live().select_related("version", "definition").get()
    services.withdraw_approval(
        definition_id=pin.definition.public_id, digest=pin.version.digest, reason="It leaks.", actor=actor
    )


def test_an_older_version_that_was_approved_withholds_nothing(replaced: Server) -> None:
    sight(replaced, OLD)
    assert not Sighting.objects.withholding().exists()
    assert len(served(replaced)) == 1


def test_one_whose_approval_was_withdrawn_does(server: Server, reviewer: Actor) -> None:
    poll(server, OLD)
    approve(waiting(), reviewer)
    withdraw(reviewer)
    poll(server, NEW)
    approve(waiting(), reviewer)
    server.refresh_from_db()
    sight(server, OLD)
    assert Sighting.objects.withholding().exists()
    assert served(server) == {}
    assert waiting().vantage == "agent:robot"


def test_one_that_was_rejected_since_does(replaced: Server, reviewer: Actor) -> None:
    poll(replaced, OLD)
    reject(waiting(), reviewer)
    poll(replaced, NEW)
    sight(replaced, OLD)
    assert Sighting.objects.withholding().exists()
    assert served(replaced) == {}


def test_what_was_dismissed_beside_one_pin_is_not_explained_beside_another(replaced: Server, reviewer: Actor) -> None:
    sight(replaced, ODD)
    decide(waiting(), reviewer, "dismiss")
    assert len(served(replaced)) == 1
    poll(replaced, tool(description="Newer."))
    approve(Review.objects.waiting().get(vantage="poller"), reviewer)
    assert Sighting.objects.withholding().exists()
    assert served(replaced) == {}


def test_a_rejection_at_one_class_does_not_hide_what_another_is_shown(replaced: Server, reviewer: Actor) -> None:
    sight(replaced, ODD)
    sight(replaced, tool(description="Odder."), vantage="agent:other")
    reject(waiting(), reviewer)
    assert waiting().vantage in ("agent:robot", "agent:other")
    reject(waiting(), reviewer)
    assert not Review.objects.waiting().exists()
    assert served(replaced) == {}
