"""Roles that one person may not hold together: by whatever way they would come to hold them, somebody says no."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from access import services
from access.models import Grant, Membership, Person, RoleSeparation
from access.services import Holder
from audit.models import Record
from core.actor import Actor
from core.errors import Conflict, DomainError, Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from tests.access.doors import SETUP
from tests.factories import (
    GrantFactory,
    MembershipFactory,
    PersonFactory,
    RoleFactory,
    TeamFactory,
    actor_with,
)

pytestmark = pytest.mark.django_db
WORDS = "ada would hold both 'approver' and 'payer', which are kept apart."


@pytest.fixture
def ada() -> Person:
    RoleFactory.create(name="approver")
    RoleFactory.create(name="payer")
    return PersonFactory.create(username="ada")


@pytest.fixture
def apart(ada: Person) -> RoleSeparation:
    return services.separate_roles(roles=("approver", "payer"), actor=SETUP, reason="Nobody pays what they approve.")


def give(role: str, **holder: str) -> Grant:
    return services.give_grant(role=role, holder=Holder(**holder), actor=SETUP, reason="A test.")


def test_a_second_role_that_is_kept_apart_is_refused_and_says_why(apart: RoleSeparation) -> None:
    give("approver", person="ada")
    with pytest.raises(Conflict) as refused:
        give("payer", person="ada")
    assert (refused.value.message, refused.value.field) == (WORDS, "role")
    assert Grant.objects.count() == 1


def test_a_team_gives_nobody_what_they_may_not_hold_with_their_own(apart: RoleSeparation, ada: Person) -> None:
    team = MembershipFactory.create(team=TeamFactory.create(slug="blue"), person=ada).team
    give("approver", person="ada")
    with pytest.raises(Conflict) as refused:
        give("payer", team=team.slug)
    assert refused.value.message == WORDS


def test_nobody_joins_a_team_whose_role_is_kept_apart_from_theirs(apart: RoleSeparation) -> None:
    TeamFactory.create(slug="blue")
    give("payer", team="blue")
    give("approver", person="ada")
    with pytest.raises(Conflict) as refused:
        services.add_member(team="blue", username="ada", actor=SETUP)
    assert (refused.value.message, refused.value.field) == (WORDS, "username")
    assert not Membership.objects.exists()


def test_two_teams_together_give_nobody_both(apart: RoleSeparation) -> None:
    for slug, role in (("blue", "payer"), ("red", "approver")):
        TeamFactory.create(slug=slug)
        give(role, team=slug)
    services.add_member(team="blue", username="ada", actor=SETUP)
    with pytest.raises(Conflict):
        services.add_member(team="red", username="ada", actor=SETUP)


def test_roles_are_not_separated_while_somebody_holds_both(ada: Person) -> None:
    give("approver", person="ada")
    give("payer", person="ada")
    with pytest.raises(Conflict) as refused:
        services.separate_roles(roles=("payer", "approver"), actor=SETUP, reason="x")
    assert (refused.value.message, refused.value.field) == (WORDS, "roles")
    assert not RoleSeparation.objects.exists()


def test_what_has_ended_counts_for_nothing(apart: RoleSeparation, ada: Person) -> None:
    services.revoke_grant(grant_id=give("approver", person="ada").public_id, actor=SETUP, reason="Moved.")
    past = timezone.now() - timedelta(days=1)
    ended = {"created_at": past, "expires_at": past + timedelta(hours=1)}
    row = GrantFactory.create(person=ada)
    Grant.objects.filter(pk=row.pk).update(role=apart.first, **ended)
    assert give("payer", person="ada").person_id


def test_others_hold_what_they_like_and_agents_both(apart: RoleSeparation) -> None:
    PersonFactory.create(username="ben")
    give("approver", person="ada")
    give("payer", person="ben")
    client_id = services.register_agent(name="Bot", actor=SETUP).agent.client_id
    give("approver", agent=client_id)
    assert give("payer", agent=client_id).agent_id


def test_whoever_is_deactivated_is_kept_from_both_too(apart: RoleSeparation, ada: Person) -> None:
    TeamFactory.create(slug="blue")
    give("approver", person="ada")
    services.add_member(team="blue", username="ada", actor=SETUP)
    Person.objects.filter(pk=ada.pk).update(is_active=False)
    with pytest.raises(Conflict):
        give("payer", team="blue")


def test_a_separation_is_recorded_when_it_is_made_and_when_it_ends(apart: RoleSeparation) -> None:
    services.end_separation(separation_id=apart.public_id, actor=SETUP, reason="We grew.")
    made, ended = Record.objects.filter(event__startswith="separation.").order_by("id")
    assert (made.event, made.after, made.reason) == (
        "separation.made",
        {"roles": ["approver", "payer"]},
        "Nobody pays what they approve.",
    )
    assert (ended.event, ended.before, ended.reason) == ("separation.ended", made.after, "We grew.")
    assert made.subject == ended.subject == f"separation:{apart.public_id}"
    give("approver", person="ada")
    assert give("payer", person="ada").person_id


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        ({"roles": ()}, Invalid, "roles"),
        ({"roles": ("payer",)}, Invalid, "roles"),
        ({"roles": ("payer", "PAYER")}, Invalid, "roles"),
        ({"roles": ("payer", "approver", "payer")}, Invalid, "roles"),
        ({"roles": ("payer", "absent")}, NotFound, "roles"),
        ({"roles": ("payer", "a\0")}, NotFound, "roles"),
        ({"roles": ("payer", "approver"), "reason": " "}, Invalid, "reason"),
    ],
)
def test_a_separation_needs_two_roles_and_a_reason(
    ada: Person, change: dict[str, Any], error: type[DomainError], field: str
) -> None:
    with pytest.raises(error) as refused:
        services.separate_roles(**{"reason": "x", **change}, actor=SETUP)
    assert refused.value.field == field


def test_roles_are_separated_once(apart: RoleSeparation) -> None:
    with pytest.raises(Conflict, match="apart already"):
        services.separate_roles(roles=("payer", "approver"), actor=SETUP, reason="Again.")


def test_separating_needs_the_permission_to_manage_roles(apart: RoleSeparation) -> None:
    nobody: Actor = actor_with(*(set(Permission) - {Permission.ROLE_MANAGE}))
    with pytest.raises(PermissionDenied):
        services.separate_roles(roles=("payer", "approver"), actor=nobody, reason="x")
    with pytest.raises(PermissionDenied):
        services.end_separation(separation_id=apart.public_id, actor=nobody, reason="x")
    assert RoleSeparation.objects.exists()


def test_the_tables_themselves_refuse_it(apart: RoleSeparation, ada: Person) -> None:
    GrantFactory.create(role=apart.first, person=ada)
    with pytest.raises(IntegrityError, match="kept apart"), transaction.atomic():
        GrantFactory.create(role=apart.second, person=ada)
    revoked = GrantFactory.create(role=apart.second, person=ada, revoked_at=timezone.now())
    with pytest.raises(IntegrityError, match="kept apart"), transaction.atomic():
        Grant.objects.filter(pk=revoked.pk).update(revoked_at=None)
    team = TeamFactory.create()
    GrantFactory.create(role=apart.second, team=team)
    with pytest.raises(IntegrityError, match="kept apart"), transaction.atomic():
        Membership.objects.create(team=team, person=ada)
    with pytest.raises(IntegrityError, match="roles_separated_in_order"), transaction.atomic():
        RoleSeparation.objects.create(first=apart.second, second=apart.first, reason="x")


@pytest.mark.django_db(transaction=True)
def test_of_two_grants_at_once_one_is_refused() -> None:
    for name in ("approver", "payer"):
        RoleFactory.create(name=name)
    PersonFactory.create(username="ada")
    services.separate_roles(roles=("approver", "payer"), actor=SETUP, reason="x")
    start, ends = threading.Barrier(2), []

    def run(role: str) -> None:
        try:
            start.wait(60)
            give(role, person="ada")
            ends.append("given")
        except Conflict as refused:
            ends.append(refused.message)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(role,)) for role in ("approver", "payer")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ends) == [WORDS, "given"]
    assert Grant.objects.count() == 1
