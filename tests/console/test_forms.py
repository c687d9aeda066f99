"""Forms of the console: what they do, what they say when something is wrong."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password
from django.test import Client
from django.utils import timezone

from access.models import Agent, Grant, Person, Role, RoleSeparation
from access.services import create_role
from alerts.models import Alert, Channel
from audit.models import Record
from servers.forms import ServerForm
from servers.limits import DEFAULTS, LIMITS, CallLimits
from servers.models import Server
from tests.console.world import Page, World
from tests.factories import PersonFactory
from tools.services import retire

PASSWORD = "a long enough password"
SERVER = {
    "slug": "crm",
    "name": "Customers",
    "url": "http://127.0.0.1:9/crm",
    "environment": "staging",
    "team": "",
    "required_approvals": "2",
    "poll_interval": "60",
}


def text_of(response: Any) -> str:
    return Page(response.content.decode()).text


@pytest.fixture
def ada(db: None) -> Person:
    person = PersonFactory.create(username="ada")
    person.set_password(PASSWORD)
    person.save()
    return person


# --- the session ----------------------------------------------------------------------------------------------


def test_signing_in_starts_a_new_session_and_goes_where_the_reader_was_going(ada: Person) -> None:
    client = Client()
    client.get("/sign-in/")
    session = client.session
    session["before"] = True
    session.save()
    before = session.session_key
    client.cookies["session"] = str(before)
    response = client.post("/sign-in/", {"username": "ada", "password": PASSWORD, "next": "/agents/"})
    assert response.status_code == 302
    assert response["Location"] == "/agents/"
    assert client.session.session_key != before


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_signing_in_never_leaves_this_console(ada: Person, target: str) -> None:
    response = Client().post("/sign-in/", {"username": "ada", "password": PASSWORD, "next": target})
    assert response["Location"] == "/"


@pytest.mark.parametrize(("username", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("", ""), ("a\0b", "x")])
def test_a_failed_sign_in_says_so_and_tells_no_more(ada: Person, username: str, password: str) -> None:
    response = Client().post("/sign-in/", {"username": username, "password": password})
    assert response.status_code == 422
    page = Page(response.content.decode())
    assert [values for _, values in page.tags if values.get("role") == "alert"]
    assert not [values for values in page.named("input") if values.get("type") == "password" and values.get("value")]


def test_too_many_failures_answer_429(ada: Person) -> None:
    client = Client()
    answers = [client.post("/sign-in/", {"username": "ada", "password": "wrong"}).status_code for _ in range(11)]
    assert answers[-1] == 429


def test_a_form_without_its_token_is_refused_in_our_own_words(ada: Person) -> None:
    response = Client(enforce_csrf_checks=True).post("/sign-in/", {"username": "ada", "password": PASSWORD})
    assert response.status_code == 403
    assert "open for too long" in text_of(response)


def test_signing_out_ends_the_session_and_needs_a_form(console: Client) -> None:
    assert console.get("/sign-out/").status_code == 405
    console.post("/sign-out/")
    assert console.get("/").status_code == 302


def test_preferences_hold_for_the_browser(world: World, console: Client) -> None:
    console.post("/preferences/", {"theme": "dark", "density": "compact", "shortcuts": "off"})
    (root,) = Page(console.get("/").content.decode()).named("html")
    assert root["data-theme"] == "dark"
    assert root["data-density"] == "compact"
    assert root["data-shortcuts"] == "off"


def test_unknown_preferences_are_the_defaults(world: World, console: Client) -> None:
    console.cookies["theme"] = '"><script>'
    (root,) = Page(console.get("/").content.decode()).named("html")
    assert "data-theme" not in root


# --- servers --------------------------------------------------------------------------------------------------


def test_a_server_is_registered_and_its_page_waits_for_the_first_look(world: World, console: Client) -> None:
    response = console.post("/servers/register/", SERVER, follow=True)
    assert "first time" in text_of(response)
    server = Server.objects.get(slug="crm")
    assert (server.required_approvals, server.poll_interval, server.environment) == (2, 60, "staging")
    assert server.registered_by == world.admin


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("slug", "files", 409),
        ("slug", "Not A Slug", 422),
        ("slug", "", 422),
        ("slug", "register", 422),
        ("url", "ftp://example.com", 422),
        ("url", "http://user:secret@example.com/", 422),
        ("url", "not a url", 422),
        ("url", "https://exa\0mple.com", 422),
        ("name", "", 422),
        ("environment", "moon", 422),
        ("team", "absent", 422),
        ("required_approvals", "3", 422),
        ("poll_interval", "1", 422),
    ],
)
def test_what_is_wrong_with_a_server_stands_at_its_field(
    world: World, console: Client, field: str, value: str, status: int
) -> None:
    response = console.post("/servers/register/", {**SERVER, field: value})
    assert response.status_code == status
    assert f'id="id_{field}_error"' in response.content.decode()
    assert not Server.objects.filter(slug="crm").exists()


def test_only_what_was_changed_of_a_server_is_recorded(world: World, console: Client) -> None:
    sent = {**SERVER, "slug": "", "name": "Renamed", "url": "http://127.0.0.1:9/files", "environment": "development"}
    response = console.post("/servers/files/edit/", {**sent, "required_approvals": "1", "poll_interval": "300"})
    assert response.status_code == 302
    record = Record.objects.get(event="server.edited")
    assert (record.before or {})["name"] == "Files"
    assert (record.after or {})["name"] == "Renamed"


EDIT = {**SERVER, "url": "http://127.0.0.1:9/files", "environment": "development", "required_approvals": "1"}


def chips(response: Any) -> list[tuple[str, str]]:
    """Each chip that leads somewhere: where, and the tag that it leads to."""
    links = Page(response.content.decode()).named("a")
    found = [link["href"] for link in links if "chip" in link.get("class", "")]
    return [(link.partition("?")[0], link.partition("?tag=")[2]) for link in found]


def test_tags_are_typed_shown_and_lead_to_the_servers_that_have_them(world: World, console: Client) -> None:
    console.post("/servers/register/", {**SERVER, "tags": "PCI, vendor:acme\tpayments pci"})
    assert Server.objects.get(slug="crm").tags == ["payments", "pci", "vendor:acme"]
    leads = [("/servers/", "payments"), ("/servers/", "pci"), ("/servers/", "vendor:acme")]
    assert chips(console.get("/servers/crm/")) == chips(console.get("/servers/")) == leads
    listed = console.get("/servers/?tag=vendor:acme")
    assert [server.slug for server in listed.context["page"]] == ["crm"]
    html = listed.content.decode()
    assert 'name="tag" value="vendor:acme"' in html
    assert 'href="/?tag=vendor%3Aacme"' in html
    assert 'href="/definitions/?tag=vendor%3Aacme"' in html
    assert "servers/?tag=vendor%3Aacme" in html  # the same by the API
    nothing = console.get("/servers/", {"tag": "<script>"})
    assert (list(nothing.context["page"]), "<script>" in nothing.content.decode()) == ([], False)


def test_a_form_of_before_leaves_tags_as_they_are_and_an_empty_one_takes_them(world: World, console: Client) -> None:
    Server.objects.filter(slug="files").update(tags=["pci"])
    assert 'name="tags" value="pci"' in console.get("/servers/files/edit/").content.decode()
    console.post("/servers/files/edit/", {**EDIT, "name": "F"})
    assert (Server.objects.get(slug="files").name, Server.objects.get(slug="files").tags) == ("F", ["pci"])
    console.post("/servers/files/edit/", {**EDIT, "name": "F", "tags": ""})
    assert Server.objects.get(slug="files").tags == []


@pytest.mark.parametrize("page", ["servers/register", "servers/files/edit", "servers/onboard"])
def test_what_is_no_tag_is_said_at_its_field_and_nothing_typed_is_lost(
    world: World, console: Client, page: str
) -> None:
    response = console.post(f"/{page}/", {**EDIT, "name": "Typed", "tags": "fine <b>"})
    assert response.status_code == 422
    html = response.content.decode()
    shown = Page(html)
    assert "'<b>' is no tag: one has 1 to 40 letters" in shown.text
    assert 'id="id_tags_error"' in html
    typed = {values["name"]: values.get("value", "") for values in shown.named("input") if "name" in values}
    assert (typed["name"], typed["tags"]) == ("Typed", "fine <b>")
    assert [server.name for server in Server.objects.all()] == ["Files"]


def test_a_list_shows_the_first_tags_of_a_server_and_how_many_more(world: World, console: Client) -> None:
    Server.objects.filter(slug="files").update(tags=[f"tag-{number:02}" for number in range(20)])
    response = console.get("/servers/")
    assert [tag for _, tag in chips(response)] == ["tag-00", "tag-01", "tag-02"]
    assert "17 more tags" in text_of(response)
    assert len(chips(console.get("/servers/files/"))) == 20


def test_a_full_list_of_servers_with_the_longest_tags_stays_small(world: World, console: Client) -> None:
    made = [
        Server(slug=f"{'s' * 18}-{number}", name="A usual name", url="http://127.0.0.1:9/", environment="development")
        for number in range(100, 200)
    ]
    for server in Server.objects.bulk_create(made):
        Server.objects.filter(pk=server.pk).update(tags=[f"{letter * 40}" for letter in "abcdefghij"])
    assert len(console.get("/servers/").content) < 150_000


def test_limits_are_edited_and_shown(world: World, console: Client) -> None:
    sent = {**EDIT, "connect_seconds": "3", "answer_bytes": "1048576", "concurrent_calls": "8"}
    shown = text_of(console.post("/servers/files/edit/", sent, follow=True))
    assert Server.objects.get(slug="files").limits == CallLimits(
        connect_seconds=3, answer_bytes=1_048_576, concurrent_calls=8
    )
    for part in ("within 3 s", "within 60 s", "at most 300 s", "at most 1048576 bytes", "8 calls, 64 streams"):
        assert part in shown


@pytest.mark.parametrize("name", LIMITS)
def test_the_hint_at_a_limit_names_what_is_usual(name: str) -> None:
    assert str(getattr(DEFAULTS, name)) in str(ServerForm.base_fields[name].help_text)


def test_a_form_without_limits_leaves_them_as_they_are(world: World, console: Client) -> None:
    Server.objects.filter(slug="files").update(total_seconds=90)
    assert console.post("/servers/files/edit/", {**EDIT, "name": "F"}).status_code == 302
    assert (Server.objects.get(slug="files").name, Server.objects.get(slug="files").total_seconds) == ("F", 90)


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("concurrent_calls", "0", "greater than or equal to 1"),
        ("concurrent_calls", "", "required"),
        ("answer_bytes", "16 MiB", "whole number"),
        ("idle_seconds", "301", "At most the 300 seconds"),
    ],
)
@pytest.mark.parametrize("page", ["register", "files/edit"])
def test_a_limit_that_does_not_fit_is_said_at_its_field_in_the_open_fold_and_nothing_typed_is_lost(
    *, world: World, console: Client, page: str, field: str, value: str, complaint: str
) -> None:
    response = console.post(f"/servers/{page}/", {**EDIT, "name": "Typed", "connect_seconds": "7", field: value})
    assert response.status_code == 422
    shown = Page(response.content.decode())
    assert complaint in shown.text
    assert f'id="id_{field}_error"' in response.content.decode()
    assert [values for values in shown.named("details") if values["class"] == "disclosure" and "open" in values]
    typed = {values["name"]: values.get("value", "") for values in shown.named("input") if "name" in values}
    assert (typed["name"], typed["connect_seconds"], typed[field]) == ("Typed", "7", value)
    assert Server.objects.get().name == "Files"


def test_a_server_is_suspended_resumed_and_retired_with_a_reason(world: World, console: Client) -> None:
    for command, state in (("suspend", "suspended"), ("resume", "registered"), ("retire", "retired")):
        console.post(f"/servers/files/{command}/", {"reason": " "})
        assert Server.objects.get(slug="files").state != state
        response = console.post(f"/servers/files/{command}/", {"reason": "An exercise."}, follow=True)
        assert response.status_code == 200
        assert Server.objects.get(slug="files").state == state


def test_what_a_server_in_this_state_cannot_do_becomes_a_message(world: World, console: Client) -> None:
    retire(slug="files", actor=world.actor, reason="Done with it.")
    for command in ("suspend", "resume", "poll"):
        response = console.post(f"/servers/files/{command}/", {"reason": "Again."}, follow=True)
        assert response.status_code == 200
        notices = [values.get("class", "") for values in Page(response.content.decode()).named("li")]
        assert "notice notice--danger" in notices, command


@pytest.mark.parametrize("url", ["/servers/files/poll/", "/servers/files/retire/", "/reviews/decide/"])
def test_commands_are_not_links(world: World, console: Client, url: str) -> None:
    assert console.get(url).status_code == 405


# --- agents, roles, grants ------------------------------------------------------------------------------------


def test_a_new_agents_secret_is_shown_once(world: World, console: Client) -> None:
    sent = {"name": "bot", "kind": "own", "owner_team": "", "name_style": "slash"}
    response = console.post("/agents/register/", sent)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    assert "hfs_" in text_of(response)
    agent = Agent.objects.get(name="bot")
    assert "hfs_" not in text_of(console.get(f"/agents/{agent.public_id}/"))


def test_an_agent_on_a_persons_computer_gets_a_client_id_and_no_secret(world: World, console: Client) -> None:
    sent = {"name": "editor", "kind": "people", "redirect_uris": "http://localhost/cb\r\nhttp://127.0.0.1/cb\r\n"}
    response = console.post("/agents/register/", {**sent, "name_style": "slash"})
    agent = Agent.objects.get(name="editor")
    assert agent.client_id in text_of(response)
    assert "hfs_" not in text_of(response)
    shown = text_of(console.get(f"/agents/{agent.public_id}/"))
    assert "for people, by what they hold; no secret" in " ".join(shown.split())
    assert "http://127.0.0.1/cb" in shown


def test_where_people_are_sent_back_to_is_checked_beside_its_field(world: World, console: Client) -> None:
    sent = {"name": "editor", "kind": "people_with_secret", "name_style": "slash"}
    for uris in ("", "http://evil.test/cb"):
        response = console.post("/agents/register/", {**sent, "redirect_uris": uris})
        assert response.status_code == 422
        assert "redirect URI" in text_of(response)
    assert not Agent.objects.filter(name="editor").exists()


def test_the_secret_of_an_agent_is_replaced_and_shown_once(world: World, console: Client) -> None:
    agent = Agent.objects.get(name="ci-bot")
    page, address = f"/agents/{agent.public_id}/", f"/agents/{agent.public_id}/rotate-secret/"
    assert "Replace the secret" in text_of(console.get(page))
    before = agent.client_secret
    response = console.post(address, {"reason": "It stood in a build log."})
    (secret,) = set(re.findall(r"hfs_[0-9a-f]{64}", response.content.decode()))
    assert "The new secret of ci-bot" in text_of(response)
    assert response["Cache-Control"] == "no-store"
    agent.refresh_from_db()
    assert agent.client_secret != before
    assert check_password(secret, agent.client_secret)
    assert "hfs_" not in console.get(page).content.decode()
    no_reason = console.post(address, {"reason": " "}, follow=True)
    assert "hfs_" not in no_reason.content.decode()
    assert "reason" in text_of(no_reason).lower()


def test_a_public_agent_has_no_secret_to_replace(world: World, console: Client) -> None:
    sent = {"name": "editor", "kind": "people", "redirect_uris": "http://127.0.0.1/cb", "name_style": "slash"}
    console.post("/agents/register/", sent)
    page = f"/agents/{Agent.objects.get(name='editor').public_id}/"
    assert "Replace the secret" not in text_of(console.get(page))
    assert "has no secret" in text_of(console.post(f"{page}rotate-secret/", {"reason": "A test."}, follow=True))


def test_an_agent_is_suspended_and_resumed(world: World, console: Client) -> None:
    agent = Agent.objects.get(name="ci-bot")
    console.post(f"/agents/{agent.public_id}/suspend/", {"reason": "It misbehaves."})
    agent.refresh_from_db()
    assert agent.state == "suspended"
    console.post(f"/agents/{agent.public_id}/resume/", {"reason": "Fixed."})
    agent.refresh_from_db()
    assert agent.state == "active"


def test_a_role_is_made_of_scopes_and_permissions(world: World, console: Client) -> None:
    sent = {"name": "mixed", "scopes": "mcp:files:read\nmcp:files:tool:read", "permissions": ["audit:read"]}
    console.post("/roles/create/", {**sent, "description": "", "reach": "installation"})
    assert sorted(Role.objects.get(name="mixed").scopes) == ["audit:read", "mcp:files:read", "mcp:files:tool:read"]


@pytest.mark.parametrize(
    ("sent", "status", "where"),
    [
        ({"scopes": "mcp:files:write"}, 422, "id_scopes_error"),
        ({"scopes": "nonsense"}, 422, "id_scopes_error"),
        ({"scopes": ""}, 422, 'role="alert"'),
        ({"name": ""}, 422, "id_name_error"),
        ({"name": "files-reader"}, 409, "id_name_error"),
        ({"permissions": ["server:explode"]}, 422, "id_permissions_error"),
    ],
)
def test_what_is_wrong_with_a_role_stands_at_its_field(
    world: World, console: Client, sent: dict[str, Any], status: int, where: str
) -> None:
    whole = {"name": "mixed", "scopes": "mcp:files:read", "description": "", "reach": "installation", **sent}
    response = console.post("/roles/create/", whole)
    assert response.status_code == status
    assert where in response.content.decode()
    assert not Role.objects.filter(name="mixed").exists()


def grant_form(**changes: str) -> dict[str, str]:
    agent = Agent.objects.get(name="ci-bot")
    whole = {"role": "files-reader", "holder": f"agent:{agent.client_id}", "environment": "", "expires_at": ""}
    return {**whole, "reason": "It needs it.", **changes}


def test_a_grant_is_given_for_a_time_and_revoked(world: World, console: Client) -> None:
    until = (timezone.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    console.post("/grants/give/", grant_form(environment="staging", expires_at=until))
    grant = Grant.objects.latest("pk")
    assert grant.environment == "staging"
    assert grant.expires_at is not None
    assert grant.expires_at.strftime("%Y-%m-%dT%H:%M") == until
    console.post(f"/grants/{grant.public_id}/revoke/", {"reason": "No longer.", "next": "/agents/"})
    grant.refresh_from_db()
    assert grant.revoked_at is not None


def test_a_grant_is_given_on_conditions_which_the_page_shows(world: World, console: Client) -> None:
    on = {"networks": "10.0.0.0/8\n192.0.2.0/24", "days": ["mon", "fri"], "starts": "08:00", "ends": "00:00"}
    console.post("/grants/give/", {**grant_form(), **on})
    grant = Grant.objects.latest("pk")
    hours = {"days": ["mon", "fri"], "from": "08:00", "to": "24:00"}
    assert grant.conditions == {"networks": ["10.0.0.0/8", "192.0.2.0/24"], "hours": hours}
    page = console.get("/roles/").content.decode()
    assert "192.0.2.0/24" in page
    assert "mon, fri 08:00" in page


def test_of_a_role_with_many_scopes_the_first_are_shown_and_all_of_them_on_request(
    world: World, console: Client
) -> None:
    scopes = [f"mcp:files:tool:t{number:02}" for number in range(30)]
    role = create_role(name="wide", scopes=scopes, actor=world.actor)
    page = console.get("/roles/").content.decode()
    assert (f">{scopes[19]}<" in page, f">{scopes[20]}<" in page) == (True, False)
    assert f'href="?whole={role.public_id}#role-{role.public_id}"' in page
    assert f">{scopes[29]}<" in console.get(f"/roles/?whole={role.public_id}").content.decode()


def test_roles_are_listed_page_by_page_beside_the_grants(
    world: World, console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("access.views.ROLES_SHOWN", 6)  # as many as are built in
    assert "files-reader</bdi> </span>" not in console.get("/roles/").content.decode()
    assert "files-reader</bdi> </span>" in console.get("/roles/?roles=2").content.decode()


def test_a_condition_that_is_none_is_refused_above_the_form(world: World, console: Client) -> None:
    for wrong in ({"networks": "ten"}, {"starts": "18:00", "ends": "08:00"}):
        response = console.post("/grants/give/", {**grant_form(), **wrong})
        assert response.status_code in {400, 422}
        assert not Grant.objects.exclude(conditions={}).exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "absent"),
        ("holder", "agent:absent"),
        ("holder", "nonsense"),
        ("environment", "moon"),
        ("expires_at", "2001-01-01T00:00"),
        ("expires_at", "soon"),
        ("reason", ""),
    ],
)
def test_what_is_wrong_with_a_grant_stands_at_its_field(world: World, console: Client, field: str, value: str) -> None:
    before = Grant.objects.count()
    response = console.post("/grants/give/", grant_form(**{field: value}))
    assert response.status_code == 422
    assert f'id="id_{field}_error"' in response.content.decode()
    assert Grant.objects.count() == before


def test_roles_are_kept_apart_and_held_together_again(world: World, console: Client) -> None:
    pair = {"role": "files-reader", "other": "reader", "reason": "A test."}
    assert console.post("/roles/separate/", {**pair, "other": "files-reader"}).status_code == 422
    assert console.post("/roles/separate/", pair).status_code == 302
    apart = RoleSeparation.objects.get()
    end = f"/separations/{apart.public_id}/end/"
    assert end in console.get("/roles/").content.decode()
    console.post(end, {"reason": "No longer."})
    assert not RoleSeparation.objects.exists()


def test_the_last_administrator_stays(world: World, console: Client) -> None:
    missing = console.post("/grants/01900000-0000-7000-8000-000000000000/revoke/", {"reason": "x"})
    assert missing.status_code == 404


# --- people ---------------------------------------------------------------------------------------------------


def test_a_person_is_added_and_deactivated(world: World, console: Client) -> None:
    sent = {"username": "tom", "display_name": "Tom", "email": "", "password": PASSWORD, "role": "files-reader"}
    console.post("/people/create/", sent)
    tom = Person.objects.get(username="tom")
    assert tom.grants.get().role.name == "files-reader"
    console.post(f"/people/{tom.public_id}/deactivate/", {"reason": "Left."})
    tom.refresh_from_db()
    assert not tom.is_active


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [("username", "a b", 422), ("username", "ada", 409), ("password", "short", 422), ("email", "nonsense", 422)],
)
def test_what_is_wrong_with_a_person_stands_at_its_field(
    world: World, console: Client, field: str, value: str, status: int
) -> None:
    sent = {"username": "tom", "display_name": "", "email": "", "password": PASSWORD, "role": "", field: value}
    response = console.post("/people/create/", sent)
    assert response.status_code == status
    assert f'id="id_{field}_error"' in response.content.decode()
    assert PASSWORD not in response.content.decode()


# --- audit and alerts -----------------------------------------------------------------------------------------


def test_the_log_is_searched_by_its_url(world: World, console: Client) -> None:
    assert "server.registered" in text_of(console.get("/audit/?server=files&type=config"))
    assert "No record matches" in text_of(console.get("/audit/?server=absent"))
    assert "ada" in text_of(console.get("/audit/?principal=ada"))
    assert "No record matches" in text_of(console.get("/audit/?until=2001-01-01T00:00"))


def test_an_unreadable_time_is_said_at_its_field(world: World, console: Client) -> None:
    response = console.get("/audit/?since=yesterday")
    assert response.status_code == 422
    assert 'id="id_since_error"' in response.content.decode()


def test_pages_of_the_log_follow_each_other_without_gap_or_repetition(
    world: World, console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.views.PAGE_SIZE", 3)
    seen: list[str] = []
    url = "/audit/"
    while url:
        page = Page(console.get(url).content.decode())
        seen += [link["href"] for link in page.named("a") if link["href"].startswith("/audit/0")]
        url = next((link["href"] for link in page.named("a") if link.get("rel") == "next"), "")
    everything = Record.objects.newest_first().values_list("id", flat=True)
    assert seen == [f"/audit/{record_id}/" for record_id in everything]


@pytest.mark.parametrize("cursor", ["nonsense", "202611.x", "9" * 40, ".", "202611." + "-" * 36])
def test_a_broken_cursor_is_the_first_page(world: World, console: Client, cursor: str) -> None:
    assert console.get("/audit/", {"after": cursor}).status_code == 200


def test_a_record_shows_everything_that_it_says(world: World, console: Client) -> None:
    record = Record.objects.get(event="server.registered")
    text = text_of(console.get(f"/audit/{record.id}/"))
    assert "server:files" in text
    assert "http://127.0.0.1:9/files" in text


def test_an_alert_is_acknowledged(world: World, console: Client) -> None:
    alert = Alert.objects.open().latest("pk")
    console.post(f"/alerts/{alert.public_id}/acknowledge/", {"reason": "On it."})
    alert.refresh_from_db()
    assert (alert.state, alert.handled_reason) == ("acknowledged", "On it.")


def test_a_new_channels_secret_is_shown_once_and_a_test_is_queued(world: World, console: Client) -> None:
    response = console.post(
        "/alerts/channels/add/", {"name": "team", "url": "http://127.0.0.1:9/x", "kinds": ["drift"]}
    )
    assert "whsec_" in text_of(response)
    channel = Channel.objects.get(name="team")
    assert "whsec_" not in text_of(console.get("/alerts/channels/"))
    console.post(f"/alerts/channels/{channel.public_id}/test/")
    assert channel.deliveries.count() == 1


def test_a_channel_is_disabled_and_enabled(world: World, console: Client) -> None:
    channel = Channel.objects.get(name="on-call")
    for command, state in (("disable", "disabled"), ("test", "disabled"), ("enable", "active")):
        console.post(f"/alerts/channels/{channel.public_id}/{command}/", {"reason": "Maintenance."})
        channel.refresh_from_db()
        assert channel.state == state, command
    assert not channel.deliveries.filter(event="channel.tested").exists()


@pytest.mark.parametrize(("field", "value", "status"), [("name", "", 422), ("name", "on-call", 409), ("url", "x", 422)])
def test_what_is_wrong_with_a_channel_stands_at_its_field(
    world: World, console: Client, field: str, value: str, status: int
) -> None:
    sent = {"name": "team", "url": "http://127.0.0.1:9/x", field: value}
    response = console.post("/alerts/channels/add/", sent)
    assert response.status_code == status
    assert f'id="id_{field}_error"' in response.content.decode()
