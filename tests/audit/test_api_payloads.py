"""Payloads over the API: the body of the answer, and what a caller may send."""

from typing import Any

import pytest

from access.models import Person
from access.services import Holder, actor_for, ensure_builtin_roles, give_grant
from audit.models import Record
from tests.access.doors import SETUP, Api
from tests.audit.calls import ASKED, kept_call
from tests.factories import PersonFactory

pytestmark = pytest.mark.django_db
WHY = {"reason": "A complaint."}


@pytest.fixture
def administrators() -> list[Person]:
    ensure_builtin_roles()
    found = [PersonFactory.create(username=name) for name in ("ada", "bob")]
    for person in found:
        give_grant(role="administrator", holder=Holder(person=person.username), actor=SETUP, reason="A test.")
    return found


@pytest.fixture
def auditor(administrators: list[Person]) -> Api:
    person = PersonFactory.create(username="eve")
    for giver in administrators:
        give_grant(role="auditor", holder=Holder(person="eve"), actor=actor_for(giver), reason="A test.")
    return Api(person, ["payload:read"])


def test_an_auditor_reads_a_payload_and_everybody_sees_that(auditor: Api) -> None:
    call_id = kept_call()
    answer = auditor.send("POST", f"audit/payloads/{call_id}/read/", WHY)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    asked, told = answer.json()["parts"]
    assert (asked["text"], asked["state"], asked["commitment"]) == (ASKED.decode(), "exact", "holds")
    assert told["commitment"] == "holds"
    assert Record.objects.get(event="payload.read").call_id == call_id


def test_what_does_not_fit_is_told_and_nothing_is_read(auditor: Api) -> None:
    call_id = kept_call()
    bodies: list[Any] = [{}, {"reason": ""}, {"reason": " "}, [], {"reason": "x" * 2001}]
    answers = [auditor.send("POST", f"audit/payloads/{call_id}/read/", body).status_code for body in bodies]
    assert answers == [400, 400, 400, 400, 400]
    assert (
        auditor.send(
            "POST",
            f"audit/payloads/{call_id}/read/",
            WHY,
        ).status_code
        == 200
    )
    missing = auditor.send("POST", "audit/payloads/00000000-0000-7000-8000-000000000000/read/", WHY)
    assert missing.status_code == 404
    assert auditor.get(f"audit/payloads/{call_id}/read/").status_code == 405
    assert Record.objects.filter(event="payload.read").count() == 1


def test_two_administrators_erase_and_one_does_not(administrators: list[Person]) -> None:
    call_id = kept_call()
    one, other = (Api(person) for person in administrators)
    assert one.send("POST", f"audit/payloads/{call_id}/confirm-erasure/", {}).status_code == 404
    asked = one.send("POST", f"audit/payloads/{call_id}/erase/", WHY)
    assert (asked.status_code, asked.json()["call_id"]) == (201, str(call_id))
    assert one.send("POST", f"audit/payloads/{call_id}/confirm-erasure/", {}).status_code == 409
    assert other.send("POST", f"audit/payloads/{call_id}/confirm-erasure/", {}).json() == {"rows": 2}
    assert one.send("POST", f"audit/payloads/{call_id}/read/", WHY).status_code == 403
