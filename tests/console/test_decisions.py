"""Opening again, breaking the glass, withdrawing, going back: as the console's pages do it."""

from dataclasses import replace

import pytest
from django.test import Client

from core.permissions import Permission
from servers.models import Server
from servers.services import edit_server
from tests.console.test_reviews import READS, decision, signed_in, text_of
from tests.console.world import POLLER, Page, World, surface, tool
from tests.factories import person_with
from tools.models import BreakGlass, Pin, Review
from tools.services import sight

DECIDES = (*READS, Permission.REVIEW_DECIDE)


def actions(html: str) -> set[str]:
    return {form.get("action", "") for form in Page(html).named("form") if form.get("method") == "post"}


def page_of(review: Review) -> str:
    return f"/reviews/{review.public_id}/"


def reject(world: World, console: Client) -> Review:
    review = world.waiting()
    console.post(page_of(review), decision(review, "reject"))
    return review


def glass(review: Review, **values: str) -> dict[str, str]:
    return {"digest": review.version.digest, "hours": "4", "reason": "Production is down.", **values}


class TestOpeningAgain:
    def test_a_rejected_review_offers_it_and_leads_to_the_new_one(self, world: World, console: Client) -> None:
        rejected = reject(world, console)
        url = f"{page_of(rejected)}reopen/"
        assert url in actions(console.get(page_of(rejected)).content.decode())
        response = console.post(url, {"reason": "They answered."}, follow=True)
        assert response.request["PATH_INFO"] == page_of(world.waiting())
        text = text_of(response)
        assert "It waits for a decision again" in text
        assert "Opened again after a rejection" in text
        assert url not in actions(console.get(page_of(rejected)).content.decode())

    def test_a_refusal_is_said_on_the_page_that_it_is_about(self, world: World, console: Client) -> None:
        rejected = reject(world, console)
        world.show([tool("read", "Something else."), world.tools[1]])
        response = console.post(f"{page_of(rejected)}reopen/", {"reason": "They answered."}, follow=True)
        assert response.request["PATH_INFO"] == page_of(rejected)
        assert "shows something else by now" in text_of(response)

    def test_who_only_reads_is_not_offered_it_and_is_refused(self, world: World, console: Client) -> None:
        rejected = reject(world, console)
        reader = signed_in(person_with(*READS))
        url = f"{page_of(rejected)}reopen/"
        assert url not in actions(reader.get(page_of(rejected)).content.decode())
        assert reader.post(url, {"reason": "x"}).status_code == 403


class TestDismissing:
    @pytest.fixture
    def different(self, world: World) -> Review:
        world.approve()
        shown = surface([tool("read", "Only for agents."), world.tools[1]])
        sight(server=Server.objects.get(), surface=replace(shown, vantage="agent:robot"), actor=POLLER)
        return world.waiting()

    def test_what_only_agents_were_shown_is_dismissed_not_approved(self, different: Review, console: Client) -> None:
        page = Page(console.get(page_of(different)).content.decode())
        verdicts = {values["value"] for values in page.named("input") if values.get("name") == "verdict"}
        assert verdicts == {"dismiss", "reject"}
        assert not [action for action in actions(console.get(page_of(different)).content.decode()) if "glass" in action]
        response = console.post(page_of(different), decision(different, "dismiss"), follow=True)
        assert "Dismissed. What is approved is served on." in text_of(response)
        assert "dismissed" in text_of(console.get("/?state=dismissed"))

    def test_approving_it_all_the_same_is_refused(self, different: Review, console: Client) -> None:
        response = console.post(page_of(different), decision(different))
        assert response.status_code == 409
        assert "not approved" in text_of(response)

    def test_the_first_of_two_is_told_that_another_person_has_to(self, different: Review, world: World) -> None:
        edit_server(slug="files", changes={"required_approvals": 2}, actor=world.actor)
        first = signed_in(person_with(*DECIDES))
        text = text_of(first.post(page_of(different), decision(different, "dismiss"), follow=True))
        assert "another person has to dismiss it as well" in text
        assert "1 of 2" in text

    def test_what_everybody_is_shown_cannot_be_dismissed(self, world: World, console: Client) -> None:
        page = Page(console.get(page_of(world.waiting())).content.decode())
        verdicts = {values["value"] for values in page.named("input") if values.get("name") == "verdict"}
        assert verdicts == {"approve", "reject"}


