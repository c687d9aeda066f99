"""What two people do at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.db import connection

from access import services
from access.models import AccessToken, Agent, ConsoleSession, FailedSignIn, Person, RefreshToken, Revision, Role
from access.services.app_codes import use_code
from access.services.attempts import _count_up
from access.services.builtin import BUILTIN_ROLES
from access.services.counting import count_request
from audit.models import Record
from core.errors import Conflict, DomainError
from tests.access.document_host import document_host
from tests.access.doors import SETUP
from tests.access.flow import code_for, exchange, refresh
from tests.access.signing_in import app_code, known, seed_on, signs_in
from tests.factories import PersonFactory, ProtectedResourceFactory, PublicAgentFactory

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*commands: Callable[[], Any]) -> list[Any]:
    """Run `commands` side by side; answers results, or the errors that services raise."""
    start = Barrier(len(commands))

    def run(command: Callable[[], Any]) -> Any:
        try:
            start.wait(timeout=60)
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


def test_two_setups_make_each_builtin_role_once_and_record_it_once() -> None:
    at_once(services.ensure_builtin_roles, services.ensure_builtin_roles)
    made = Record.objects.filter(event="role.created").values_list("subject", flat=True)
    assert sorted(made) == sorted(f"role:{name}" for name in Role.objects.values_list("name", flat=True))
    assert len(made) == len(BUILTIN_ROLES)


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
        agents = at_once(*[lambda: services.resolve_client(url, for_person=True)] * 4)
    assert {agent.client_id for agent in agents} == {url}
    assert Agent.objects.count() == 1
    assert Record.objects.filter(event="agent.registered").count() == 1


def test_attempts_side_by_side_are_all_counted() -> None:
    from django.utils import timezone

    counts = at_once(*[lambda: _count_up("k" * 64, timezone.now())] * 6)
    assert sorted(counts) == [1, 2, 3, 4, 5, 6]
    assert FailedSignIn.objects.get().count == 6


def test_of_one_code_sent_side_by_side_one_counts() -> None:
    person, secret = PersonFactory.create(), "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    TOTP.activate(person, secret)
    code = app_code(secret)
    assert sorted(at_once(*[lambda: use_code(person, code)] * 4)) == ["", "", "", "totp"]


def test_who_signs_in_by_password_while_a_factor_is_added_is_left_with_no_session() -> None:
    known("ada")
    browser = signs_in()
    secret = seed_on(browser.get("/account/security/app/"))
    at_once(
        lambda: browser.post("/account/security/app/", {"code": app_code(secret)}),
        *[signs_in] * 4,
    )
    assert set(ConsoleSession.objects.filter(person__isnull=False).values_list("second_factor", flat=True)) == {"totp"}


def _pair() -> dict[str, Any]:
    ProtectedResourceFactory.create(server_slug="files")
    agent = PublicAgentFactory.create(client_id="app")
    body: dict[str, Any] = exchange(code_for(PersonFactory.create(), agent)).json()
    return body


def test_five_refreshes_at_once_give_one_pair() -> None:
    token = _pair()["refresh_token"]
    answers = at_once(*[lambda: refresh(token)] * 5)
    assert [answer.status_code for answer in answers] == [200] * 5
    bodies = [answer.json() for answer in answers]
    assert len({(body["access_token"], body["refresh_token"]) for body in bodies}) == 1
    assert RefreshToken.objects.filter(revoked__isnull=True).count() == 1
    assert refresh(bodies[0]["refresh_token"]).status_code == 200


def test_four_exchanges_at_once_give_one_pair_and_no_error_of_ours() -> None:
    ProtectedResourceFactory.create(server_slug="files")
    agent, person = PublicAgentFactory.create(client_id="app"), PersonFactory.create()
    code = code_for(person, agent)
    answers = at_once(*[lambda: exchange(code)] * 4)
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert RefreshToken.objects.count() == 1


def test_a_family_that_ends_while_it_is_refreshed_is_dead_afterwards() -> None:
    body = _pair()
    newer = refresh(body["refresh_token"]).json()["refresh_token"]
    RefreshToken.objects.filter(superseded_at__isnull=False).update(successor=None)
    answers = at_once(lambda: refresh(newer), lambda: refresh(body["refresh_token"]))
    assert {answer.status_code for answer in answers} <= {200, 400}
    assert not RefreshToken.objects.filter(revoked__isnull=True).exists()
    assert not AccessToken.objects.exists()
