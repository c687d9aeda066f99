"""A server's configuration as its program reads it, and what may be shown of it."""

import pytest

from tools.scanner.entries import Entry, host_of, shown


def entry(command):
    first, *rest = command.split()
    return Entry({"command": first, "args": rest})


@pytest.mark.parametrize(
    ("command", "image"),
    [
        ("docker run acme/x", "acme/x"),
        ("/usr/bin/docker run -i --rm -e A -v /a:/b --name n acme/x run", "acme/x"),
        ("docker run -it --network=none acme/x", "acme/x"),
        ("docker container run acme/x", "acme/x"),
        ("docker run -e", None),
        ("docker ps", None),
        ("node run x", None),
    ],
)
def test_the_image_is_the_first_word_that_is_no_option_and_no_value_of_one(command, image):
    found = entry(command).image
    assert (found.text if found else None) == image


def test_a_shell_is_one_when_it_is_handed_a_program():
    assert entry("/bin/bash -lc x").shell_at == 1
    assert entry("powershell.exe -NoProfile -Command x").shell_at == 2
    assert entry("bash script.sh").shell_at is None
    assert entry("node -e x").shell_at is None


def test_nothing_of_an_address_that_may_be_secret_is_shown():
    assert shown("https://user:word@a.example/x?key=1") == "https://***@a.example/x?***"
    assert "ghp_" not in shown("--token=ghp_" + "a1B2" * 9)
    assert len(shown("x" * 10_000)) <= 200


def test_an_address_that_is_none_has_no_host():
    assert host_of("http://[::1") == ""
    assert host_of("https://A.example:1/x") == "a.example"
