"""Annotations against names and texts."""

import pytest

from tools.scanner import Item, scan_item


def score(name: str, text: str, **annotations: bool) -> float:
    return scan_item(Item({"name": name, "description": text, "annotations": annotations})).score


@pytest.mark.parametrize(
    ("name", "text"),
    [("delete_user", "Deletes a user."), ("createIssue", "Creates an issue."), ("send_mail", "Send a message.")],
)
def test_what_writes_is_not_read_only(name: str, text: str) -> None:
    assert score(name, text, readOnlyHint=True) >= 0.75
    assert score(name, text, readOnlyHint=False) == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [("list_users", "Lists users."), ("get_post", "Gets a post."), ("run_report", "Runs a report."), ("search", "")],
)
def test_what_reads_may_say_so(name: str, text: str) -> None:
    assert score(name, text, readOnlyHint=True) < 0.4


def test_what_destroys_is_not_harmless() -> None:
    assert score("drop_table", "Drops a table.", destructiveHint=False) >= 0.75
    assert score("add_row", "Adds a row.", destructiveHint=False) == 0
