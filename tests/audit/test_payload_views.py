"""The console's way to payloads: a button with a reason, a page that shows them, and erasing by two."""

import pytest
from django.test import Client

from access.models import Person
from access.services import Holder, actor_for, ensure_builtin_roles, give_grant
from audit.models import Record, StoredPayload
from tests.access.doors import SETUP
from tests.audit.calls import kept_call
from tests.factories import PersonFactory

pytestmark = pytest.mark.django_db
WHY = {"reason": "A complaint."}


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def people() -> tuple[Client, Client, Client]:
    """Two administrators, and the auditor whom both appointed."""
    ensure_builtin_roles()
    ada, bob, eve = (PersonFactory.create(username=name) for name in ("ada", "bob", "eve"))
    for person in (ada, bob):
        give_grant(role="administrator", holder=Holder(person=person.username), actor=SETUP, reason="A test.")
    for person in (ada, bob):
        give_grant(role="auditor", holder=Holder(person="eve"), actor=actor_for(person), reason="A test.")
    return browser(ada), browser(bob), browser(eve)


def test_an_auditor_finds_the_button_and_sees_what_was_said(people: tuple[Client, Client, Client]) -> None:
    administrator, _, auditor = people
    call_id = kept_call(b'{"name":"search","arguments":{"q":"<b>ada</b>","password":"hunter22"}}')
    record = Record.objects.get(call_id=call_id, type="intent")
    address = f"/audit/payloads/{call_id}/read/"
    assert address in auditor.get(f"/audit/{record.id}/").content.decode()
    assert address not in administrator.get(f"/audit/{record.id}/").content.decode()
    page = auditor.post(address, WHY)
    text = page.content.decode()
    assert (page.status_code, page["Cache-Control"]) == (200, "no-store")
    assert "&lt;b&gt;ada&lt;/b&gt;" in text
    assert "kept with parts left out" in text
    assert "these are the bytes that were committed to" in text
    assert "hunter22" not in text
    assert auditor.get(address).status_code == 405
    assert administrator.post(address, WHY).status_code == 403
    assert auditor.post(address, {}).status_code == 302
    assert Record.objects.filter(event="payload.read").count() == 1


def test_an_administrator_asks_and_another_erases(people: tuple[Client, Client, Client]) -> None:
    one, other, _ = people
    call_id = kept_call()
    record = Record.objects.get(call_id=call_id, type="intent")
    back = {"next": f"/audit/{record.id}/"}
    assert one.post(f"/audit/payloads/{call_id}/erase/", WHY | back)["Location"] == back["next"]
    assert "A complaint." in other.get(back["next"]).content.decode()
    refused = one.post(f"/audit/payloads/{call_id}/confirm-erasure/", back, follow=True)
    assert "Another person has to agree" in refused.content.decode()
    assert StoredPayload.objects.of_call(call_id).count() == 2
    other.post(f"/audit/payloads/{call_id}/confirm-erasure/", back)
    assert StoredPayload.objects.of_call(call_id).count() == 0
