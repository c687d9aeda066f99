"""What two people do at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from access import services
from access.models import Agent, FailedSignIn, Person, Revision
from access.services.counting import count_request
from access.services.sign_in import _count_attempt
from audit.models import Record
from core.errors import Conflict, DomainError
from tests.access.document_host import document_host
from tests.access.doors import SETUP
from tests.factories import PersonFactory

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*commands: Callable[[], Any]) -> list[Any]:
    """Run `commands` side by side; answers results, or the errors that services raise."""
    start = Barrier(len(commands))

    def run(command: Callable[[], Any]) -> Any:
        try:
            start.wait(timeout=10)
            return command()
        except DomainError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(run, commands))


def test_two_administrators_who_deactivate_each_other_leave_one() -> None:
    services.ensure_builtin_roles()
    for name in ("ada", "bob"):
        PersonFactory.create(username=name)
        holder = services.Holder(person=name)
        services.give_grant(role="administrator", holder=holder, actor=SETUP, reason="A test.")
    results = at_once(
        lambda: services.deactivate_person(username="ada", actor=SETUP, reason="First."),
        lambda: services.deactivate_person(username="bob", actor=SETUP, reason="Second."),
    )
    assert sum(isinstance(result, Conflict) for result in results) == 1
    assert Person.objects.active().count() == 1


def test_one_name_is_taken_once() -> None:
    results = at_once(
        *(lambda name=name: services.create_team(slug=name, actor=SETUP) for name in ("blue", "blue", "blue"))
    )
    assert sum(isinstance(result, Conflict) for result in results) == 2


def test_no_count_is_lost() -> None:
    def bump() -> None:
        from django.db import transaction

        with transaction.atomic():
            services.bump_revision("access")

    at_once(*[bump] * 6)
    assert Revision.objects.get(part="access").n == 6


def test_requests_side_by_side_are_all_counted() -> None:
    counted = at_once(*[lambda: count_request("oauth 192.0.2.1").count] * 6)
    assert sorted(counted) == [1, 2, 3, 4, 5, 6]


@pytest.mark.network
def test_a_client_that_is_met_for_the_first_time_by_four_requests_is_one_agent(tmp_path: Path, settings: Any) -> None:
    with document_host(tmp_path) as host:
        settings.OUTBOUND_CA_FILE = str(host.authority)
        settings.CLIENT_DOCUMENTS = "any"
        url = host.publish({"client_name": "App", "redirect_uris": ["https://app.example/cb"]})
        agents = at_once(*[lambda: services.resolve_client(url)] * 4)
    assert {agent.client_id for agent in agents} == {url}
    assert Agent.objects.count() == 1
    assert Record.objects.filter(event="agent.registered").count() == 1


def test_attempts_side_by_side_are_all_counted() -> None:
    from django.utils import timezone

    counts = at_once(*[lambda: _count_attempt("k" * 64, timezone.now())] * 6)
    assert sorted(counts) == [1, 2, 3, 4, 5, 6]
    assert FailedSignIn.objects.get().count == 6
