"""Who acts on the command line."""

import pytest

from access.services import Holder, give_grant
from controlplane.switching import HOST, acting
from core.errors import NotFound
from core.permissions import Permission
from tests.access.doors import SETUP
from tests.console.world import administrator
from tests.factories import PersonFactory

pytestmark = pytest.mark.django_db


def test_without_a_name_it_is_the_host_which_may_do_this_and_nothing_else() -> None:
    assert acting("") is HOST
    assert HOST.permissions == {Permission.SUSPENSION_SET, Permission.SUSPENSION_LIFT, Permission.SERVER_READ}


def test_a_person_acts_with_their_own_permissions() -> None:
    administrator(username="boss")
    PersonFactory.create(username="ada")
    give_grant(role="operator", holder=Holder(person="ada"), actor=SETUP, reason="A test.")
    assert acting("ADA").may(Permission.SUSPENSION_SET)
    assert not acting("ada").may(Permission.SUSPENSION_LIFT)


@pytest.mark.parametrize("name", ["absent", "gone", "a\0", "\udc80"])
def test_nobody_acts_who_is_not_there_or_deactivated(name: str) -> None:
    PersonFactory.create(username="gone", is_active=False)
    with pytest.raises(NotFound):
        acting(name)
