"""Roles that are kept apart, over the API."""

import pytest

from tests.access.doors import Api, problem
from tests.factories import PersonFactory, RoleFactory

pytestmark = pytest.mark.django_db
PAIR = {"roles": ["payer", "approver"], "reason": "Nobody pays what they approve."}


@pytest.fixture(autouse=True)
def roles(db: None) -> None:
    RoleFactory.create(name="approver")
    RoleFactory.create(name="payer")
    PersonFactory.create(username="ada")


def test_roles_are_kept_apart_shown_and_held_together_again(api: Api) -> None:
    made = api.post("separations/", PAIR)
    shown = made.json()
    assert (made.status_code, shown["roles"], shown["created_by"]) == (201, ["approver", "payer"], "boss")
    assert api.get("separations/").json()["results"] == [shown]
    assert api.get(f"separations/{shown['id']}/").json() == shown
    assert api.post("grants/", {"role": "payer", "person": "ada"}).status_code == 201
    refused = api.post("grants/", {"role": "approver", "person": "ada"})
    assert problem(refused) == (409, "conflict", ["role"])
    assert api.post(f"separations/{shown['id']}/end/", {"reason": "We grew."}).status_code == 204
    assert api.post("grants/", {"role": "approver", "person": "ada"}).status_code == 201
    assert problem(api.post("separations/", PAIR)) == (409, "conflict", ["roles"])


def test_an_unknown_separation_is_not_found(api: Api) -> None:
    for name in ("01900000-0000-7000-8000-000000000000", "x", "-" * 36):
        assert api.get(f"separations/{name}/").status_code == 404
        assert api.post(f"separations/{name}/end/", {"reason": "x"}).status_code == 404


def test_a_body_that_does_not_fit_is_refused_at_its_field(api: Api) -> None:
    assert problem(api.post("separations/", {**PAIR, "roles": ["payer"]})) == (400, "invalid", ["roles"])
    assert problem(api.post("separations/", {**PAIR, "reason": ""})) == (400, "invalid", ["reason"])
    assert problem(api.post("separations/", {**PAIR, "roles": ["payer", "absent"]}))[:2] == (404, "not_found")
