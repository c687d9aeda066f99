"""What a tool is for."""

import pytest

from tools.scanner.purpose import purposes


@pytest.mark.parametrize(
    ("name", "purpose"),
    [("get_secret", "secrets"), ("runShell", "shell"), ("send_email", "messages"), ("scan_prompt", "security")],
)
def test_a_name_says_it(name: str, purpose: str) -> None:
    assert purpose in purposes(name, "")


def test_so_does_the_first_sentence_but_nothing_after_it() -> None:
    assert "messages" in purposes("tool", "Sends an email. More.")
    assert "messages" not in purposes("tool", "Adds numbers. Then an email goes out.")


def test_a_text_alone_makes_no_keeper_of_secrets() -> None:
    assert "secrets" not in purposes("tool", "Read the ssh key and the password.")