class TestBreakingTheGlass:
    @pytest.fixture(autouse=True)
    def somebody_to_tell(self, world: World) -> None:
        person_with(*DECIDES, Permission.ALERT_READ, username="carla")

    def test_it_is_warned_of_done_and_then_shown_to_everybody_who_reads_reviews(
        self, world: World, console: Client
    ) -> None:
        review = world.waiting()
        assert "although it is not approved" in text_of(console.get(page_of(review)))
        response = console.post(f"{page_of(review)}break-glass/", glass(review), follow=True)
        assert "Agents get this version until" in text_of(response)
        reader = signed_in(person_with(*READS))
        for url in ("/", page_of(review), page_of(world.waiting("read"))):
            html = reader.get(url).content.decode()
            text = Page(html).text
            assert "Emergency: agents get what is not approved." in text, url
            assert "Production is down." in text
            assert "ada broke the glass" in text
            assert page_of(review) in [link.get("href") for link in Page(html).named("a")]
            assert not [action for action in actions(html) if "end-glass" in action]
        assert "Emergency:" not in text_of(reader.get(page_of(world.waiting("write"))))

    def test_it_is_ended_from_the_notice(self, world: World, console: Client) -> None:
        review = world.waiting()
        console.post(f"{page_of(review)}break-glass/", glass(review))
        url = f"/definitions/{review.definition.public_id}/end-glass/"
        assert url in actions(console.get("/").content.decode())
        response = console.post(url, {"reason": "Over.", "next": "/"}, follow=True)
        assert response.request["PATH_INFO"] == "/"
        assert "The emergency is over" in text_of(response)
        assert "Emergency:" not in text_of(console.get("/"))

    def test_the_server_that_moved_on_is_said(self, world: World, console: Client) -> None:
        review = world.waiting()
        console.post(f"{page_of(review)}break-glass/", glass(review))
        world.show([tool("read", "Something else."), world.tools[1]])
        assert "the server shows something else now" in text_of(console.get("/"))

    @pytest.mark.parametrize(
        ("values", "status"), [({"reason": " "}, 422), ({"hours": "48"}, 422), ({"digest": "x"}, 409)]
    )
    def test_what_is_amiss_is_said_in_its_form_and_the_words_are_kept(
        self, world: World, console: Client, values: dict[str, str], status: int
    ) -> None:
        review = world.waiting()
        response = console.post(f"{page_of(review)}break-glass/", glass(review, **values))
        assert response.status_code == status
        html = response.content.decode()
        assert "details" in {tag for tag, attributes in Page(html).tags if "open" in attributes}
        assert ("Production is down." in html) is ("reason" not in values)
        assert not BreakGlass.objects.exists()

    def test_it_is_offered_to_whom_it_is_allowed(self, world: World) -> None:
        review = world.waiting()
        url = f"{page_of(review)}break-glass/"
        decider = signed_in(person_with(*DECIDES))
        assert url not in actions(decider.get(page_of(review)).content.decode())
        assert decider.post(url, glass(review)).status_code == 403
        breaker = signed_in(person_with(*READS, Permission.REVIEW_BREAK_GLASS))
        assert url in actions(breaker.get(page_of(review)).content.decode())
        assert breaker.post(url, glass(review)).status_code == 302

    def test_its_alert_is_for_another_person(self, world: World, console: Client) -> None:
        review = world.waiting()
        console.post(f"{page_of(review)}break-glass/", glass(review))
        world.settle()
        mine = text_of(console.get("/alerts/?kind=break_glass"))
        assert "You caused it: another person looks after it." in mine
        other = signed_in(person_with(Permission.ALERT_READ, Permission.ALERT_ACKNOWLEDGE))
        html = other.get("/alerts/?kind=break_glass").content.decode()
        assert [action for action in actions(html) if "acknowledge" in action]


class TestPins:
    def test_an_approval_is_withdrawn_on_its_review(self, world: World, console: Client) -> None:
        review = world.approve()
        url = f"/definitions/{review.definition.public_id}/withdraw/"
        assert url in actions(console.get(page_of(review)).content.decode())
        sent = {"digest": review.version.digest, "reason": "It leaks.", "next": page_of(review)}
        response = console.post(url, sent, follow=True)
        assert response.request["PATH_INFO"] == page_of(review)
        assert "Withdrawn." in text_of(response)
        assert not Pin.objects.live().exists()
        assert url not in actions(console.get(page_of(review)).content.decode())

    def test_an_earlier_version_is_returned_to_on_its_review(self, world: World, console: Client) -> None:
        earlier = world.approve()
        world.show([tool("read", "Newer."), world.tools[1]])
        newer = world.approve()
        url = f"/definitions/{earlier.definition.public_id}/return/"
        html = console.get(page_of(earlier)).content.decode()
        assert url in actions(html)
        sent = {
            values["name"]: values["value"] for values in Page(html).named("input") if "expected_pin" in str(values)
        }
        assert sent == {"expected_pin": newer.version.digest}
        sent |= {"digest": earlier.version.digest, "reason": "The new one fails."}
        assert "Approved as before" in text_of(console.post(url, sent, follow=True))
        assert Pin.objects.live().get().version == earlier.version
        assert url not in actions(console.get(page_of(earlier)).content.decode())

    def test_the_definitions_page_offers_what_can_be_done_with_each_pin(self, world: World, console: Client) -> None:
        earlier = world.approve()
        world.show([tool("read", "Newer."), world.tools[1]])
        newer = world.approve()
        url = f"/definitions/{earlier.definition.public_id}/"
        html = console.get(url).content.decode()
        assert {f"{url}withdraw/", f"{url}return/"} <= actions(html)
        named = [(values["name"], values["value"]) for values in Page(html).named("input") if "value" in values]
        assert named.count(("digest", newer.version.digest)) == named.count(("digest", earlier.version.digest)) == 1
        assert ("expected_pin", newer.version.digest) in named
        assert not {f"{url}withdraw/", f"{url}return/"} & actions(
            signed_in(person_with(*READS)).get(url).content.decode()
        )

    @pytest.mark.parametrize("action", ["withdraw", "return", "end-glass"])
    def test_what_cannot_be_done_is_said_and_changes_nothing(self, world: World, console: Client, action: str) -> None:
        review = world.approve()
        url = f"/definitions/{review.definition.public_id}/{action}/"
        for sent in ({"digest": "x", "reason": "x"}, {"reason": ""}, {"digest": review.version.digest}):
            assert console.post(url, {**sent, "next": "/"}).status_code == 302
            assert 'class="notice notice--danger"' in console.get("/").content.decode()
        assert Pin.objects.live().count() == 1
        assert signed_in(person_with(*READS)).post(url, {"digest": "x", "reason": "x"}).status_code == 403

    def test_another_site_is_not_led_to(self, world: World, console: Client) -> None:
        review = world.approve()
        sent = {"digest": review.version.digest, "reason": "It leaks.", "next": "https://evil.example/"}
        response = console.post(f"/definitions/{review.definition.public_id}/withdraw/", sent)
        assert response["Location"] == f"/definitions/{review.definition.public_id}/"
