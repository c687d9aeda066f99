"""The REST API of `access`: the issue's contract, permissions, missing objects, malformed input."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from access.models import Agent, AgentUse, Grant, Person
from access.services import actor_for, create_team
from core.actor import Actor
from core.permissions import Permission
from tests.access.doors import Api, problem
from tests.factories import AgentFactory, GrantFactory, PersonFactory, RoleFactory, TeamFactory, person_with

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
ABSENT = "019a0000-0000-7000-8000-000000000000"


# --- the contract --------------------------------------------------------------------------------------------


def test_a_second_person_for_four_eyes_is_made_by_two_requests(api: Api) -> None:
    person = api.post("people/", {"username": "ada", "password": PASSWORD, "role": "reviewer"})
    assert person.status_code == 201
    assert {**person.json(), "id": "", "created_at": ""} == {
        "id": "",
        "username": "ada",
        "display_name": "",
        "email": "",
        "active": True,
        "suspended": False,
        "roles": ["reviewer"],
        "last_login": None,
        "created_at": "",
    }
    token = api.post("tokens/", {"username": "ada", "scopes": ["review:read", "review:decide"]})
    assert token.status_code == 201
    assert token.json()["token"].startswith("hfp_")
    assert (token.json()["username"], token.json()["scopes"]) == ("ada", ["review:decide", "review:read"])
    shown = api.get(f"tokens/{token.json()['id']}/").json()
    assert "token" not in shown


def test_an_agent_gets_a_role_by_three_requests(api: Api) -> None:
    role = api.post("roles/", {"name": "callers", "scopes": ["mcp:connect", "mcp:files:call"]})
    agent = api.post("agents/", {"name": "Bot", "grant_types": ["client_credentials"]})
    assert (role.status_code, agent.status_code) == (201, 201)
    assert agent.json()["client_secret"].startswith("hfs_")
    client_id = agent.json()["client_id"]
    grant = api.post("grants/", {"role": "callers", "agent": client_id, "expires_at": "2099-01-01T00:00:00Z"})
    assert grant.status_code == 201
    assert (grant.json()["agent"], grant.json()["person"], grant.json()["expires_at"]) == (
        client_id,
        None,
        "2099-01-01T00:00:00Z",
    )
    shown = api.get(f"agents/{client_id}/").json()
    assert (shown["roles"], shown["grant_types"], shown["state"]) == (["callers"], ["client_credentials"], "active")
    assert "client_secret" not in shown


def test_agents_say_when_they_were_last_used_and_are_found_by_it(api: Api) -> None:
    now = timezone.now()
    for name, used in (("never", None), ("lately", 1), ("long-ago", 100)):
        agent = AgentFactory.create(client_id=name)
        Agent.objects.filter(pk=agent.pk).update(created=now - timedelta(days=200))
        if used is not None:
            AgentUse.objects.create(agent=agent, last_used=now - timedelta(days=used))
    AgentFactory.create(client_id="new")

    def found(query: str) -> list[str]:
        return sorted(each["client_id"] for each in api.get(f"agents/?{query}").json()["results"])

    assert api.get("agents/never/").json()["last_used"] is None
    assert api.get("agents/lately/").json()["last_used"].startswith((now - timedelta(days=1)).date().isoformat())
    assert found("never_used=true") == ["never", "new"]
    assert found("never_used=false") == ["lately", "long-ago"]
    assert found(urlencode({"unused_since": (now - timedelta(days=90)).isoformat()})) == ["long-ago", "never"]


def test_an_agent_whose_client_id_fits_in_no_path_is_named_by_its_id(api: Api) -> None:
    agent = AgentFactory.create(client_id="https://app.example/client.json")
    shown = api.get(f"agents/{agent.public_id}/").json()
    assert (shown["client_id"], shown["registration"]) == (agent.client_id, "manual")
    assert api.post(f"agents/{agent.public_id}/suspend/", {"reason": "Odd."}).json()["state"] == "suspended"
    assert problem(Api(None).get(f"agents/{agent.public_id}/"))[0] == 401


def test_an_agent_for_people_is_registered_with_where_they_are_sent_back_to(api: Api) -> None:
    uris = ["https://app.example/cb", "http://localhost/cb"]
    body = {"name": "Editor", "grant_types": ["authorization_code"], "redirect_uris": uris, "public": True}
    made = api.post("agents/", body)
    assert (made.status_code, made.json()["client_secret"], made.json()["public"]) == (201, "", True)
    assert api.get(f"agents/{made.json()['client_id']}/").json()["redirect_uris"] == uris
    refused = api.post("agents/", {**body, "redirect_uris": ["http://evil.test/"]})
    assert problem(refused) == (400, "invalid", ["redirect_uris"])


@pytest.mark.parametrize("holder", [{"person": "ada"}, {"team": "blue"}, {"team": "Blue Team"}])
def test_people_and_teams_get_roles_too(api: Api, holder: dict[str, str]) -> None:
    PersonFactory.create(username="ada")
    TeamFactory.create(slug="blue", name="Blue Team")
    nulls = {"agent": None, "expires_at": None, "environment": None, "conditions": None}
    assert api.post("grants/", {"role": "reader", **holder, **nulls}).status_code == 201
    assert api.post("grants/", {"role": "reader", **holder, "environment": "staging"}).status_code == 201


def test_a_grant_on_conditions_shows_them_and_a_wrong_one_is_refused_at_its_field(api: Api) -> None:
    PersonFactory.create(username="ada")
    hours = {"days": ["mon"], "from": "08:00", "to": "18:00"}
    wanted = {"role": "reader", "person": "ada", "conditions": {"networks": ["10.0.0.0/8"], "hours": hours}}
    given = api.post("grants/", wanted)
    assert (given.status_code, given.json()["conditions"]) == (201, wanted["conditions"])
    backwards = {"hours": {**hours, "to": "07:00"}}
    several: tuple[Any, ...] = ({"networks": ["10.0.0.1/8"]}, {"moon": "full"}, [], "always", backwards)
    for wrong in several:
        refused = api.post("grants/", {**wanted, "conditions": wrong})
        assert refused.status_code == 400
        assert refused.json()["error"]["details"][0]["field"] == "conditions"


def test_teams_are_made_joined_and_left(api: Api) -> None:
    PersonFactory.create(username="ada")
    assert api.post("teams/", {"slug": "blue"}).json()["name"] == "blue"
    assert api.post("teams/blue/members/", {"username": "ada"}).json()["members"] == ["ada"]
    assert api.send("DELETE", "teams/blue/members/ada/").status_code == 204
    assert api.get("teams/blue/").json()["members"] == []


def test_people_are_deactivated_and_reactivated(api: Api) -> None:
    person_with("server:read", username="ada")
    assert api.post("people/ada/deactivate/", {"reason": "Left."}).json()["active"] is False
    assert api.get("people/?active=false").json()["results"][0]["username"] == "ada"
    assert api.post("people/ada/reactivate/", {"reason": "Back."}).json()["active"] is True
    assert api.post("people/ada/password/", {"password": PASSWORD}).status_code == 204
    assert Person.objects.get(username="ada").check_password(PASSWORD)


def test_agents_are_suspended_resumed_and_get_new_secrets(api: Api) -> None:
    AgentFactory.create(client_id="bot")
    assert api.post("agents/bot/suspend/", {"reason": "Odd."}).json()["state"] == "suspended"
    assert [row["client_id"] for row in api.get("agents/?state=suspended").json()["results"]] == ["bot"]
    assert api.post("agents/bot/resume/", {"reason": "Fine."}).json()["state"] == "active"
    assert api.post("agents/bot/rotate-secret/", {"reason": "Leak."}).json()["client_secret"].startswith("hfs_")


def test_roles_change_and_grants_and_tokens_end(api: Api) -> None:
    role = api.post("roles/", {"name": "callers", "scopes": []}).json()
    changed = api.send("PATCH", f"roles/{role['id']}/", {"scopes": ["mcp:files:read"]})
    assert (changed.status_code, changed.json()["scopes"]) == (200, ["mcp:files:read"])
    PersonFactory.create(username="ada")
    grant = api.post("grants/", {"role": "callers", "person": "ada"}).json()
    assert api.post(f"grants/{grant['id']}/revoke/").json()["revoked_at"]
    assert [row["id"] for row in api.get("grants/?live=false").json()["results"]] == [grant["id"]]
    assert api.get("grants/?live=true&person=ADA").json()["results"] == []
    token = api.post("tokens/", {}).json()
    assert token["username"] == "boss"
    assert api.post(f"tokens/{token['id']}/revoke/").json()["revoked_at"]
    assert problem(api.post(f"tokens/{token['id']}/revoke/"))[:2] == (409, "conflict")


# --- lists ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["people", "tokens", "teams", "roles", "agents", "grants"])
def test_lists_have_one_envelope_and_pages(api: Api, admin: Actor, name: str) -> None:
    PersonFactory.create_batch(2)
    AgentFactory.create_batch(2)
    for slug in ("blue", "red"):
        create_team(slug=slug, actor=admin)
    api.post("tokens/", {})
    api.post("grants/", {"role": "reader", "team": "blue"})
    page = api.get(f"{name}/?limit=1").json()
    assert (set(page), len(page["results"])) == ({"results", "next"}, 1)
    seen = page["results"]
    while page["next"]:
        page = api.get(page["next"].partition("/api/v1/")[2]).json()
        seen += page["results"]
    assert len({row["id"] for row in seen}) == len(seen) == len(api.get(f"{name}/").json()["results"]) >= 2


@pytest.mark.parametrize(
    ("name", "queries"), [("people", 6), ("tokens", 4), ("teams", 5), ("roles", 4), ("agents", 6), ("grants", 4)]
)
def test_lists_cost_the_same_queries_however_long(
    api: Api, name: str, queries: int, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        role = RoleFactory.create()
        GrantFactory.create(role=role, person=PersonFactory.create())
        GrantFactory.create(role=role, agent=AgentFactory.create(owner_team=TeamFactory.create()))
        api.post("tokens/", {"name": str(number)})
    api.get("roles/")
    with django_assert_max_num_queries(queries):
        assert len(api.get(f"{name}/").json()["results"]) >= 5


# --- who may -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["people", "tokens", "teams", "roles", "agents", "grants"])
def test_nobody_gets_in_without_a_token(boss: Person, name: str) -> None:
    for api in (Api(None), Api(PersonFactory.create(is_active=False))):
        for response in (api.get(f"{name}/"), api.post(f"{name}/")):
            assert problem(response)[0] == 401
            assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Basic x", "Bearer", "Bearer x", "Bearer hfp_x", "Token x", "Bearer \xff"])
def test_no_other_header_is_taken_for_a_token(client: Any, header: str) -> None:
    assert client.get("/api/v1/roles/", headers={"authorization": header}).status_code == 401


@pytest.mark.parametrize(
    ("path", "permission"),
    [
        ("people/", Permission.PERSON_READ),
        ("people/ada/", Permission.PERSON_READ),
        ("teams/", Permission.TEAM_READ),
        ("roles/", Permission.ROLE_READ),
        ("agents/", Permission.AGENT_READ),
        ("agents/bot/", Permission.AGENT_READ),
        ("grants/", Permission.GRANT_READ),
        ("separations/", Permission.ROLE_READ),
    ],
)
def test_reading_needs_its_permission(path: str, permission: str) -> None:
    PersonFactory.create(username="ada")
    AgentFactory.create(client_id="bot")
    everything = person_with(*Permission)
    without = [name.value for name in Permission if name != permission]
    assert problem(Api(everything, without).get(path))[:2] == (403, "permission_denied")
    assert Api(everything, [permission]).get(path).status_code == 200


@pytest.mark.parametrize(
    ("path", "permission", "body"),
    [
        ("people/", Permission.PERSON_MANAGE, {"username": "new", "password": PASSWORD}),
        ("people/ada/deactivate/", Permission.PERSON_MANAGE, {"reason": "x"}),
        ("people/ada/password/", Permission.PERSON_MANAGE, {"password": PASSWORD}),
        ("teams/", Permission.TEAM_MANAGE, {"slug": "red"}),
        ("teams/blue/members/", Permission.TEAM_MANAGE, {"username": "ada"}),
        ("roles/", Permission.ROLE_MANAGE, {"name": "new", "scopes": []}),
        ("agents/", Permission.AGENT_MANAGE, {"name": "new"}),
        ("agents/bot/suspend/", Permission.AGENT_MANAGE, {"reason": "x"}),
        ("agents/bot/rotate-secret/", Permission.AGENT_MANAGE, {"reason": "x"}),
        ("grants/", Permission.GRANT_MANAGE, {"role": "empty", "person": "ada"}),
        ("separations/", Permission.ROLE_MANAGE, {"roles": ["empty", "full"], "reason": "x"}),
        ("tokens/", Permission.TOKEN_MANAGE, {"username": "ada", "scopes": ["server:read"]}),
    ],
)
def test_writing_needs_its_permission_in_the_token_too(path: str, permission: str, body: dict[str, Any]) -> None:
    PersonFactory.create(username="ada")
    AgentFactory.create(client_id="bot")
    TeamFactory.create(slug="blue")
    for name in ("empty", "full"):
        RoleFactory.create(name=name)
    everything = person_with(*Permission)
    without = [name.value for name in Permission if name != permission]
    assert problem(Api(everything, without).post(path, body))[:2] == (403, "permission_denied")
    answer = Api(everything, [permission, "server:read"]).post(path, body)
    assert answer.status_code in (200, 201, 204, 409), answer.content


def test_people_without_permissions_see_their_own_tokens_only(api: Api) -> None:
    ada = person_with(username="ada")
    api.post("tokens/", {})
    own = Api(ada)
    assert {row["username"] for row in own.get("tokens/").json()["results"]} == {"ada"}
    assert problem(own.get(f"tokens/{api.post('tokens/', {}).json()['id']}/"))[0] == 404


def test_a_team_reader_sees_what_is_of_their_teams(admin: Actor) -> None:
    person = PersonFactory.create(username="ada")
    blue = TeamFactory.create(slug="blue")
    TeamFactory.create(slug="red")
    blue.members.add(person)
    reads = [name.value for name in Permission if name.endswith(":read")]
    GrantFactory.create(role=RoleFactory.create(scopes=reads, reach="own_teams"), person=person)
    AgentFactory.create(client_id="ours", owner_team=blue)
    AgentFactory.create(client_id="theirs")
    assert not actor_for(person).may("agent:read")
    own = Api(person)
    assert [row["client_id"] for row in own.get("agents/").json()["results"]] == ["ours"]
    assert [row["slug"] for row in own.get("teams/").json()["results"]] == ["blue"]
    assert [row["username"] for row in own.get("people/").json()["results"]] == ["ada"]
    assert {row["person"] for row in own.get("grants/").json()["results"]} == {"ada"}
    assert len(own.get("roles/").json()["results"]) > 6
    assert problem(own.get("agents/theirs/"))[0] == 404


# --- what is not there ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "people/absent/",
        f"tokens/{ABSENT}/",
        "tokens/7/",
        f"tokens/{'-' * 36}/",
        "teams/absent/",
        f"roles/{ABSENT}/",
        "agents/absent/",
        f"grants/{ABSENT}/",
        f"grants/{'a' * 36}/",
    ],
)
def test_what_is_not_there_is_404(api: Api, path: str) -> None:
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("people/absent/deactivate/", {"reason": "x"}),
        ("people/a%00/deactivate/", {"reason": "x"}),
        (f"tokens/{ABSENT}/revoke/", {}),
        (f"tokens/{'-' * 36}/revoke/", {}),
        ("teams/absent/members/", {"username": "boss"}),
        ("agents/absent/suspend/", {"reason": "x"}),
        ("agents/a%00/suspend/", {"reason": "x"}),
        (f"grants/{ABSENT}/revoke/", {}),
    ],
)
def test_commands_on_what_is_not_there_are_404(api: Api, path: str, body: dict[str, Any]) -> None:
    assert api.post(path, body).status_code == 404


@pytest.mark.parametrize("path", ["people/", "tokens/", "teams/", "roles/", "agents/", "grants/"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_lists_know_get_and_post_only(api: Api, path: str, method: str) -> None:
    assert problem(api.send(method, path))[0] == 405


# --- malformed input -----------------------------------------------------------------------------------------

GOOD: dict[str, dict[str, Any]] = {
    "people": {"username": "new", "password": PASSWORD, "role": "reader"},
    "tokens": {"username": "boss", "scopes": [], "name": "x", "expires_at": None},
    "teams": {"slug": "red", "name": "Red"},
    "roles": {"name": "new", "scopes": [], "description": "x", "reach": "installation"},
    "agents": {
        "name": "new",
        "grant_types": ["authorization_code"],
        "redirect_uris": ["http://localhost/cb"],
        "public": True,
        "team": "",
        "name_style": "dot",
    },
    "grants": {"role": "reader", "person": "boss", "environment": "", "expires_at": None, "reason": "x"},
}
HOSTILE: list[Any] = [
    {"a": 1},
    [[]],
    [1, {}],
    True,
    "a\0b",
    "x" * 5000,
    "\u202e\n",
    -1,
    1e308,
    10**30,
    ["mcp:files:fly"],
    "9999-99-99",
    "0001-01-01T00:00:00+14:00",
]


def malformed() -> list[tuple[str, str]]:
    return [(name, field) for name, body in GOOD.items() for field in body]


@pytest.mark.parametrize(("name", "field"), malformed())
def test_no_value_whatever_breaks_a_field(api: Api, name: str, field: str) -> None:
    for value in HOSTILE:
        response = api.post(f"{name}/", {**GOOD[name], field: value})
        assert response.status_code < 500, (value, response.content)
        if response.status_code == 400:
            assert {part.split("[")[0].split(".")[0] for part in problem(response)[2]} == {field}, value


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name, field in malformed() if field in ("username", "slug", "name", "role")]
)
def test_a_required_field_is_named_when_it_is_missing(api: Api, name: str, field: str) -> None:
    body = {key: value for key, value in GOOD[name].items() if key != field}
    response = api.post(f"{name}/", body)
    optional = (name, field) in {("people", "role"), ("tokens", "username"), ("tokens", "name"), ("teams", "name")}
    assert response.status_code == 201 if optional else problem(response)[2] == [field]


@pytest.mark.parametrize("name", list(GOOD))
@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "\\ud800"}',
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"1",
        b"NaN",
        b'{"name": NaN}',
        b"\xff\xfe",
        b'{"name": "a", "name": "b"}',
        b"[" * 100_000,
        b'{"name": "' + b"x" * 1_000_000 + b'"}',
        b" " * 3_000_000,
    ],
    ids=lambda body: str(body[:20]),
)
def test_no_body_whatever_breaks_the_api(api: Api, name: str, body: bytes) -> None:
    response = api.post(f"{name}/", body)
    # An API token needs nothing, so `{}` and an absent body make one.
    assert 400 <= response.status_code < 500 or (name, response.status_code) == ("tokens", 201), response.content


@pytest.mark.parametrize("query", ["limit=x", "cursor=x", "state=moon", "live=perhaps", "person=%00", "role=%00"])
@pytest.mark.parametrize("name", list(GOOD))
def test_no_query_whatever_breaks_a_list(api: Api, name: str, query: str) -> None:
    assert api.get(f"{name}/?{query}").status_code < 500


def test_a_refused_grant_leaves_nothing(api: Api) -> None:
    before = Grant.objects.count()
    assert problem(api.post("grants/", {"role": "reader"}))[2] == ["agent"]
    assert problem(api.post("grants/", {"role": "reader", "person": "absent"}))[0] == 404
    assert Grant.objects.count() == before


# --- what stands beside what may be seen ---------------------------------------------------------------------


@pytest.fixture
def held(admin: Actor) -> Person:
    """A person and an agent with a role each, in a team with somebody else."""
    red = create_team(slug="red", actor=admin)
    ada, eve = PersonFactory.create(username="ada"), PersonFactory.create(username="eve")
    red.members.add(ada, eve)
    role = RoleFactory.create(name="hidden")
    GrantFactory.create(role=role, person=ada)
    GrantFactory.create(role=role, agent=AgentFactory.create(client_id="bot", owner_team=red))
    return ada


def test_roles_of_a_person_are_shown_to_who_may_read_grants(held: Person) -> None:
    read, reads = Permission.PERSON_READ, (Permission.PERSON_READ, Permission.GRANT_READ)
    assert Api(person_with(read)).get("people/ada/").json()["roles"] == []
    assert Api(person_with(*reads)).get("people/ada/").json()["roles"] == ["hidden"]
    assert Api(held).get("people/ada/").status_code == 403


def test_roles_of_an_agent_are_shown_to_who_may_read_grants(held: Person) -> None:
    assert Api(person_with(Permission.AGENT_READ)).get("agents/bot/").json()["roles"] == []
    assert Api(person_with(Permission.AGENT_READ, Permission.GRANT_READ)).get("agents/bot/").json()["roles"] == [
        "hidden"
    ]


def test_the_answer_to_a_command_shows_no_more_than_reading_would(held: Person) -> None:
    manager = Api(person_with(Permission.AGENT_READ, Permission.AGENT_MANAGE))
    assert manager.post("agents/bot/suspend/", {"reason": "A test."}).json()["roles"] == []
    keeper = Api(person_with(Permission.TEAM_READ, Permission.TEAM_MANAGE))
    PersonFactory.create(username="new")
    assert keeper.post("teams/red/members/", {"username": "new"}).json()["members"] == []


def test_members_of_a_team_are_shown_to_who_may_see_those_people(held: Person) -> None:
    assert Api(person_with(Permission.TEAM_READ)).get("teams/red/").json()["members"] == []
    assert Api(person_with(Permission.TEAM_READ, Permission.PERSON_READ)).get("teams/red/").json()["members"] == [
        "ada",
        "eve",
    ]
    GrantFactory.create(role=RoleFactory.create(scopes=["team:read"], reach="own_teams"), person=held)
    assert Api(held).get("teams/red/").json()["members"] == ["ada"]
