"""Pages of what leaves the log: a download of what the search found, and sinks."""

import csv
import io
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from audit.models import ExportCursor, Leaf, Record, Sink
from audit.services import place_records
from core.permissions import Permission
from tests.console.test_pages import signed_in
from tests.console.world import HOSTILE, Page, World
from tests.factories import person_with

SINK = {"name": "siem", "kind": "webhook", "format": "ocsf", "endpoint": "https://siem.example/in?key=abc"}


def whole(response: Any) -> str:
    async def collect() -> bytes:
        return b"".join([chunk async for chunk in response])

    return async_to_sync(collect)().decode()


def test_what_was_searched_is_downloaded(world: World, console: Client) -> None:
    place_records()
    page = Page(console.get("/audit/?server=files&type=config").content.decode())
    assert {field["value"] for field in page.named("input") if field.get("type") == "hidden"} >= {"files", "config"}
    response = console.get("/audit/export/?server=files&type=config&format=csv")
    assert response.status_code == 200
    rows = list(csv.DictReader(io.StringIO(whole(response), newline="")))
    assert rows
    assert {(row["server"], row["type"]) for row in rows} == {("files", "config")}
    assert Record.objects.filter(event="audit.exported").count() == 1


@pytest.mark.parametrize("query", ["", "format=xml", "format=csv&since=never", "format=jsonl&server=files"])
def test_what_cannot_be_downloaded_leads_back_to_the_search(world: World, console: Client, query: str) -> None:
    response = console.get(f"/audit/export/?{query}")
    assert response.status_code == 302
    assert response["Location"].startswith("/audit/?")
    assert not Record.objects.filter(event="audit.exported").exists()


def test_who_may_not_export_sees_no_button_and_gets_no_file(world: World) -> None:
    client = signed_in(person_with(Permission.AUDIT_READ))
    assert "/audit/export/" not in client.get("/audit/").content.decode()
    assert client.get("/audit/export/?format=csv").status_code == 403
    assert Record.objects.get(event="action.denied").subject == "log:records"


def test_a_sink_is_added_and_its_secret_shown_once(world: World, console: Client) -> None:
    answer = console.post("/audit/sinks/add/", SINK)
    assert "whsec_" in answer.content.decode()
    place_records()
    listed = console.get("/audit/sinks/").content.decode()
    assert "siem" in Page(listed).text
    assert "whsec_" not in listed
    assert f"{Leaf.objects.head() - ExportCursor.objects.get().index} record" in Page(listed).text


def test_a_sink_without_a_secret_leads_to_the_list(world: World, console: Client) -> None:
    answer = console.post("/audit/sinks/add/", SINK | {"kind": "otlp", "format": "otlp"})
    assert (answer.status_code, answer["Location"]) == (302, "/audit/sinks/")


def test_what_does_not_fit_stands_at_its_field(world: World, console: Client) -> None:
    answer = console.post("/audit/sinks/add/", SINK | {"format": "cef"})
    assert answer.status_code == 422
    assert "A sink of this kind takes ocsf, jsonl." in Page(answer.content.decode()).text


def test_a_sink_is_disabled_enabled_and_removed(world: World, console: Client) -> None:
    console.post("/audit/sinks/add/", SINK)
    place = f"/audit/sinks/{Sink.objects.get().public_id}"
    console.post(f"{place}/disable/")
    assert Sink.objects.get().state == "disabled"
    console.post(f"{place}/enable/")
    assert Sink.objects.get().state == "active"
    console.post(f"{place}/remove/", {"reason": "moved"})
    assert not Sink.objects.exists()
    assert Record.objects.get(event="sink.removed").reason == "moved"
    assert console.post(f"{place}/remove/").status_code == 404


def test_what_a_sink_is_called_and_what_failed_is_text(world: World, console: Client) -> None:
    console.post("/audit/sinks/add/", SINK)
    Sink.objects.update(name=HOSTILE[0].replace("\0", ""), state="stopped")
    assert Page(console.get("/audit/sinks/").content.decode()).inline == []
