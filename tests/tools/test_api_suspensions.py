"""The kill switch over the API."""

import pytest

from servers.models import Server
from tests.access.doors import Api, problem
from tests.console.world import administrator
from tests.factories import person_with
from tests.tools.making import poll, tool

pytestmark = pytest.mark.django_db
STOP = {"kind": "definition", "name": "tool:files/read", "reason": "It leaks."}


@pytest.fixture
def boss(server: Server) -> Api:
    poll(server, tool("read"))
    return Api(administrator(username="boss"))


@pytest.fixture
def deputy(db: None) -> Api:
    return Api(administrator(username="deputy"))


def test_one_suspends_another_lifts_and_both_are_shown(boss: Api, deputy: Api) -> None:
    made = boss.post("suspensions/", STOP)
    shown = made.json()
    assert made.status_code == 201
    assert (shown["kind"], shown["name"], shown["suspended_by"], shown["lifted_at"]) == (
        "definition", "tool:files/read", "boss", None,
    )  # fmt: skip
    assert boss.get("suspensions/?live=true").json()["results"] == [shown]
    assert boss.get(f"suspensions/{shown['id']}/").json() == shown
    assert problem(boss.post("suspensions/", STOP)) == (409, "conflict", ["name"])
    lift = f"suspensions/{shown['id']}/lift/"
    assert problem(boss.post(lift, {"reason": "Never mind."}))[:2] == (409, "conflict")
    lifted = deputy.post(lift, {"reason": "Repaired."}).json()
    assert (lifted["lifted_by"], lifted["lift_reason"]) == ("deputy", "Repaired.")
    assert problem(deputy.post(lift, {"reason": "Again."}))[:2] == (409, "conflict")
    assert boss.get("suspensions/?live=true").json()["results"] == []
    assert boss.get("suspensions/?live=false&kind=definition").json()["results"] == [lifted]


def test_a_person_is_named_by_user_name(boss: Api, deputy: Api) -> None:
    made = boss.post("suspensions/", {"kind": "person", "name": "deputy", "reason": "Stolen laptop."})
    assert made.json()["name"] == "deputy"
    assert deputy.get("suspensions/").status_code == 401
    assert boss.get("suspensions/").json()["results"][0]["name"] == "deputy"


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"kind": "house"}, (400, "invalid", ["kind"])),
        ({"name": "files/read"}, (400, "invalid", ["name"])),
        ({"name": "tool:files/absent"}, (404, "not_found", ["name"])),
        ({"name": "x" * 5000}, (400, "invalid", ["name"])),
        ({"reason": ""}, (400, "invalid", ["reason"])),
        ({"kind": "everything"}, (400, "invalid", ["name"])),
    ],
)
def test_a_body_that_does_not_fit_is_refused_at_its_field(
    boss: Api, change: dict[str, str], answer: tuple[int, str, list[str]]
) -> None:
    assert problem(boss.post("suspensions/", {**STOP, **change})) == answer


def test_who_may_not_is_refused(boss: Api) -> None:
    row = boss.post("suspensions/", STOP).json()
    reader = Api(person_with("suspension:read"))
    assert reader.get("suspensions/").json()["results"] == [row]
    assert problem(reader.post("suspensions/", {"kind": "everything", "reason": "x"}))[:2] == (403, "permission_denied")
    assert problem(reader.post(f"suspensions/{row['id']}/lift/", {"reason": "x"}))[:2] == (403, "permission_denied")
    assert problem(Api(person_with()).get("suspensions/"))[:2] == (403, "permission_denied")


def test_an_unknown_suspension_is_not_found(boss: Api) -> None:
    for name in ("01900000-0000-7000-8000-000000000000", "x", "-" * 36):
        assert boss.get(f"suspensions/{name}/").status_code == 404
        assert boss.post(f"suspensions/{name}/lift/", {"reason": "x"}).status_code == 404
