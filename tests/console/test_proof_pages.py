"""The page that says how to prove the log, having it verified from there, and what is downloaded."""

from typing import Any

import pytest
from django.test import Client

from audit import tasks
from audit.models import Leaf, Record
from audit.proof import bundle
from audit.services import place_records
from audit.verifier_file import packed
from core.permissions import Permission
from tests.audit.made_log import ORIGIN
from tests.audit.test_exports import a_checkpoint, sent
from tests.console.world import Page, World
from tests.factories import person_with

pytestmark = pytest.mark.django_db


def text(response: Any) -> str:
    return Page(response.content.decode()).text


def test_the_log_is_verified_now_and_the_badge_follows(world: World, console: Client) -> None:
    assert "Verify now" in text(console.get("/audit/"))
    said = text(console.post("/audit/verify/", {"next": "/audit/?type=config"}, follow=True))
    assert "Asked. The badge says how it went." in said
    assert "Being verified from its beginning" in said
    assert "Verify now" not in said
    place_records()
    tasks.verify_log()
    badge = console.get("/audit/proof/", headers={"HX-Request": "true"})
    assert f"Verified up to record {Leaf.objects.head()}" in text(badge)
    assert "<html" not in badge.content.decode()


def test_asking_twice_is_said_and_done_once(world: World, console: Client) -> None:
    console.post("/audit/verify/")
    assert "The log is being verified already." in text(console.post("/audit/verify/", follow=True))
    assert Record.objects.filter(event="log.verification_requested").count() == 1


def test_the_page_names_key_and_checkpoint(world: World, console: Client) -> None:
    assert "nothing was signed" in text(console.get("/audit/proof/"))
    place_records()
    a_checkpoint(Leaf.objects.head() + 1)
    said = text(console.get("/audit/proof/"))
    assert ORIGIN in said
    assert "python holdfast-verify.pyz EXPORT.jsonl --vkey" in said


def test_a_records_proof_is_downloaded_from_its_page(world: World, console: Client) -> None:
    place_records()
    a_checkpoint(Leaf.objects.head() + 1)
    record = Record.objects.filter(event="server.registered").newest_first()[0]
    assert f"/audit/{record.id}/proof/" in console.get(f"/audit/{record.id}/").content.decode()
    answer = console.get(f"/audit/{record.id}/proof/")
    assert answer["Content-Disposition"] == f'attachment; filename="audit-{record.id}.jsonl"'
    assert bundle.FORMAT.encode() in sent(answer)


def test_a_proof_that_cannot_be_made_yet_leads_back_to_the_record(world: World, console: Client) -> None:
    place_records()
    record = Record.objects.filter(event="server.registered").newest_first()[0]
    said = text(console.get(f"/audit/{record.id}/proof/", follow=True))
    assert "Nothing signed has this record yet" in said
    assert "Audit record" in said


def test_the_verifier_is_downloaded(world: World, console: Client) -> None:
    answer = console.get("/audit/verifier/")
    assert answer["Content-Disposition"] == 'attachment; filename="holdfast-verify.pyz"'
    assert answer.content == packed()


def test_who_may_not_export_gets_no_file_and_no_button(world: World) -> None:
    place_records()
    client = Client()
    client.force_login(person_with(Permission.AUDIT_READ))
    record = Record.objects.filter(event="server.registered").newest_first()[0]
    assert "/proof/" not in client.get(f"/audit/{record.id}/").content.decode().replace("/audit/proof/", "")
    assert client.get(f"/audit/{record.id}/proof/").status_code == 403
    assert "/audit/export/" not in client.get("/audit/proof/").content.decode()
