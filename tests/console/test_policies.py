"""Writing, trying, signing and disabling change policies in the console."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from access.models import Person
from core.permissions import Permission
from tests.console.world import HOSTILE, Page, World, tool
from tests.factories import person_with
from tools.models import ChangePolicy, PolicyRevision, Review

RULE = {"classes": ["wording"], "environments": ["development"], "text_max": "20", "days": "30"}
WRITTEN = {**RULE, "name": "small words", "why": "Tired of typing mistakes."}


def signed_in(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def text_of(response: Any) -> str:
    return Page(response.content.decode()).text


def url(name: str, policy: ChangePolicy, *more: int) -> str:
    return reverse(f"tools:{name}", args=[policy.public_id, *more])


@pytest.fixture
def policy(console: Client) -> ChangePolicy:
    assert "approves nothing until it is put in force" in text_of(
        console.post("/policies/write/", WRITTEN, follow=True)
    )
    return ChangePolicy.objects.get()


@pytest.fixture
def enforced(console: Client, policy: ChangePolicy) -> ChangePolicy:
    console.post(url("enable_policy", policy, 1), {"reason": "Tried it."})
    return policy


def changed(world: World) -> Review:
    """A small change of what people approved."""
    world.approve("read")
    world.show([tool("read", "Reads one file."), world.tools[1]])
    return Review.objects.filter(definition__name="read").latest("pk")


def test_an_empty_list_says_what_a_policy_is_for(world: World, console: Client) -> None:
    page = Page(console.get("/policies/").content.decode())
    assert "No policy is written" in page.text
    assert "/policies/write/" in [link.get("href") for link in page.named("a")]
    reader = signed_in(person_with(Permission.POLICY_READ))
    assert "/policies/write/" not in reader.get("/policies/").content.decode()


def test_a_policy_is_written_put_in_force_and_decides(world: World, console: Client, policy: ChangePolicy) -> None:
    assert "off" in text_of(console.get("/policies/"))
    response = console.post(url("enable_policy", policy, 1), {"reason": "Tried it."}, follow=True)
    assert "in force from the next look" in text_of(response)
    review = changed(world)
    assert review.state == "approved"
    shown = text_of(console.get(url("policy", policy)))
    assert "policy small words revision 1: wording" in shown
    assert "Withdraw" in shown
    assert "small words" in text_of(console.get(f"/reviews/{review.public_id}/"))


def test_what_is_missing_is_asked_for_at_its_field(world: World, console: Client) -> None:
    for field, sent in (
        ("name", {**WRITTEN, "name": ""}),
        ("why", {**WRITTEN, "why": " "}),
        ("classes", {**WRITTEN, "classes": []}),
        ("classes", {**WRITTEN, "classes": ["instructions"]}),
        ("text_max", {**WRITTEN, "text_max": "0"}),
        ("text_max", {**WRITTEN, "text_max": "201"}),
        ("environments", {**WRITTEN, "environments": ["production"]}),
        ("servers", {**WRITTEN, "servers": "absent"}),
        ("servers", {**WRITTEN, "servers": "No Slug"}),
    ):
        response = console.post("/policies/write/", sent)
        assert response.status_code == 422, sent
        assert f'id="id_{field}_error"' in response.content.decode(), sent
    assert not ChangePolicy.objects.exists()


def test_a_rule_is_tried_before_it_has_a_name(world: World, console: Client) -> None:
    review = changed(world)
    response = console.post("/policies/write/", {**RULE, "try": "1"})
    assert response.status_code == 200
    page = Page(response.content.decode())
    assert "It would have approved 1 of 1 changes of the last 30 days" in page.text
    assert f"/reviews/{review.public_id}/" in [link.get("href") for link in page.named("a")]
    assert not ChangePolicy.objects.exists()


def test_a_trial_says_where_people_decided_otherwise(world: World, console: Client) -> None:
    review = changed(world)
    sent = {"digest": review.version.digest, "verdict": "reject", "reason": "Wrong."}
    console.post(f"/reviews/{review.public_id}/", sent)
    assert "People rejected 1 of them" in text_of(console.post("/policies/write/", {**RULE, "try": "1"}))
    world.show([tool("read", "Reads some file."), world.tools[1]])
    shown = text_of(console.post("/policies/write/", {**RULE, "try": "1"}))
    assert "Somebody rejected this text, or another form of this definition. (1)" in shown


def test_a_trial_of_a_flawed_rule_says_what_is_wrong(world: World, console: Client) -> None:
    response = console.post("/policies/write/", {**RULE, "environments": ["production"], "try": "1"})
    assert response.status_code == 422
    assert "for development only" in text_of(response)


def test_a_revision_begins_with_the_newest_rule_and_waits_to_be_put_in_force(
    world: World, console: Client, enforced: ChangePolicy
) -> None:
    page = Page(console.get(url("revise_policy", enforced)).content.decode())
    ticked = {box["value"] for box in page.named("input") if box.get("type") == "checkbox" and "checked" in box}
    assert ticked == {"wording", "development"}
    tried = console.post(url("revise_policy", enforced), {**RULE, "try": "1"})
    assert "No approved definition that you may see changed" in text_of(tried)
    response = console.post(url("revise_policy", enforced), {**RULE, "text_max": "40", "why": "More."}, follow=True)
    assert "Revision 2 is written" in text_of(response)
    enforced.refresh_from_db()
    assert enforced.in_force is not None
    assert enforced.in_force.n == 1


def test_another_person_confirms(world: World, console: Client, policy: ChangePolicy) -> None:
    confirm = url("confirm_revision", policy, 1)
    assert confirm not in console.get(url("policy", policy)).content.decode()
    assert console.post(confirm, {"reason": "Mine."}).status_code == 403
    manager = signed_in(person_with(Permission.POLICY_MANAGE, Permission.POLICY_READ))
    assert confirm not in manager.get(url("policy", policy)).content.decode()
    assert manager.post(confirm, {"reason": "I read it."}).status_code == 403
    other = signed_in(person_with(Permission.POLICY_MANAGE, Permission.POLICY_READ, Permission.REVIEW_DECIDE))
    assert confirm in other.get(url("policy", policy)).content.decode()
    assert "decides as two people" in text_of(other.post(confirm, {"reason": "I read it."}, follow=True))
    assert "confirmed already" in text_of(other.post(confirm, {"reason": "Again."}, follow=True))


def test_disabling_says_that_what_it_approved_stays(world: World, console: Client, enforced: ChangePolicy) -> None:
    changed(world)
    response = console.post(url("disable_policy", enforced), {"reason": "Enough."}, follow=True)
    assert "stays approved until you withdraw it" in text_of(response)
    assert "read" in text_of(response)
    assert "1 to 2000 characters" in text_of(console.post(url("disable_policy", enforced), {"reason": ""}, follow=True))


def test_what_it_approved_on_servers_of_others_is_not_shown(
    world: World, console: Client, enforced: ChangePolicy
) -> None:
    changed(world)
    reader = signed_in(person_with(Permission.POLICY_READ))
    shown = text_of(reader.get(url("policy", enforced)))
    assert "Nothing on servers that you may see" in shown


def test_who_may_only_read_changes_nothing(world: World, console: Client, policy: ChangePolicy) -> None:
    reader = signed_in(person_with(Permission.POLICY_READ))
    assert reader.get(url("policy", policy)).status_code == 200
    for name, more in (("enable_policy", (1,)), ("confirm_revision", (1,)), ("disable_policy", ())):
        assert reader.post(url(name, policy, *more), {"reason": "x"}).status_code == 403, name
        assert console.get(url(name, policy, *more)).status_code == 405, name
    assert reader.get(url("revise_policy", policy)).status_code == 403
    policy.refresh_from_db()
    assert policy.in_force is None


def test_what_does_not_exist_is_404(world: World, console: Client, policy: ChangePolicy) -> None:
    for path in ("", "revise/"):
        assert console.get(f"/policies/01900000-0000-7000-8000-000000000000/{path}").status_code == 404
    assert console.post(url("enable_policy", policy, 9), {"reason": "x"}).status_code == 404
    assert console.post(url("enable_policy", policy, 2**70), {"reason": "x"}).status_code == 404


def test_hostile_names_are_text(world: World, console: Client, enforced: ChangePolicy) -> None:
    names = [*HOSTILE, "a" * 2_000]
    items = [tool(name, "Reads a file.") for name in names]
    world.show(items)
    for name in names:
        world.approve(name)
    world.show([tool(name, "Reads one file.") for name in names])
    for response in (
        console.get(url("policy", enforced)),
        console.post("/policies/write/", {**RULE, "try": "1"}),
    ):
        page = Page(response.content.decode())
        assert page.inline == []
        assert not [image for image in page.named("img") if image.get("src") == "x"]
        assert "hacked" in page.text


def test_the_pages_cost_no_more_with_more_rows(world: World, console: Client, enforced: ChangePolicy) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert console.get(path).status_code == 200
        return len(captured)

    changed(world)
    pages = ["/policies/", url("policy", enforced)]
    few = [queries(path) for path in pages]
    for number in range(5):
        world.show([tool(f"t{number}"), *world.tools])
        world.approve(f"t{number}")
        world.show([tool(f"t{number}", "Reads one file."), *world.tools])
        console.post("/policies/write/", {**WRITTEN, "name": f"p{number}"})
        console.post(url("revise_policy", enforced), {**RULE, "why": "Again."})
    assert PolicyRevision.objects.count() == 11
    assert [queries(path) for path in pages] == few
