"""The inbox: what narrows it, who looks at what, what is put off, and what is decided together."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from access.models import Person, Role
from audit.models import Record, SavedSearch
from core.permissions import Permission
from servers.services import edit_server
from tests.access.doors import Api
from tests.console.test_reviews import READS, chosen, signed_in, text_of
from tests.console.world import Page, World, administrator, tool
from tests.factories import GrantFactory, MembershipFactory, person_with
from tools.models import Pin, Review
from tools.services import assign_review, decide_review, snooze_review


def rows(console: Client, query: str = "") -> list[str]:
    """Names of the reviews of one page, in order."""
    page = Page(console.get(f"/{query}").content.decode())
    ids = [link["href"].split("/")[2] for link in page.named("a") if link.get("href", "").startswith("/reviews/")]
    named = dict(Review.objects.values_list("public_id", "definition__name"))
    return [named[key] for wanted in ids for key in named if str(key) == wanted]


def put_off(world: World, name: str, days: int | None = 3) -> None:
    until = None if days is None else timezone.now() + timedelta(days=days)
    snooze_review(review_id=world.waiting(name).public_id, until=until, actor=world.actor)


def test_what_is_put_off_leaves_the_list_and_no_count(world: World, console: Client) -> None:
    put_off(world, "read")
    assert rows(console) == ["write"]
    page = Page(console.get("/").content.decode())
    assert "1 more is put off" in page.text
    assert "Review inbox 2 open" in page.text
    assert rows(console, "?state=snoozed") == ["read"]
    assert rows(console, "?state=open") == ["read", "write"]
    with time_machine.travel(timezone.now() + timedelta(days=4), tick=False):
        console.force_login(world.admin)
        assert rows(console) == ["read", "write"]


def test_reviews_are_put_off_and_brought_back_from_the_list(world: World, console: Client) -> None:
    both = chosen(world.waiting("read"), world.waiting("write"))
    said = text_of(console.post("/reviews/snooze/", {"review": both, "until": "changes"}, follow=True))
    assert "2 reviews put off. They wait all the same" in said
    assert rows(console) == []
    said = text_of(console.post("/reviews/wake/", {"review": both[:1]}, follow=True))
    assert "1 review is back in the list" in said
    assert rows(console) == ["read"]
    assert len(set(Record.objects.filter(event="review.snoozed").values_list("batch_id", flat=True))) == 1


def test_reviews_are_given_to_me_to_somebody_and_to_nobody(world: World, console: Client) -> None:
    other = administrator(username="bea")
    both = chosen(world.waiting("read"), world.waiting("write"))
    console.post("/reviews/assign/", {"review": both, "to": "me"})
    assert (rows(console, "?assignee=me"), rows(console, "?assignee=nobody")) == (["read", "write"], [])
    console.post("/reviews/assign/", {"review": both[:1], "assignee": "bea"})
    assert (rows(console, "?assignee=bea"), rows(console, "?assignee=me")) == (["read"], ["write"])
    assert rows(signed_in(other), "?assignee=me") == ["read"]
    console.post("/reviews/assign/", {"review": both, "nobody": "1", "assignee": "bea"})
    assert rows(console, "?assignee=nobody") == ["read", "write"]


def test_what_cannot_be_given_says_why_and_is_on_record(world: World, console: Client) -> None:
    Person.objects.create(username="bystander")
    sent = {"review": chosen(world.waiting()), "assignee": "bystander"}
    assert "may not decide this server" in text_of(console.post("/reviews/assign/", sent, follow=True))
    assert Record.objects.filter(event="request.refused").exists()


def test_the_inbox_narrows_by_why_risk_and_findings(world: World, console: Client) -> None:
    world.show([*world.tools, tool("tagged", "Hello\U000e0041\U000e0042")])
    assert rows(console, "?why=hidden") == ["tagged"]
    assert "hidden characters" in text_of(console.get("/?why=hidden"))
    assert rows(console, "?finding=critical") == ["tagged"]
    world.approve("write")
    world.show([world.tools[0], tool("write", "Writes a file, and more."), tool("tagged", "Hello\U000e0041\U000e0042")])
    assert rows(console, "?why=wording") == ["write"]
    assert "write" not in rows(console, "?why=new")
    assert rows(console, f"?risk={world.waiting('write').risk}&why=wording") == ["write"]


def test_what_waits_for_too_long_is_overdue_in_words(world: World, console: Client, settings: Any) -> None:
    settings.REVIEW_DUE_HOURS = {"high": 1, "medium": 1, "low": 1}
    assert rows(console, "?overdue=on") == []
    assert "due in " in text_of(console.get("/"))
    with time_machine.travel(timezone.now() + timedelta(hours=3, minutes=5), tick=False):
        console.force_login(world.admin)
        assert rows(console, "?overdue=on") == ["read", "write"]
        assert "overdue by 2 h" in text_of(console.get("/"))


def test_the_inbox_narrows_by_tags_of_servers(world: World, console: Client) -> None:
    world.register("mail", tags=["payments"])
    world.show([tool("send")], "mail")
    assert rows(console, "?tag=payments") == rows(console, "?tag=Payments&state=open") == ["send"]
    assert rows(console, "?tag=pay") == rows(console, "?tag=payments&server=files") == []
    assert "reviews/?state=waiting&amp;snoozed=false&amp;tag=payments" in console.get("/?tag=payments").content.decode()
    found = Api(person_with(Permission.REVIEW_READ)).get("reviews/?tag=payments").json()["results"]
    assert [(item["server"], item["name"]) for item in found] == [("mail", "send")]
    world.approve("send", "mail")
    assert rows(console, "?tag=payments&state=approved") == ["send"]
    assert rows(console, "?tag=other&state=approved") == []


def same_at(world: World, *slugs: str) -> None:
    """The first tool waits at more servers."""
    for slug in slugs:
        world.register(slug)
        world.show(world.tools[:1], slug=slug)


def folded_row(console: Client, query: str = "") -> str:
    """What the box of the row sends that stands for several."""
    boxes = Page(console.get(f"/{query}").content.decode()).named("input")
    (value,) = (box["value"] for box in boxes if box.get("name") == "review" and box["value"].count(" ") == 2)
    return value


def test_the_same_change_at_several_servers_is_one_row_that_leads_to_each(world: World, console: Client) -> None:
    same_at(world, "alpha", "beta", "gamma")
    assert rows(console) == ["read", "write"]
    page = Page(console.get("/").content.decode())
    assert "at 4 servers: files, alpha, beta and 1 more" in page.text
    (link,) = {link["href"] for link in page.named("a") if "identical_to=" in link.get("href", "")}
    assert rows(console, link.removeprefix("/")) == ["read"] * 4
    assert "Only reviews of this very change" in text_of(console.get(link))
    assert rows(console, "?server=beta") == ["read"]
    assert "the same waits at 3 other servers" in text_of(console.get("/?server=beta"))


def test_the_page_of_one_leads_to_the_others(world: World, console: Client) -> None:
    same_at(world, "alpha", "beta")
    review = world.waiting("write")
    assert "the same waits" not in text_of(console.get(f"/reviews/{review.public_id}/"))
    alpha = Review.objects.get(definition__server__slug="alpha")
    page = Page(console.get(f"/reviews/{alpha.public_id}/").content.decode())
    assert "the same waits at 2 other servers" in page.text
    assert f"/?identical_to={alpha.public_id}&state=open" in [link.get("href") for link in page.named("a")]


def test_a_decided_row_keeps_the_others_together(world: World, console: Client) -> None:
    same_at(world, "alpha", "beta")
    first = world.waiting("read")
    world.approve("read")
    assert rows(console) == ["read", "write"]
    assert "at 2 servers: alpha, beta" in text_of(console.get("/"))
    assert rows(console, f"?identical_to={first.public_id}") == ["read"] * 2


def test_what_one_look_brought_is_a_list_of_its_own(world: World, console: Client) -> None:
    same_at(world, "alpha")
    world.show([*world.tools, tool("third")])
    page = Page(console.get("/").content.decode())
    assert page.text.count("all 2 of this look") == 1  # beside the first of them: no row but it needs another stop
    (link,) = {link["href"] for link in page.named("a") if "look=" in link.get("href", "")}
    assert sorted(rows(console, link.removeprefix("/"))) == ["read", "write"]
    said = text_of(console.get(link))
    assert "Only what one look at one server brought" in said
    assert "of this look" not in said


def test_a_folded_row_is_decided_review_by_review_after_a_look_at_each(world: World, console: Client) -> None:
    same_at(world, "alpha", "beta")
    sent = {"review": folded_row(console), "verdict": "approve", "reason": "Known.", "confirmed": "on"}
    page = Page(console.post("/reviews/decide/", sent).content.decode())
    assert "Approve 3 reviews?" in page.text
    assert not Pin.objects.exists()
    each = [box["value"] for box in page.named("input") if box.get("name") == "review"]
    assert "3 of 3 decided" in text_of(console.post("/reviews/decide/", {**sent, "review": each}))
    decided = Record.objects.filter(event="review.decided")
    assert (decided.count(), len(set(decided.values_list("batch_id", flat=True)))) == (3, 1)
    assert rows(console) == ["write"]


def test_a_folded_critical_change_is_not_approved_together(world: World, console: Client) -> None:
    world.tools[0] = tool("tagged", "Hello\U000e0041\U000e0042")
    world.show(world.tools)
    same_at(world, "alpha")
    sent = {"review": folded_row(console), "verdict": "approve", "reason": "Known."}
    said = text_of(console.post("/reviews/decide/", sent))
    assert "Approve 0 reviews?" in said
    assert said.count("never approved in bulk") == 2


def test_a_folded_row_is_put_off_and_given_within_its_list(world: World, console: Client) -> None:
    same_at(world, "alpha", "beta")
    console.post("/reviews/assign/", {"review": chosen(world.waiting("read")), "to": "me"})
    console.post("/reviews/snooze/?assignee=nobody", {"review": folded_row(console, "?assignee=nobody"), "until": "3"})
    assert rows(console) == ["read", "write"]
    assert rows(console, "?state=snoozed") == ["read"]
    assert "at 2 servers: alpha, beta" in text_of(console.get("/?state=snoozed"))
    said = text_of(
        console.post("/reviews/wake/?state=snoozed", {"review": folded_row(console, "?state=snoozed")}, follow=True)
    )
    assert "2 reviews are back in the list" in said


def test_rows_are_counted_as_reviews_and_paged_as_rows(
    world: World, console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    same_at(world, "alpha", "beta")
    monkeypatch.setattr("tools.views.inbox_page.PAGE_SIZE", 1)
    said = text_of(console.get("/"))
    assert "Page 1 of 2" in said
    assert "all 4 that match" in said
    assert rows(console, "?page=2") == ["write"]


def test_more_than_may_be_decided_at_once_are_cut_and_say_so(
    world: World, console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    same_at(world, "alpha", "beta")
    monkeypatch.setattr("tools.views.bulk.BULK_MAX", 2)
    sent = {"review": folded_row(console), "verdict": "reject", "reason": "No."}
    said = text_of(console.post("/reviews/decide/", sent))
    assert "Reject 2 reviews?" in said
    assert "these are the first 2" in said


def test_a_view_is_kept_under_a_name_and_is_its_person_s_own(world: World, console: Client) -> None:
    sent = {"name": "My tools", "kind": "tool", "assignee": "me", "state": "waiting"}
    assert console.post("/reviews/views/save/", sent)["Location"] == "/?kind=tool&assignee=me"
    link = next(
        link for link in Page(console.get("/").content.decode()).named("a") if "kind=tool" in link.get("href", "")
    )
    assert parse_qs(urlsplit(link["href"]).query) == {"kind": ["tool"], "assignee": ["me"]}
    other = signed_in(administrator(username="bea"))
    assert "My tools" not in text_of(other.get("/"))
    (view,) = SavedSearch.objects.all()
    assert other.post(f"/reviews/views/{view.public_id}/remove/").status_code == 404
    assert (
        "the view is removed" in text_of(console.post(f"/reviews/views/{view.public_id}/remove/", follow=True)).lower()
    )
    assert not SavedSearch.objects.exists()


def test_a_shared_view_is_shown_to_others_with_its_owner_and_goes_by_who_may_read_all(
    world: World, console: Client
) -> None:
    console.post("/reviews/views/save/", {"name": "Ours", "kind": "tool", "shared": "on"})
    (view,) = SavedSearch.objects.all()
    reader = signed_in(person_with(*READS))
    assert "Ours shared by ada" in text_of(reader.get("/"))
    assert "Ours shared" in text_of(console.get("/"))
    assert "Ours" not in text_of(console.get("/audit/"))
    owner = MembershipFactory.create().person
    GrantFactory.create(role=Role.objects.get(name="owner"), person=owner)  # of what their team owns
    of_team = signed_in(owner)
    assert "Ours shared by ada" in text_of(of_team.get("/"))
    assert f"/reviews/views/{view.public_id}/remove/" not in of_team.get("/?kind=tool").content.decode()
    assert of_team.post(f"/reviews/views/{view.public_id}/remove/").status_code == 403
    assert reader.post(f"/reviews/views/{view.public_id}/remove/").status_code == 302
    assert not SavedSearch.objects.exists()


@pytest.mark.parametrize("sent", [{"name": "x"}, {"name": "", "kind": "tool"}, {"kind": "tool"}])
def test_a_view_needs_a_name_and_a_filter(world: World, console: Client, sent: dict[str, str]) -> None:
    console.post("/reviews/views/save/", sent)
    assert not SavedSearch.objects.exists()


def test_the_log_and_the_inbox_do_not_show_each_other_s_searches(world: World, console: Client) -> None:
    console.post("/reviews/views/save/", {"name": "Of reviews", "kind": "tool"})
    console.post("/audit/searches/save/", {"name": "Of the log", "decision": "denied"})
    assert "Of reviews" not in text_of(console.get("/audit/"))
    assert "Of the log" not in text_of(console.get("/"))


def test_several_are_shown_before_they_are_decided(world: World, console: Client) -> None:
    world.show([*world.tools, tool("tagged", "Hello\U000e0041\U000e0042")])
    wanted = chosen(*(world.waiting(name) for name in ("read", "write", "tagged")))
    response = console.post("/reviews/decide/", {"review": wanted, "verdict": "approve", "reason": "Known."})
    page = Page(response.content.decode())
    assert "Approve 2 reviews?" in page.text
    assert "never approved in bulk" in page.text
    assert [box["value"] for box in page.named("input") if box.get("name") == "review"] == wanted[:2]
    assert not Pin.objects.exists()


def test_who_registered_the_server_is_told_before_that_two_others_have_to(world: World, console: Client) -> None:
    edit_server(slug="files", changes={"required_approvals": 2}, actor=world.actor)
    sent = {"review": chosen(world.waiting()), "verdict": "approve", "reason": "Known."}
    assert "two others have to" in text_of(console.post("/reviews/decide/", sent))
    other = signed_in(person_with(*READS, Permission.REVIEW_DECIDE))
    said = text_of(other.post("/reviews/decide/", sent))
    assert "Approve 1 review?" in said
    assert "One more person has to approve it too" in said


def test_all_that_match_are_shown_and_not_only_those_of_the_page(
    world: World, console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.views.inbox_page.PAGE_SIZE", 1)
    assert "all 2 that match" in text_of(console.get("/"))
    response = console.post("/reviews/decide/?kind=tool", {"all": "on", "verdict": "reject", "reason": "No."})
    page = Page(response.content.decode())
    assert "Reject 2 reviews?" in page.text
    assert "/reviews/decide/?kind=tool" in [form["action"] for form in page.named("form") if "action" in form]
    put_off(world, "read")
    response = console.post("/reviews/decide/", {"all": "on", "verdict": "reject", "reason": "No."})
    assert "Reject 1 review?" in text_of(response)


def test_what_was_decided_together_is_taken_back_by_events_of_its_own(world: World, console: Client) -> None:
    both = chosen(world.waiting("read"), world.waiting("write"))
    sent = {"review": both, "verdict": "approve", "reason": "Known.", "confirmed": "on"}
    page = Page(console.post("/reviews/decide/", sent).content.decode())
    undo = [box["value"] for box in page.named("input") if box.get("name") == "review"]
    assert undo == both
    response = console.post("/reviews/undo/", {"review": undo, "reason": "Too fast."})
    assert "2 of 2 taken back" in text_of(response)
    assert not Pin.objects.live().exists()
    assert rows(console) == ["read", "write"]
    ended = Record.objects.filter(event="pin.ended")
    assert (ended.count(), len(set(ended.values_list("batch_id", flat=True)))) == (2, 1)
    assert Record.objects.filter(event="review.decided").count() == 2


def test_rejections_are_opened_again_together(world: World, console: Client) -> None:
    sent = {"review": chosen(world.waiting()), "verdict": "reject", "reason": "No.", "confirmed": "on"}
    console.post("/reviews/decide/", sent)
    assert rows(console) == ["write"]
    assert "1 of 1 taken back" in text_of(console.post("/reviews/undo/", {"review": sent["review"], "reason": "Yes."}))
    assert sorted(rows(console)) == ["read", "write"]


def test_what_waits_has_nothing_to_take_back(world: World, console: Client) -> None:
    said = text_of(console.post("/reviews/undo/", {"review": chosen(world.waiting()), "reason": "Why not."}))
    assert "there is no approval or rejection to take back" in said
    assert console.post("/reviews/undo/", {"review": chosen(world.waiting()), "reason": ""}).status_code == 422


def test_the_page_of_a_review_leads_to_its_neighbours_in_the_same_list(world: World, console: Client) -> None:
    world.show([*world.tools, tool("third", "Reads a third file.")])
    names = rows(console)
    assert len(names) == 3

    def beside(name: str, query: str = "") -> dict[str, str]:
        page = Page(console.get(f"/reviews/{world.waiting(name).public_id}/{query}").content.decode())
        links = {link["rel"]: link["href"] for link in page.named("a") if link.get("rel") in ("prev", "next")}
        return {rel: Review.objects.get(public_id=href.split("/")[2]).definition.name for rel, href in links.items()}

    assert beside(names[0]) == {"next": names[1]}
    assert beside(names[1]) == {"prev": names[0], "next": names[2]}
    assert beside(names[2]) == {"prev": names[1]}
    assign_review(review_id=world.waiting(names[2]).public_id, assignee="ada", actor=world.actor)
    assert beside(names[0], "?assignee=me") == {"next": names[2]}
    assert beside(names[2], "?assignee=me") == {}


def test_neighbours_of_what_is_decided_stand_in_the_order_of_decisions(world: World, console: Client) -> None:
    for name in ("read", "write"):
        found = world.waiting(name)
        decide_review(
            review_id=found.public_id, verdict="reject", digest=found.version.digest, reason="No.", actor=world.actor
        )
    newest = Review.objects.get(definition__name="write", state="rejected")
    page = Page(console.get(f"/reviews/{newest.public_id}/?state=rejected").content.decode())
    assert [link["rel"] for link in page.named("a") if link.get("rel") in ("prev", "next")] == ["next"]


def test_a_decision_leads_back_to_the_review_within_its_list(world: World, console: Client) -> None:
    review = world.waiting()
    sent = {"digest": review.version.digest, "verdict": "approve", "reason": "Read it."}
    path = f"/reviews/{review.public_id}/?kind=tool"
    assert console.post(path, sent)["Location"] == path
    page = Page(console.get(path).content.decode())
    assert "/?kind=tool" in [link["href"] for link in page.named("a")]


def test_comments_are_plain_text_in_a_thread(world: World, console: Client) -> None:
    path = f"/reviews/{world.waiting().public_id}/"
    for text in ("<b>Who</b> asked for this?", "https://example.org/ticket"):
        assert console.post(f"{path}comment/", {"text": text, "next": path})["Location"] == path
    page = Page(console.get(path).content.decode())
    assert page.text.index("<b>Who</b> asked for this?") < page.text.index("https://example.org/ticket")
    assert not page.named("b")
    assert "https://example.org/ticket" not in [link.get("href") for link in page.named("a")]


def test_who_may_only_read_reads_comments_and_writes_none(world: World, console: Client) -> None:
    review = world.waiting()
    console.post(f"/reviews/{review.public_id}/comment/", {"text": "Seen."})
    reader = signed_in(person_with(*READS))
    page = Page(reader.get(f"/reviews/{review.public_id}/").content.decode())
    assert "Seen." in page.text
    assert not page.named("textarea")
    assert reader.post(f"/reviews/{review.public_id}/comment/", {"text": "Me too."}).status_code == 403


def test_four_eyes_are_told_in_words(world: World, console: Client) -> None:
    edit_server(slug="files", changes={"required_approvals": 2}, actor=world.actor)
    review = world.waiting()
    path = f"/reviews/{review.public_id}/"
    assert "0 of 2. You registered this server" in text_of(console.get(path))
    first, second = (signed_in(person_with(*READS, Permission.REVIEW_DECIDE)) for _ in range(2))
    assert "0 of 2. Yours would be the first" in text_of(first.get(path))
    first.post(path, {"digest": review.version.digest, "verdict": "approve", "reason": "Read."})
    assert "1 of 2. You have decided, so you cannot be the second." in text_of(first.get(path))
    assert "1 of 2. Yours would be the second, and closes it." in text_of(second.get(path))


def test_a_text_is_shown_raw_visible_and_escaped(world: World, console: Client) -> None:
    world.show([*world.tools, tool("odd", "abc\u202edef")])
    path = f"/reviews/{world.waiting('odd').public_id}/"
    assert "\u202e" not in console.get(path).content.decode()
    assert "abc\u202edef" in console.get(f"{path}?text=raw").content.decode()
    escaped = console.get(f"{path}?text=escaped").content.decode()
    assert r"abc\u202edef" in escaped
    assert "\u202e" not in console.get(f"{path}?text=nonsense").content.decode()


def test_the_page_says_what_the_model_sees_and_how_much_more_it_is(world: World, console: Client) -> None:
    world.approve("read")
    world.show([tool("read", "Reads a file." + " And more of it." * 10), world.tools[1]])
    said = text_of(console.get(f"/reviews/{world.waiting().public_id}/"))
    assert "What the model sees" in said
    assert "40 more than approved" in said
