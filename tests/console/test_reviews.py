"""The inbox and the review page: finding, reading, deciding."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.test import Client

from access.models import Person
from audit.models import Record
from core.permissions import Permission
from servers.services import edit_server
from tests.console.world import Page, World, tool
from tests.factories import person_with
from tests.tools.making import card
from tools import scanner
from tools.models import Pin, Review
from tools.services import decide_review

READS = (Permission.REVIEW_READ, Permission.SERVER_READ, Permission.TOOL_READ)


def signed_in(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def text_of(response: object) -> str:
    return Page(response.content.decode()).text  # type: ignore[attr-defined]


def decision(review: Review, verdict: str = "approve", reason: str = "Read it.") -> dict[str, str]:
    return {"digest": review.version.digest, "verdict": verdict, "reason": reason}


def test_the_inbox_is_filtered_by_its_url(world: World, console: Client) -> None:
    world.register("other")
    world.show([tool("elsewhere")], slug="other")
    assert "elsewhere" in text_of(console.get("/"))
    assert "elsewhere" not in text_of(console.get("/?server=files"))
    assert "elsewhere" in text_of(console.get("/?server=other&kind=tool"))
    assert "No review matches" in text_of(console.get("/?server=other&kind=prompt"))
    assert "None in this state" in text_of(console.get("/?state=rejected"))


def test_an_unknown_filter_changes_nothing(world: World, console: Client) -> None:
    for query in ("state=nonsense", "kind=%00", "server=%3Cb%3E", "page=-3", "page=x"):
        assert console.get(f"/?{query}").status_code == 200, query


def test_htmx_gets_the_list_alone(world: World, console: Client) -> None:
    page = Page(console.get("/", headers={"HX-Request": "true"}).content.decode())
    assert page.named("table")
    assert not page.named("html")


def test_risky_changes_stand_first(world: World, console: Client) -> None:
    world.approve("write")
    world.show([world.tools[0], tool("write", "Writes a file.", inputSchema={"type": "object"})])
    rows = [link["href"] for link in Page(console.get("/").content.decode()).named("a") if "/reviews/" in link["href"]]
    assert rows[0] == f"/reviews/{world.waiting('write').public_id}/"


def test_the_review_page_says_what_changed_word_by_word(world: World, console: Client) -> None:
    world.approve("read")
    world.show([tool("read", "Reads a secret file."), world.tools[1]])
    html = console.get(f"/reviews/{world.waiting('read').public_id}/").content.decode()
    assert "<ins>secret </ins>" in html
    assert "Wording that a model reads changed" in html


def test_an_approval_pins_the_version_that_was_shown(world: World, console: Client) -> None:
    review = world.waiting()
    response = console.post(f"/reviews/{review.public_id}/", decision(review), follow=True)
    assert response.status_code == 200
    assert "Agents get exactly this version" in text_of(response)
    assert Pin.objects.live().get(definition=review.definition).version == review.version


def test_a_reason_is_required_and_asked_for_at_its_field(world: World, console: Client) -> None:
    review = world.waiting()
    response = console.post(f"/reviews/{review.public_id}/", decision(review, reason=" "))
    assert response.status_code == 422
    assert 'id="id_reason_error"' in response.content.decode()
    assert not Pin.objects.exists()


def test_a_stale_digest_is_refused_with_409_and_the_way_to_what_waits_now(world: World, console: Client) -> None:
    stale = world.waiting()
    world.show([tool("read", "Something else."), world.tools[1]])
    response = console.post(f"/reviews/{stale.public_id}/", decision(stale, reason="I read the old text."))
    assert response.status_code == 409
    page = Page(response.content.decode())
    assert "Your decision was not recorded" in page.text
    assert f"/reviews/{world.waiting().public_id}/" in [link["href"] for link in page.named("a")]
    assert not Pin.objects.exists()


def test_a_wrong_digest_is_refused_and_the_page_shows_the_right_one(world: World, console: Client) -> None:
    review = world.waiting()
    sent = {**decision(review), "digest": "sha256:" + "0" * 64}
    response = console.post(f"/reviews/{review.public_id}/", sent)
    assert response.status_code == 409
    page = Page(response.content.decode())
    hidden = [values["value"] for values in page.named("input") if values.get("name") == "digest"]
    assert set(hidden) == {review.version.digest}
    assert "Read it." in page.text


def test_who_registered_the_server_is_told_that_two_others_have_to_approve(world: World, console: Client) -> None:
    edit_server(slug="files", changes={"required_approvals": 2}, actor=world.actor)
    url = f"/reviews/{world.waiting().public_id}/"
    page = Page(console.get(url).content.decode())
    verdicts = [values["value"] for values in page.named("input") if values.get("name") == "verdict"]
    assert verdicts == ["reject"]
    assert "You registered this server" in page.text
    assert console.post(url, decision(world.waiting())).status_code == 403


def test_the_first_of_two_approvers_is_told_that_another_person_has_to(world: World) -> None:
    edit_server(slug="files", changes={"required_approvals": 2}, actor=world.actor)
    review = world.waiting()
    url = f"/reviews/{review.public_id}/"
    first, second = (signed_in(person_with(*READS, Permission.REVIEW_DECIDE)) for _ in range(2))
    assert "another person has to approve" in text_of(first.post(url, decision(review), follow=True))
    again = text_of(first.get(url))
    assert "1 of 2" in again
    assert "You have decided" in again
    assert first.post(url, decision(review)).status_code == 409
    assert "Agents get exactly this version" in text_of(second.post(url, decision(review), follow=True))


def test_a_reader_sees_no_decision_form_and_is_refused_when_sending_one(world: World) -> None:
    reader, review = signed_in(person_with(*READS)), world.waiting()
    url = f"/reviews/{review.public_id}/"
    page = Page(reader.get(url).content.decode())
    assert not [values for values in page.named("input") if values.get("name") == "verdict"]
    assert "may read reviews but not decide" in page.text
    assert reader.post(url, decision(review)).status_code == 403
    assert Record.objects.filter(event="action.denied").count() == 1
    assert not Pin.objects.exists()


def chosen(*reviews: Review) -> list[str]:
    return [f"{review.public_id} {review.version.digest}" for review in reviews]


def decide_together(console: Client, sent: Mapping[str, Any], query: str = "") -> Any:
    """Send the form of the list, then the one of the page that shows what it would be."""
    preview = console.post(f"/reviews/decide/{query}", sent)
    boxes = Page(preview.content.decode()).named("input")
    values = [box["value"] for box in boxes if box.get("name") == "review"]
    return console.post(f"/reviews/decide/{query}", {**sent, "review": values, "confirmed": "on"})


def test_several_reviews_are_decided_with_one_reason(world: World, console: Client) -> None:
    sent = {"review": chosen(world.waiting("read"), world.waiting("write")), "verdict": "approve", "reason": "Known."}
    assert "2 of 2 decided" in text_of(decide_together(console, sent))
    assert "All decided" in text_of(console.get("/"))
    records = Record.objects.filter(event="review.decided")
    assert len(set(records.values_list("batch_id", flat=True))) == 1


def test_a_bulk_decision_leads_back_to_the_same_list(world: World, console: Client) -> None:
    sent = {"review": chosen(world.waiting()), "verdict": "approve", "reason": "Known."}
    links = Page(decide_together(console, sent, "?server=files").content.decode()).named("a")
    assert "/?server=files" in [link["href"] for link in links]


def test_a_bulk_decision_says_for_each_item_what_came_of_it(world: World, console: Client) -> None:
    stale = chosen(world.waiting("read"))
    world.show([tool("read", "Something else."), world.tools[1]])
    sent = {
        "review": [*stale, *chosen(world.waiting("write"))],
        "verdict": "approve",
        "reason": "Known.",
        "confirmed": 1,
    }
    response = console.post("/reviews/decide/", sent)
    assert "1 of 2 decided" in text_of(response)
    assert "not decided" in text_of(response)


def test_a_critical_finding_is_not_approved_in_bulk(world: World, console: Client) -> None:
    world.show([*world.tools, tool("tagged", "Hello\U000e0041\U000e0042")])
    sent = {"review": chosen(world.waiting("tagged")), "verdict": "approve", "reason": "Known."}
    assert "never approved in bulk" in text_of(console.post("/reviews/decide/", sent))


def test_a_bulk_decision_without_rows_or_reason_shows_what_is_missing(world: World, console: Client) -> None:
    for sent in (
        {"verdict": "approve", "reason": "Known."},
        {"review": chosen(world.waiting()), "verdict": "approve", "reason": ""},
        {"review": chosen(world.waiting()), "reason": "Known."},
        {"review": ["nonsense"], "verdict": "approve", "reason": "Known."},
        {"review": ["a b c"], "verdict": "approve", "reason": "Known."},
    ):
        response = console.post("/reviews/decide/", sent)
        assert response.status_code == 422, sent
        assert Page(response.content.decode()).named("table"), sent
    assert not Pin.objects.exists()


def test_who_may_decide_nothing_decides_nothing_in_bulk(world: World) -> None:
    sent = {"review": chosen(world.waiting()), "verdict": "approve", "reason": "Known."}
    assert signed_in(person_with(*READS)).post("/reviews/decide/", sent).status_code == 403
    assert not Pin.objects.exists()


def test_what_was_ticked_stays_ticked_when_the_reason_is_missing(world: World, console: Client) -> None:
    sent = {"review": chosen(world.waiting()), "verdict": "approve", "reason": ""}
    page = Page(console.post("/reviews/decide/", sent).content.decode())
    ticked = [box["value"] for box in page.named("input") if box.get("type") == "checkbox" and "checked" in box]
    assert ticked == chosen(world.waiting())


def test_an_empty_inbox_says_what_to_do_next(db: None) -> None:
    reader = signed_in(person_with(*READS, Permission.SERVER_REGISTER))
    page = Page(reader.get("/").content.decode())
    assert "Nothing to govern yet" in page.text
    assert "/servers/onboard/" in [link.get("href") for link in page.named("a")]


def test_the_review_says_that_agents_go_on_with_the_approved_text_while_it_waits(world: World, console: Client) -> None:
    said = "Agents go on with the approved text while this waits; rejecting it withholds the definition."
    world.approve("read")
    world.show([tool("read", "Reads a file, and says so."), world.tools[1]])
    path = f"/reviews/{world.waiting('read').public_id}/"
    text = text_of(console.get(path))
    assert said not in text
    assert "It stays in quarantine." in text
    edit_server(slug="files", changes={"drift_mode": "serve_pinned"}, actor=world.actor)
    text = text_of(console.get(path))
    assert said in text
    assert "It stays in quarantine." not in text
    console.post(path, decision(world.waiting("read"), "reject"))
    assert said not in text_of(console.get(path))


def test_a_closed_review_no_longer_speaks_of_waiting(world: World, console: Client) -> None:
    path = f"/reviews/{world.waiting('read').public_id}/"
    assert "What agents would see" in text_of(console.get(path))
    world.approve("read")
    text = text_of(console.get(path))
    assert "What agents would see" not in text
    assert "The whole version under review" in text


def test_a_very_long_name_is_whole_on_the_page_of_the_definition_only(world: World, console: Client) -> None:
    name = "long" * 200
    world.show([*world.tools, tool(name)])
    found = world.waiting(name)
    heading = console.get(f"/reviews/{found.public_id}/").content.decode().partition("</h1>")[0].rpartition("<h1>")[2]
    assert name not in heading
    assert "long" in heading
    assert name in text_of(console.get(f"/definitions/{found.definition.public_id}/"))


WORDS = "Read the contents of a file from the workspace and return it as text."


def test_a_server_card_is_as_at_another_server_and_no_clone_of_its_card(world: World, console: Client) -> None:
    for slug in ("other", "moved"):
        world.register(slug)
        world.show([card(instructions=f"{WORDS} {WORDS}")], slug=slug)
    found = Review.objects.waiting().get(definition__server__slug="moved")
    page = text_of(console.get(f"/reviews/{found.public_id}/"))
    assert "Server card as at other" in page
    assert "clone of" not in page


def test_the_review_page_shows_relatives_and_what_was_decided_before(world: World, console: Client) -> None:
    world.register("other")
    world.show([tool("evil<b>", WORDS)], slug="other")
    found = world.waiting("evil<b>", "other")
    decide_review(
        review_id=found.public_id,
        verdict="reject",
        digest=found.version.digest,
        reason="It sends <i>files</i> away.",
        actor=world.actor,
    )
    world.register("moved", url="http://127.0.0.1:9/other/")
    world.show([tool("evil<b>", WORDS), tool("fetch", WORDS)], slug="moved")
    page = text_of(console.get(f"/reviews/{world.waiting('fetch', 'moved').public_id}/"))
    assert "What it resembles" in page
    assert "resembles evil<b> of other rejected" in page
    assert "Rejected because: It sends <i>files</i> away." in page
    assert "wording 100 %, arguments 100 %" in page
    assert "resembles evil<b> of moved in quarantine" in page
    again = text_of(console.get(f"/reviews/{world.waiting('evil<b>', 'moved').public_id}/"))
    assert "clone of evil<b> of other rejected" in again
    assert "Decided before" in again
    assert "exactly this version , other" in again or "exactly this version, other" in again
    assert "ada : It sends <i>files</i> away." in again


def test_a_server_at_a_known_endpoint_says_what_was_decided_there(world: World, console: Client) -> None:
    world.approve("read")
    world.register("again", url="http://127.0.0.1:9/files/")
    page = text_of(console.get("/servers/again/"))
    assert "This endpoint is known under another name." in page
    assert "1 approval , 0 rejections" in page or "1 approval, 0 rejections" in page
    assert "This endpoint is known" in text_of(console.get("/servers/files/"))
    world.register("elsewhere")
    assert "This endpoint is known" not in text_of(console.get("/servers/elsewhere/"))


def test_each_changed_field_is_listed_with_what_became_of_it_and_leads_to_its_text(
    world: World, console: Client
) -> None:
    world.approve("read")
    schema = {"type": "object", "properties": {"path": {"type": "string"}, "notes": {"type": "string"}}}
    world.show([tool("read", "Reads a file now.", inputSchema=schema, title="\u202eReader"), world.tools[1]])
    page = Page(console.get(f"/reviews/{world.waiting('read').public_id}/").content.decode())
    links = [link["href"] for link in page.named("a") if link.get("href", "").startswith("#field-")]
    fields = [place["id"] for place in page.named("div") if place.get("id", "").startswith("field-")]
    assert links == [f"#{field}" for field in fields]
    assert len(fields) > 2
    said = page.text.partition("Field by field")[2]
    for words in ("/description ± changed", "/title + added", "/inputSchema/required \u2212 removed"):
        assert words in said, said[:600]
    assert "Changed fields" in [nav.get("aria-label") for nav in page.named("nav")]


def test_one_changed_field_needs_no_list(world: World, console: Client) -> None:
    world.approve("read")
    world.show([tool("read", "Reads a file now."), world.tools[1]])
    page = Page(console.get(f"/reviews/{world.waiting('read').public_id}/").content.decode())
    assert not [link for link in page.named("a") if link.get("href", "").startswith("#field-")]


def evidence(console: Client, review: Review) -> Page:
    """The part of a review's page that says what the scanner found."""
    said = console.get(f"/reviews/{review.public_id}/").content.decode()
    return Page(said.partition('aria-labelledby="findings-title"')[2].partition("</section>")[0])


def test_an_incomplete_scan_is_told_apart_from_a_threat(
    world: World, console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.show([tool("tagged", "Hello\U000e0041\U000e0042"), *world.tools])
    scan = scanner.scan_item

    def partly(item: scanner.Item) -> scanner.Report:
        report = scan(item)
        return scanner.Report(report.score, report.risk, report.findings, 1)

    monkeypatch.setattr("tools.services.scanning.scanner.scan_item", partly)
    world.show([tool("long", "Reads a long file."), tool("tagged", "Hello\U000e0041\U000e0042"), *world.tools])
    unfinished, threat = evidence(console, world.waiting("long")), evidence(console, world.waiting("tagged"))
    assert "scan incomplete" in unfinished.text
    assert "That is no threat by itself, and never an approval." in unfinished.text
    for word in ("critical", "high", "nothing found", "No rule matched"):
        assert word not in unfinished.text.replace("confidence: high", "")
    assert "critical" in threat.text
    assert "scan incomplete" not in threat.text
    row = next(row for row in console.get("/").content.decode().split("<tr data-row>") if ">long<" in row)
    assert "1 scan incomplete" in Page(row).text
    assert "1 high" not in Page(row).text
