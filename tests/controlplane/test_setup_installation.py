import json

import pytest
from django.core.management import CommandError, call_command

from access.models import ApiToken, Person, Role
from access.services import authenticate_api_token
from controlplane.env import SettingError

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(monkeypatch, capsys):
    def run(password="a password of the tests", **options):
        monkeypatch.setenv("ADMIN_PASSWORD", password)
        monkeypatch.delenv("ADMIN_PASSWORD_FILE", raising=False)
        call_command("setup_installation", **options)
        return capsys.readouterr().out

    return run


def test_it_makes_roles_an_administrator_and_a_token_that_works(run):
    answer = json.loads(run(print_token=True).splitlines()[-1])
    assert answer["username"] == "admin"
    assert authenticate_api_token(answer["api_token"]) is not None
    assert Role.objects.filter(builtin=True).count() == 6
    assert Person.objects.get(username="admin").check_password("a password of the tests")


def test_run_again_it_keeps_the_password_and_ends_the_earlier_token(run):
    first = json.loads(run(print_token=True).splitlines()[-1])["api_token"]
    second = json.loads(run("another password of the tests", print_token=True).splitlines()[-1])["api_token"]
    assert authenticate_api_token(first) is None
    assert authenticate_api_token(second) is not None
    assert Person.objects.get(username="admin").check_password("a password of the tests")


def test_a_token_is_printed_only_where_it_was_asked_for(run):
    assert "hfp_" not in run()
    assert ApiToken.objects.exists()


def test_a_weak_password_is_a_sentence(run):
    with pytest.raises(CommandError, match="too short"):
        run("short")


def test_a_missing_password_is_a_sentence(monkeypatch):
    monkeypatch.delenv("ADMIN_PASSWORD", raising=False)
    with pytest.raises(SettingError, match=r"ADMIN_PASSWORD \(or ADMIN_PASSWORD_FILE\) is not set"):
        call_command("setup_installation")
