"""An approval that ran out is put to review at its time, whenever the server is looked at again."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from audit.models import Record
from core.actor import Actor
from servers.models import Server
from tests.tools.making import approve, poll, reject, served, tool, waiting
from tools import services
from tools.models import Review

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def limited(server: Server, reviewer: Actor) -> Server:
    """A server with one tool approved for an hour and one for good."""
    poll(server, tool("read"), tool("write", "Write a file."))
    approve(waiting("read"), reviewer, approve_until=timezone.now() + HOUR)
    approve(waiting("write"), reviewer)
    return server


def test_before_its_time_nothing_waits(limited: Server) -> None:
    assert services.settle_expired() == 0
    assert not Review.objects.waiting().exists()


def test_at_its_time_it_waits_once_and_is_on_record(limited: Server) -> None:
    with time_machine.travel(timezone.now() + HOUR * 2):
        assert list(served(limited)) == ["write"]
        assert services.settle_expired() == 1
        assert services.settle_expired() == 0
        assert waiting("read").change == ["expired"]
        assert Record.objects.get(event="pin.expired").tool == "read"


def test_approved_anew_it_is_served_again(limited: Server, reviewer: Actor) -> None:
    with time_machine.travel(timezone.now() + HOUR * 2):
        services.settle_expired()
        approve(waiting("read"), reviewer)
        assert sorted(served(limited)) == ["read", "write"]
        assert services.settle_expired() == 0


def test_what_was_rejected_after_it_ran_out_is_nobodys_to_decide_again(limited: Server, reviewer: Actor) -> None:
    with time_machine.travel(timezone.now() + HOUR * 2):
        services.settle_expired()
        reject(waiting("read"), reviewer)
        assert services.settle_expired() == 0


def test_what_drifted_meanwhile_is_reviewed_as_what_it_is_now(limited: Server) -> None:
    poll(limited, tool("read", "Something else."), tool("write", "Write a file."))
    with time_machine.travel(timezone.now() + HOUR * 2):
        assert services.settle_expired() == 0
        assert waiting("read").change == ["wording"]


def test_a_retired_server_is_left_alone(limited: Server, reviewer: Actor) -> None:
    services.retire(slug="files", actor=reviewer, reason="Old.")
    with time_machine.travel(timezone.now() + HOUR * 2):
        assert services.settle_expired() == 0
