"""Proofs over the API: how the log stands, verifying it now, one record's proof, the verifier."""

import pytest

from audit.models import Leaf, Record
from audit.proof import bundle
from audit.services import place_records
from audit.verifier_file import packed
from core.permissions import Permission
from tests.access.doors import Api
from tests.audit.made_log import ORIGIN
from tests.audit.test_exports import a_checkpoint, a_log, sent
from tests.factories import person_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Api:
    return Api(person_with(Permission.AUDIT_READ, Permission.AUDIT_EXPORT))


def test_it_says_how_the_log_stands_and_verifies_it_once_at_a_time(api: Api) -> None:
    found = api.get("audit/verification/").json()
    assert (found["last"], found["asked_at"], found["checkpoint"]) == (None, None, "")
    a_log(2)
    a_checkpoint(Leaf.objects.head() + 1)
    asked = api.send("POST", "audit/verification/", {})
    assert asked.status_code == 202
    assert asked.json()["asked_at"] is not None
    assert asked.json()["origin"] == ORIGIN
    assert api.send("POST", "audit/verification/", {}).status_code == 409


def test_a_record_is_proved_once_a_checkpoint_is_over_it(api: Api) -> None:
    a_log(1)
    record = Record.objects.get(subject="team:t0")
    assert api.get(f"audit/records/{record.id}/proof/").status_code == 409
    place_records()
    a_checkpoint(Leaf.objects.head() + 1)
    assert bundle.FORMAT.encode() in sent(api.get(f"audit/records/{record.id}/proof/"))


def test_the_verifier_is_there_for_who_reads_the_log(api: Api) -> None:
    assert api.get("audit/verifier/").content == packed()
    assert Api(person_with(Permission.TOOL_READ)).get("audit/verifier/").status_code == 403
